//go:build fleet

package fleet_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// backLimit is many times what a member needs to come back.
const backLimit = 3 * time.Minute

// TestMembersComeBack: one machine is dead on arrival and comes late, one comes back wiped, one after a power cut; and
// when all three come back wiped, the balancer and the worker remember, and no second cluster is formed.
func TestMembersComeBack(t *testing.T) {
	f := newFleet(t, "testdata/dedicated.yaml")
	back := func(what string) {
		t.Helper()
		took := f.Wait(backLimit, what, func() error { return errors.Join(f.formed(), f.whole(3)) })
		t.Logf("%s: after %v", what, took.Round(time.Second/10))
	}

	f.Start("lb1", "cp1", "cp2", "w1")
	took := f.Wait(formLimit, "two of three form", func() error { return errors.Join(f.formed(), f.voters(2)) })
	t.Logf("formed with two: after %v", took.Round(time.Second/10))
	if _, err := f.etcdctl("cp1", "put before 1"); err != nil {
		t.Fatal(err)
	}
	f.Start("cp3")
	back("the third comes late")

	f.slipway("replace", "-f", f.spec, "-o", f.dir, "cp3")
	f.PowerCut("cp3")
	f.Wipe("cp3")
	f.Start("cp3")
	back("it comes back wiped")

	f.PowerCut("cp2")
	if said, err := f.image.run(f.dir, f.image.slipway(), "replace", "-f", f.spec, "-o", f.dir, "cp3"); err == nil || !strings.Contains(err.Error(), "the etcd member cp2 is not healthy, and is needed meanwhile") {
		t.Errorf("cp3 may be replaced while cp2 is off: %s, %v", said, err)
	}
	f.Start("cp2")
	back("one has its power cut")
	for _, name := range []string{"cp1", "cp2", "cp3"} {
		if got, err := f.etcdctl(name, "get before --print-value-only --consistency=s"); err != nil || got != "1" {
			t.Errorf("%s has %q, %v", name, got, err)
		}
	}

	members := []string{"cp1", "cp2", "cp3"}
	f.PowerCut(members...)
	f.Wipe(members...)
	time.Sleep(12 * time.Second) // longer than between two calls of calm times, as any wipe takes
	f.Start(members...)
	f.Wait(time.Minute, "all three say that they were wiped", func() error {
		all, err := f.Statuses()
		for _, s := range all {
			if strings.HasPrefix(s.Node, "cp") && !strings.Contains(s.WaitingFor, "before it was wiped") {
				err = errors.Join(err, fmt.Errorf("%s waits for %s: %s", s.Node, s.WaitingFor, s.LastError))
			}
		}
		return err
	})
	time.Sleep(25 * time.Second) // the grace period is over
	for _, name := range members {
		if logs, _ := filepath.Glob(filepath.Join(f.node(name).dir, "var/lib/etcd/member/wal/*")); len(logs) > 0 {
			t.Errorf("%s has begun a second cluster", name)
		}
	}
}

// voters demands that many members that have a vote, and have told the others that they started.
func (f *fleet) voters(want int) error {
	said, err := f.etcdctl("cp1", "member list -w simple")
	if n := strings.Count(said, ":2379, false"); err == nil && n != want {
		err = fmt.Errorf("%d voters:\n%s", n, said)
	}
	return err
}
