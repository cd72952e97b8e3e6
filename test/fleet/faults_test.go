//go:build fleet && all

package fleet_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFaults lets things happen to one cluster, one after another: a pair of balancers and three control planes. After each
// it is as whole as before, with the same cluster id, all voters, and everything that was ever written.
func TestFaults(t *testing.T) {
	f := newFleet(t, "testdata/dedicated-pair.yaml")
	f.Start()
	f.Wait(formLimit, "all nodes formed", f.formed)
	id, table := f.clusterID("cp1"), newReport(t)
	for i, c := range []struct {
		number, name string
		inject       func(*fleet)
	}{
		{"F1", "power of a control plane cut", func(f *fleet) { f.PowerCut("cp1"); f.Start("cp1") }},
		{"F1", "power of all cut", func(f *fleet) { f.PowerCut(f.order...); f.Start() }},
		{"F3", "control plane wiped, peers up", func(f *fleet) { f.PowerCut("cp2"); f.Wipe("cp2"); f.Start("cp2") }},
		{"F3", "one wiped after the other", func(f *fleet) {
			for _, name := range []string{"cp1", "cp3"} {
				f.PowerCut(name)
				f.Wipe(name)
				f.Start(name)
				f.Wait(backLimit, name+" is a voter again", func() error { return f.whole(3) })
			}
		}},
		{"F9", "a control plane's log has lost its end", func(f *fleet) { f.PowerCut("cp3"); f.loseLog("cp3"); f.Start("cp3") }},
		{"F9", "a control plane's database is cut off", func(f *fleet) {
			f.PowerCut("cp2")
			if err := os.Truncate(filepath.Join(f.node("cp2").dir, "var/lib/etcd/member/snap/db"), 30000); err != nil {
				f.fatal(err)
			}
			f.Start("cp2")
		}},
		{"F20", "card of a control plane pulled", func(f *fleet) {
			f.Unplug("cp1")
			f.Wait(time.Minute, "the API answers without it", f.apiReady)
			f.Plug("cp1")
		}},
		{"F10", "a balancer wiped", func(f *fleet) { f.PowerCut("lb1"); f.Wipe("lb1"); f.Start("lb1") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := f.under(t)
			f.write(fmt.Sprint("before-", i))
			c.inject(f)
			took := f.Wait(backLimit, "the cluster is whole again", func() error { return errors.Join(f.formed(), f.whole(3)) })
			if now := f.clusterID("cp1"); now != id {
				t.Fatalf("it is another cluster: %s, before %s", now, id)
			}
			for k := range i + 1 {
				f.mustRead(fmt.Sprint("before-", k))
			}
			f.Wait(time.Minute, "the API answers at its address", f.apiReady)
			f.oneHolder()
			table.add(c.number, c.name, took, "3 voters of the same cluster, all that was ever written at each, one holder of the VIP")
		})
		if t.Failed() {
			return // what comes next builds on it
		}
	}
}

// TestTakeover: the balancer that has the VIP loses its power, or its card: the other answers for it within 2 s. When the first is
// back, there is one.
func TestTakeover(t *testing.T) {
	f := newFleet(t, "testdata/dedicated-pair.yaml")
	f.Start()
	f.Wait(formLimit, "all nodes formed", f.formed)
	table := newReport(t)
	for _, c := range []struct {
		how          string
		lose, regain func(*fleet, string)
	}{
		{"power", func(f *fleet, n string) { f.PowerCut(n) }, func(f *fleet, n string) { f.Start(n) }},
		{"card", func(f *fleet, n string) { f.Unplug(n) }, func(f *fleet, n string) { f.Plug(n) }},
	} {
		before := f.holders()
		if len(before) != 1 {
			t.Fatalf("held by %v", before)
		}
		took := f.outage(func() { c.lose(f, before[0]) })
		if took > 2*time.Second {
			t.Errorf("%s: no answer at the VIP for %v", c.how, took)
		}
		if now := f.holders(); len(now) != 1 || now[0] == before[0] {
			t.Errorf("held by %v after %v lost its %s", now, before, c.how)
		}
		c.regain(f, before[0])
		f.Wait(formLimit, "all nodes formed", f.formed)
		f.Wait(time.Minute, "one holds the VIP", f.held)
		table.add("F10", "the holder of the VIP loses its "+c.how, took, "the other one answers; one holder by ARP, then and when the first is back")
	}
}

