//go:build qemu

package qemu_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// checkPowerButton: the node powers off by itself when asked to.
func checkPowerButton(t *testing.T, n *node) {
	if how := n.down(t, "--timeout", "6m"); !strings.Contains(how, "n1: powered off") {
		t.Errorf("slipway qemu down: %s", how)
	}
}

// cut is a moment of the formation.
type cut struct {
	name string
	wait func(t *testing.T, n *node)
}

// firstCuts are moments of a first boot that only a whole machine has, before and while Ignition works, and the one at which a node
// begins to be a member. TestPowerCutAtEveryStep of test/fleet has the others.
func firstCuts() []cut {
	firstBoot := func(delay time.Duration) func(*testing.T, *node) {
		return func(t *testing.T, n *node) {
			n.waitSerial(t, bootLimit, `slipway: first boot`)
			time.Sleep(delay)
		}
	}
	return []cut{{"state is prepared", firstBoot(0)}, {"ignition", firstBoot(4 * time.Second)}, atStep("etcd")}
}

func atStep(step string) cut {
	return cut{"step " + step, func(t *testing.T, n *node) {
		n.WaitStatus(t, serveLimit, "at step "+step, func(s status) bool { return s.reached(step) })
	}}
}

// cutAt cuts the power of a machine that is on, again and again, each time further on, and leaves it on.
func (n *node) cutAt(t *testing.T, cuts []cut) {
	t.Helper()
	for _, c := range cuts {
		c.wait(t, n)
		n.down(t, "--hard")
		t.Logf("cut: %s", c.name)
		n.up(t)
	}
}

// checkFormed: the journal is whole and says so; the status has no step left.
func checkFormed(t *testing.T, n *node) {
	n.must(t, `jq -e '.formed == true and (.steps | length) > 0' /var/lib/slipway/journal.json`)
	all := n.statuses(t)
	if len(all) == 0 || !all[len(all)-1].Formed || !all[len(all)-1].Serving {
		t.Fatalf("the last status is not one of a node that serves: %+v", all[max(0, len(all)-1):])
	}
	last := all[len(all)-1]
	if i := slices.IndexFunc(last.Steps, func(s struct{ Name, State string }) bool { return s.State != "done" }); i >= 0 {
		t.Errorf("step %s is %s", last.Steps[i].Name, last.Steps[i].State)
	}
}
