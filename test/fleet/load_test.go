//go:build fleet && all

package fleet_test

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// busy keeps a machine's cores busy four times over, and its disk writing and waiting for it, for half a minute.
const busy = `for i in 1 2 3 4; do timeout 30 bash -c 'while :; do :; done' & done
timeout 30 bash -c 'while :; do dd if=/dev/zero of=/var/tmp/busy bs=16k count=100 oflag=dsync 2>/dev/null; done' &
wait; rm -f /var/tmp/busy`

// TestVIPUnderLoad: a holder that is merely busy keeps the VIP, and nobody takes it meanwhile, however short.
func TestVIPUnderLoad(t *testing.T) {
	f := newFleet(t, "testdata/dedicated-pair.yaml")
	f.Start()
	f.Wait(formLimit, "all nodes formed", f.formed)
	before, moves := f.holders(), f.moves()
	var all sync.WaitGroup
	for _, name := range []string{"lb1", "lb2", "cp1"} {
		all.Go(func() {
			if _, err := f.In(name, busy); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	f.Wait(time.Minute, "the API answers at its address", f.apiReady)
	if now := f.holders(); len(now) != 1 || now[0] != before[0] || f.moves() != moves {
		t.Errorf("held by %v, before by %v; states of keepalived before:\n%s\nand after:\n%s", now, before, moves, f.moves())
	}
}

// moves are all states that keepalived has entered, by balancer.
func (f *fleet) moves() string {
	f.t.Helper()
	var all []string
	for _, n := range f.with("lb") {
		said, err := f.In(n.name, "journalctl -b -u slipway-keepalived -o cat --no-pager | grep Entering")
		if err != nil {
			f.fatal(err)
		}
		all = append(all, n.name+":\n"+said)
	}
	return strings.Join(all, "\n")
}