// TestFive: five members form a cluster as well. Two of them die at once: each is replaced while the other is still dead.
func TestFive(t *testing.T) {
	f := forms(t, "five", 5)
	f.write("before")
	id, table := f.clusterID("cp1"), newReport(t)
	f.PowerCut("cp2", "cp4")
	f.Wipe("cp2", "cp4")
	f.slipway("replace", "-f", f.spec, "-o", f.dir, "cp2")
	f.Start("cp2")
	took := f.Wait(backLimit, "cp2 is a voter again while cp4 is dead", func() error { return errors.Join(f.formed(), f.whole(5, "cp1", "cp2", "cp3", "cp5")) })
	table.add("F3", "two of five dead, one replaced", took, "5 voters in the list, 4 of them healthy")
	f.slipway("replace", "-f", f.spec, "-o", f.dir, "cp4")
	f.Start("cp4")
	took = f.Wait(backLimit, "all are voters", func() error { return errors.Join(f.formed(), f.whole(5)) })
	if now := f.clusterID("cp4"); now != id {
		t.Errorf("it is another cluster: %s, before %s", now, id)
	}
	f.mustRead("before")
	table.add("F3", "the other one replaced", took, "5 voters of the same cluster, what was written at each")
}

// TestTwoJoiners: two of five are wiped and come back at the same moment.
func TestTwoJoiners(t *testing.T) {
	f := newFleet(t, "testdata/five.yaml")
	f.Start()
	f.Wait(formLimit, "all nodes formed", f.formed)
	f.write("before")
	f.PowerCut("cp2", "cp4")
	f.Wipe("cp2", "cp4")
	f.Start("cp2", "cp4")
	took := f.Wait(backLimit, "all are voters", func() error { return errors.Join(f.formed(), f.whole(5)) })
	f.mustRead("before")
	newReport(t).add("F8", "two of five wiped and back at the same moment", took, "5 voters, what was written at each")
}

// TestAmnesia: a wiped member never starts a second cluster: not while its peers are off, and not together with another
// wiped one while something that remembers stands.
func TestAmnesia(t *testing.T) {
	f := newFleet(t, "testdata/dedicated.yaml")
	f.Start()
	f.Wait(formLimit, "all nodes formed", f.formed)
	f.write("before")

	f.PowerCut("cp1", "cp2", "cp3")
	f.Wipe("cp1")
	f.Start("cp1")
	f.staysOut("cp1")

	f.Wipe("cp2")
	f.Start("cp2") // a majority without memory, and a balancer that remembers
	f.staysOut("cp1", "cp2")

	f.Start("cp3") // it has the data, and no quorum
	f.staysOut("cp1", "cp2")
	if now, _ := f.In("cp3", "ls /var/lib/etcd/member/wal"); now == "" {
		t.Error("the survivor's data is gone")
	}
	if s := f.status("cp1"); !strings.Contains(s.WaitingFor+s.LastError, "quorum") {
		t.Errorf("cp1 does not say that quorum is lost: %+v", s)
	}
}

