package firstboot

import (
	"slices"
	"testing"

	"slipway/firstboot/status"
)

// TestNeedsNetwork: the steps that wait for a pod network are in the plan, and no other step comes after one of them, so that
// all others are done without it.
func TestNeedsNetwork(t *testing.T) {
	w := newWorld(t, single(t))
	w.start()
	found := 0
	for _, s := range w.node.plan() {
		if status.NeedsNetwork(s.Name) {
			found++
			continue
		}
		if slices.ContainsFunc(s.After, status.NeedsNetwork) {
			t.Errorf("%s comes after %v", s.Name, s.After)
		}
	}
	if found != 2 {
		t.Errorf("%d of the steps are in the plan", found)
	}
}
