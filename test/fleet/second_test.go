//go:build fleet && all

package fleet_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// ofControlPlane are the units of a control plane with an etcd member that a second machine must not start.
const ofControlPlane = "etcd kube-apiserver kube-controller-manager kube-scheduler"

// TestSecondMachine switches on, beside a machine that lives, another one with the same name, key and config, at another address: one of
// each role. The first stays as it is, the second starts nothing, each names the other.
func TestSecondMachine(t *testing.T) {
	f := newFleet(t, "testdata/dedicated.yaml")
	f.Start()
	f.Wait(formLimit, "all nodes formed", f.formed)
	f.write("before")
	id, before, table := f.clusterID("cp1"), f.processes(f.order...), newReport(t)
	for i, c := range []struct {
		name  string
		units string // that the second must not start
	}{
		{"cp1", ofControlPlane},
		{"w1", "kubelet kube-proxy"},
		{"lb1", "slipway-keepalived"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := f.under(t)
			first, address := f.node(c.name).address, fmt.Sprintf("10.99.0.%d", 61+i)
			config := f.configIn(f.dir, c.name)
			second := c.name + "-second"
			f.add(second, address, config)
			f.editFile(f.configIn(f.dir, second), "/etc/systemd/network/10-slipway.network", func(text string) string {
				return strings.Replace(text, "Address="+first, "Address="+address, 1)
			})
			f.Start(second)
			defer f.remove(second)
			took := f.Wait(time.Minute, "each names the other", func() error {
				if err := f.noticed(f.spec, c.name, "twin", address, "has the name and key of this node"); err != nil {
					return err
				}
				return f.secondWaits(c.name, address, first)
			})
			f.startsNothing(second, c.units)
			if now := f.processes(f.order...); now != before {
				t.Errorf("running nodes were touched:\n%s\nand before:\n%s", now, before)
			}
			if err := f.whole(3); err != nil || f.clusterID("cp1") != id {
				t.Errorf("the cluster is %s, before %s: %v", f.clusterID("cp1"), id, err)
			}
			f.mustRead("before")
			f.oneHolder()
			f.remove(second)
			f.Wait(time.Minute, "the first is told no more", func() error {
				if f.noticed(f.spec, c.name, "twin", address, "") == nil {
					return fmt.Errorf("%s still names %s", c.name, address)
				}
				return nil
			})
			table.add("F15", "a second "+c.name+", at another address", took, "both name the other; none of "+c.units+" on it; processes, members, data and VIP of the others as before")
		})
	}
}

// TestSameAddress does so at the very same address. The switch delivers what is meant for it to either machine, so that the first may be
// missed: the cluster serves without it, and has it back as it was.
func TestSameAddress(t *testing.T) {
	f := newFleet(t, "testdata/dedicated.yaml")
	f.Start("lb1", "cp1", "cp2", "cp3")
	f.Wait(formLimit, "all nodes formed", f.formed)
	f.write("before")
	members := []string{"cp1", "cp2", "cp3"}
	id, before := f.clusterID("cp1"), f.processes(members...)
	address := f.node("cp1").address
	f.add("cp1-second", address, f.configIn(f.dir, "cp1"))
	f.Start("cp1-second")
	defer f.remove("cp1-second")
	took := f.Wait(2*time.Minute, "each names the other on its console", func() error {
		return errors.Join(f.tellsOf("cp1", "cp1-second"), f.tellsOf("cp1-second", "cp1"))
	})
	t.Logf("each named the other after %v", took.Round(time.Second/10))
	f.startsNothing("cp1-second", ofControlPlane)
	f.Wait(time.Minute, "the API answers", f.apiReady)
	if _, err := f.etcdctl("cp2", "put fleet/beside value-of-beside"); err != nil {
		t.Error(err)
	}
	f.remove("cp1-second")
	took = f.Wait(backLimit, "the first is as before", func() error { return errors.Join(f.formed(), f.whole(3)) })
	if now := f.processes(members...); now != before || f.clusterID("cp1") != id {
		t.Errorf("cluster %s, before %s; running nodes were touched:\n%s\nand before:\n%s", f.clusterID("cp1"), id, now, before)
	}
	f.mustRead("before")
	f.mustRead("beside")
	newReport(t).add("F15", "a second cp1, at the very same address", took, "both name the other's card; none of "+ofControlPlane+" on it; the API answers and a member writes; afterwards processes, members and data as before")
}

// tellsOf demands that a machine told on its console of another one at its address: by what others hear, or, where no answer of theirs
// arrives, by the other's card.
func (f *fleet) tellsOf(name, other string) error {
	for _, s := range f.console(name) {
		if strings.Contains(s.LastError, f.node(other).mac()) || slices.ContainsFunc(s.Notices, func(n notice) bool { return n.Kind == "twin" && n.Name == f.node(other).address }) {
			return nil
		}
	}
	return fmt.Errorf("%s does not tell of %s", name, other)
}

// secondWaits says what is missing from the status of a second machine, which it gives at its own address: a notice of the first
// one's address, and a step that waits for that machine to go.
func (f *fleet) secondWaits(name, address, first string) error {
	out, err := f.image.run(f.dir, f.image.slipway(), "status", "-f", f.spec, "--address", address+":7400", "--json", name)
	if err != nil {
		return err
	}
	var all []status
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 {
		return fmt.Errorf("%s: %w", out, err)
	}
	s := all[0]
	if !slices.ContainsFunc(s.Notices, func(n notice) bool { return n.Kind == "twin" && n.Name == first }) {
		return fmt.Errorf("the second has the notices %+v", s.Notices)
	}
	if !strings.Contains(s.WaitingFor, "at "+first+", to go away") {
		return fmt.Errorf("the second is at %s, waiting for %s: %s", s.Step, s.WaitingFor, s.LastError)
	}
	return nil
}

// startsNothing demands that none of a machine's units runs for ten seconds, and that it has no etcd data.
func (f *fleet) startsNothing(name, units string) {
	f.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Second) {
		said, _ := f.In(name, "systemctl is-active "+units+"; true")
		if strings.Contains("\n"+said, "\nactiv") {
			f.fatalf("%s runs one of %s:\n%s", name, units, said)
		}
	}
	if logs, _ := filepath.Glob(filepath.Join(f.node(name).dir, "var/lib/etcd/member/wal/*")); len(logs) > 0 {
		f.t.Errorf("%s has etcd data", name)
	}
}
