//go:build fleet

package fleet_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestVIP: a pair of balancers does not take an address that somebody else has, and says who that is; then it lives through the end
// of a program.
func TestVIP(t *testing.T) {
	f := newFleet(t, "testdata/dedicated-pair.yaml")
	leave := f.intrude(f.vip)
	announce(t, 10)
	f.Start()
	f.Wait(formLimit, "all formed but the balancers, which name the stranger", f.waitsForStranger)
	if now := f.holders(); !slices.Equal(now, []string{strangerCard}) {
		t.Fatalf("held by %v while a stranger has it", now)
	}
	leave()
	took := f.Wait(time.Minute, "the API answers at its address", f.answers)
	t.Logf("taken %v after the stranger left", took.Round(time.Second/10))
	f.Wait(formLimit, "all nodes formed", f.formed)
	f.oneHolder()

	for _, c := range []accident{
		{"an API server is killed", func(f *fleet) { f.kill("kube-apiserver", "cp2") }, 2 * time.Second, false},
		{"haproxy is killed", func(f *fleet) { f.kill("slipway-lb", f.holders()[0]) }, 4 * time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) { f.under(t).survives(c) })
	}
}

// accident is what happens to a fleet with a VIP.
type accident struct {
	name    string
	happens func(*fleet)
	limit   time.Duration // without an answer at the VIP
	moves   bool          // the VIP may
}

// survives demands that a fleet is as whole afterwards as before, and the VIP where it was unless it may move.
func (f *fleet) survives(a accident) {
	f.t.Helper()
	before := f.holders()
	took := f.outage(func() { a.happens(f) })
	f.t.Logf("no answer for at most %v", took.Round(time.Second/100))
	if took > a.limit {
		f.t.Errorf("no answer for %v", took)
	}
	f.Wait(formLimit, "all nodes formed", f.formed)
	if now := f.holders(); len(now) != 1 || !a.moves && !slices.Equal(now, before) {
		f.t.Errorf("held by %v, before by %v", now, before)
	}
}

// waitsForStranger says what is not so: both balancers name the stranger's card and the other cluster's router, and everybody else is done.
func (f *fleet) waitsForStranger() error {
	all, err := f.Statuses()
	var wrong []error
	for _, s := range all {
		if strings.HasPrefix(s.Node, "cp") {
			if !s.Serving && s.Step != "cluster" {
				wrong = append(wrong, fmt.Errorf("%s waits for %s: %s", s.Node, s.WaitingFor, s.LastError))
			}
			continue
		}
		if s.Step != "vip" || !strings.Contains(s.WaitingFor, strangerCard) {
			wrong = append(wrong, fmt.Errorf("%s is at %s, waiting for %s: %s", s.Node, s.Step, s.WaitingFor, s.LastError))
		}
		if !slices.ContainsFunc(s.Notices, func(n notice) bool { return n.Kind == "vrrp" && n.Name == gateway }) {
			wrong = append(wrong, fmt.Errorf("%s has no notice of the other router: %+v", s.Node, s.Notices))
		}
	}
	return errors.Join(append(wrong, err)...)
}

// kill ends a unit's processes at once.
func (f *fleet) kill(unit string, names ...string) {
	f.t.Helper()
	for _, name := range names {
		if _, err := f.In(name, "systemctl kill -s KILL "+unit); err != nil {
			f.fatal(err)
		}
	}
}
