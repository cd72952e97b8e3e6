//go:build fleet && all

package fleet_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestStandstill: the machine that has the VIP stands still for a while, and goes on: once all of its processes, while its kernel still
// answers for its addresses, and once the whole machine, as one that its hypervisor pauses. Another takes the VIP within 2 s, and when the
// first goes on, and believes that it has it, one gives way.
func TestStandstill(t *testing.T) {
	f := newFleet(t, "testdata/dedicated-pair.yaml")
	f.Start()
	f.Wait(formLimit, "all nodes formed", f.formed)
	table := newReport(t)
	for _, c := range []struct {
		what     string
		stop, on func(*fleet, string)
	}{
		{"processes", func(f *fleet, n string) { f.freeze(n, true) }, func(f *fleet, n string) { f.freeze(n, false) }},
		{"machine", func(f *fleet, n string) { f.freeze(n, true); f.Unplug(n) }, func(f *fleet, n string) { f.Plug(n); f.freeze(n, false) }},
	} {
		before := f.holders()
		if len(before) != 1 {
			t.Fatalf("held by %v", before)
		}
		took := f.outage(func() { c.stop(f, before[0]) })
		if took > 2*time.Second {
			t.Errorf("%s: no answer at the VIP for %v", c.what, took)
		}
		now := slices.DeleteFunc(f.holders(), func(n string) bool { return n == before[0] })
		if len(now) != 1 {
			t.Errorf("%s: held by %v while %s stands still", c.what, now, before)
		}
		gap := f.outage(func() { c.on(f, before[0]) })
		if gap > 2*time.Second {
			t.Errorf("%s: no answer at the VIP for %v when %s went on", c.what, gap, before)
		}
		f.Wait(time.Minute, "one holds the VIP", f.held)
		f.Wait(formLimit, "all nodes formed", f.formed)
		f.oneHolder()
		table.add("F10", "the holder's "+c.what+" stood still", took, fmt.Sprintf("another has the VIP; %v without an answer when it went on; one holder by ARP afterwards", gap.Round(time.Second/10)))
	}
}

// freeze lets all processes of a machine stand still, or go on.
func (f *fleet) freeze(name string, still bool) {
	f.t.Helper()
	word := "0"
	if still {
		word = "1"
	}
	if err := os.WriteFile(filepath.Join(f.node(name).cgroup(), "cgroup.freeze"), []byte(word), 0); err != nil {
		f.fatal(err)
	}
}
