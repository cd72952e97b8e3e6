//go:build fleet && all

package fleet_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestBridge: slipwayd's own routes between two workers, with which flannel is compared.
func TestBridge(t *testing.T) {
	f := newFleet(t, "testdata/bridge.yaml")
	f.Start()
	f.Wait(formLimit, "all nodes formed", f.formed)
	f.podsReachEachOther(1500)
}

// TestFlannelHostGW: flannel's routes between two workers, and no packet in another.
func TestFlannelHostGW(t *testing.T) {
	f := newFleet(t, "testdata/flannel-host-gw.yaml")
	f.Start()
	f.Wait(formLimit, "all nodes formed", f.formed)
	for name, far := range map[string]string{"w1": "10.244.2.0/24 via 10.99.0.42 dev eth0", "w2": "10.244.1.0/24 via 10.99.0.41 dev eth0"} {
		f.Wait(20*time.Second, name+" has a route", func() error {
			said, err := f.In(name, "ip route; ip -o link show type vxlan")
			if err == nil && (!strings.Contains(said, far) || strings.Contains(said, "vxlan") || strings.Contains(said, "flannel.1")) {
				err = fmt.Errorf("no %q in\n%s", far, said)
			}
			return err
		})
	}
	f.podsReachEachOther(1500)
}

// TestFlannelComesBack: power of all workers is cut; with the first packets of their new pods they are as they were.
func TestFlannelComesBack(t *testing.T) {
	f := newFleet(t, "testdata/flannel.yaml")
	f.Start()
	f.Wait(formLimit, "all nodes formed", f.formed)
	f.PowerCut("w1", "w2")
	f.Start("w1", "w2")
	f.Wait(formLimit, "all nodes formed", f.formed)
	f.podsReachEachOther(1450)
}

// TestNoNetwork: with cni: none the cluster is formed, and says who waits for what; a network that somebody brings ends it.
func TestNoNetwork(t *testing.T) {
	f := newFleet(t, "testdata/no-network.yaml")
	f.Start()
	f.Wait(formLimit, "both say that w1 waits for a network", func() error {
		all, err := f.Statuses()
		for _, s := range all {
			if want := "a pod network on w1: the spec leaves it to you (cni: none)"; !s.Formed || s.WaitingFor != want {
				err = errors.Join(err, fmt.Errorf("%s: formed %t, step %s waits for %s %s", s.Node, s.Formed, s.Step, s.WaitingFor, s.LastError))
			}
		}
		return err
	})
	if said, err := f.kubectl("get", "node", "w1", "-o", "jsonpath={.spec.podCIDR}"); err != nil || said != "10.244.1.0/24" {
		t.Errorf("w1's pods are %q, %v", said, err)
	}
	const mine = `{"cniVersion":"1.0.0","name":"mine","plugins":[{"type":"bridge","bridge":"mine","ipam":{"type":"host-local","ranges":[[{"subnet":"10.244.1.0/24"}]]}}]}`
	if _, err := f.In("w1", "echo '"+mine+"' > /etc/cni/net.d/05-mine.conflist"); err != nil {
		t.Fatal(err)
	}
	f.Wait(time.Minute, "all nodes formed", f.formed)
}