// TestNewEpoch: raising the epoch gives the old data up: wiped machines form another cluster, and one that still has the old disk
// stays out of it, with its data, until it is wiped as well.
func TestNewEpoch(t *testing.T) {
	f := newFleet(t, "testdata/dedicated.yaml")
	f.Start("lb1", "cp1", "cp2", "cp3")
	whole := func() error { return errors.Join(f.formed(), f.whole(3)) }
	f.Wait(formLimit, "all nodes formed", whole)
	f.write("before")
	old := f.clusterID("cp1")

	f.PowerCut("lb1", "cp1", "cp2", "cp3")
	f.setEpoch(2)
	f.Wipe("lb1", "cp1", "cp2")
	f.Start("lb1", "cp1", "cp2", "cp3")
	f.Wait(formLimit, "two form another cluster", func() error { return f.voters(2) })
	if now := f.clusterID("cp1"); now == old {
		t.Errorf("it is still cluster %s", now)
	}
	if said, err := f.etcdctl("cp1", "get --print-value-only fleet/before"); err != nil || said != "" {
		t.Errorf("the new cluster has %q, %v", said, err)
	}
	if said, _ := f.In("cp3", "ls /var/lib/etcd/member/wal"); said == "" {
		t.Error("the straggler's data is gone")
	}
	if said, err := f.etcdctl("cp1", "member list"); err != nil || strings.Count(said, ":2379, false") != 2 {
		t.Errorf("members: %s, %v", said, err)
	}
	f.PowerCut("cp3")
	f.Wipe("cp3")
	f.Start("cp3")
	f.Wait(backLimit, "the third joins", whole)
}

// TestPartition: a control plane that does not see the two others serves nothing, they go on, and afterwards it has what it missed.
func TestPartition(t *testing.T) {
	f := newFleet(t, "testdata/dedicated-pair.yaml")
	f.Start()
	whole := func() error { return errors.Join(f.formed(), f.whole(3)) }
	f.Wait(formLimit, "all nodes formed", whole)
	f.Cut("cp1", "cp2")
	f.Cut("cp1", "cp3")
	f.Wait(time.Minute, "cp1 says that it has no quorum", func() error {
		if s := f.status("cp1"); s.Serving || s.WaitingFor+s.LastError == "" {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	if _, err := f.etcdctl("cp1", "--command-timeout=3s get fleet/anything"); err == nil {
		t.Error("the minority answers a read that needs a quorum")
	}
	f.Wait(time.Minute, "the others serve", func() error { return errors.Join(f.apiReady(), f.whole(3, "cp2", "cp3")) })
	if _, err := f.etcdctl("cp2", "put fleet/meanwhile value-of-meanwhile"); err != nil {
		t.Error(err)
	}
	if err := f.held(); err != nil {
		t.Error(err)
	}
	f.Heal()
	took := f.Wait(backLimit, "all are whole", whole)
	f.mustRead("meanwhile")
	newReport(t).add("F20", "a control plane apart from the two others", took, "it serves no read, the others write, one holder of the VIP; then 3 voters and what it missed")
}

// setEpoch renders all node configs anew, of another epoch.
func (f *fleet) setEpoch(n int) {
	f.t.Helper()
	data, err := os.ReadFile(f.spec)
	if err != nil {
		f.fatal(err)
	}
	raised := strings.Replace(string(data), "cluster:\n", fmt.Sprintf("cluster:\n    epoch: %d\n", n), 1)
	if err := os.WriteFile(f.spec, []byte(raised), 0o644); err != nil {
		f.fatal(err)
	}
	f.slipway("ignition", "-f", f.spec, "-o", f.dir)
}

// staysOut demands that no etcd runs on machines for half a minute, a good deal longer than a first formation takes.
func (f *fleet) staysOut(names ...string) {
	f.t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Second) {
		for _, name := range names {
			// Nothing is said by a machine whose systemd does not answer yet.
			if now, _ := f.In(name, "systemctl is-active etcd.service; ls /var/lib/etcd/member/wal 2>/dev/null; true"); now != "inactive" && now != "" {
				f.fatalf("etcd on %s: %s", name, now)
			}
		}
	}
}

// loseLog overwrites the newest of a machine's etcd logs with zeros from its first entries on, which to etcd is where it ends.
func (f *fleet) loseLog(name string) {
	f.t.Helper()
	logs, err := filepath.Glob(filepath.Join(f.node(name).dir, "var/lib/etcd/member/wal/*.wal"))
	if err != nil || len(logs) == 0 {
		f.fatalf("%s has no log: %v", name, err)
	}
	file, err := os.OpenFile(slices.Max(logs), os.O_WRONLY, 0)
	if err != nil {
		f.fatal(err)
	}
	_, err = file.WriteAt(make([]byte, 4096), 512)
	if err := errors.Join(err, file.Close()); err != nil {
		f.fatal(err)
	}
}
