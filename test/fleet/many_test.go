//go:build fleet && all

package fleet_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// manyLimit is how long several emulated control planes may take.
const manyLimit = 45 * time.Minute

// TestMany: five virtual machines, switched on at once from blank disks, form a cluster whose pods are reached through a Service. It
// serves on without one control plane, which comes back from a power cut with what was written meanwhile.
func TestMany(t *testing.T) {
	f := newFleet(t, "testdata/many.yaml")
	begin := time.Now()
	f.Start()
	since := func(what string) { t.Logf("%s %v after power-on", what, time.Since(begin).Round(time.Second)) }
	f.Wait(manyLimit, "the API answers through the balancer", f.apiReady)
	since("the API answers")
	f.Wait(manyLimit, "all nodes serve", f.allServe)
	since("all nodes serve")
	f.ready("w1 10.244.4.0/24 True")
	f.startChain("w1", "w1")
	f.Wait(10*time.Minute, "a question at the node port is answered through the Service", f.chained("w1"))
	since("pods answer")

	f.PowerCut("cp2")
	took := f.Wait(5*time.Minute, "the others take an object", func() error {
		_, err := f.kubectl("create", "configmap", "written")
		if err != nil && strings.Contains(err.Error(), "already exists") { // the call before was cut off after it had been taken
			err = nil
		}
		return err
	})
	t.Logf("an object was taken %v after cp2's power was cut", took.Round(time.Second/10))
	f.Start("cp2")
	took = f.Wait(manyLimit, "all nodes serve again", func() error { return errors.Join(f.allServe(), f.chained("w1")()) })
	t.Logf("all serve %v after cp2 was switched on again", took.Round(time.Second))
	at := "https://" + net.JoinHostPort(f.node("cp2").address, "6443")
	if said, err := f.kubectl("--server", at, "get", "configmap", "written", "-o", "name"); err != nil || strings.TrimSpace(said) != "configmap/written" {
		t.Errorf("cp2 says %q, %v", said, err)
	}
}
