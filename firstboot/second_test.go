package firstboot

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"slipway/firstboot/journal"
)

// TestSecondMachine: what one machine of a name alone may run, a second one does not start while the first is heard, and the first
// starts again whatever the second does. A machine whom nobody answers does not know whether it is the second.
func TestSecondMachine(t *testing.T) {
	v := newVillage(t)
	first := v.homes["w1"]
	if who := first.alone(t.Context(), "kubelet"); !strings.Contains(who, "no answer from cp1 (not asked yet), cp2") {
		t.Errorf("before anybody answered it waits for %q", who)
	}
	v.meet("w1")
	if who := first.alone(t.Context(), "kubelet"); !strings.Contains(who, "within 4s") {
		t.Errorf("at once it waits for %q", who)
	}
	v.now = v.now.Add(listening)
	if who := first.alone(t.Context(), "kubelet"); who != "" {
		t.Errorf("alone it waits for %q", who)
	}
	if err := first.journal.Update(func(j *journal.Journal) { j.Steps = append(j.Steps, journal.Entry{Step: "kubelet"}) }); err != nil {
		t.Fatal(err)
	}
	v.wipe("w1")
	second := v.homes["w1"]
	second.meetAll(context.Background())
	first.meetAll(context.Background())
	v.now = v.now.Add(listening)
	if who := second.alone(t.Context(), "kubelet"); !strings.Contains(who, "the other machine with the name and key of this node, at 10.0.0.99, to go away") {
		t.Errorf("the second waits for %q", who)
	}
	if who := first.alone(t.Context(), "kubelet"); who != "" {
		t.Errorf("the first waits for %q", who)
	}
	if who := first.alone(t.Context(), "vip"); who == "" {
		t.Error("the first starts beside the second what it never ran")
	}
	v.now = v.now.Add(stale + time.Second)
	second.meetAll(context.Background())
	own := second.self.Address.Addr()
	second.Wire = &fakeWire{own: own, cards: map[netip.Addr][]string{own: {"c1"}}}
	if who := second.alone(t.Context(), "kubelet"); !strings.Contains(who, "its card is c1") {
		t.Errorf("with the first at its address, and not heard, the second waits for %q", who)
	}
	if at := second.elsewhere(t.Context()); !strings.Contains(at, own.String()+", with the card c1") {
		t.Errorf("the first is elsewhere at %q", at)
	}
	second.Wire = &fakeWire{own: own}
	if who := second.alone(t.Context(), "kubelet"); who != "" {
		t.Errorf("once the first is gone, the second waits for %q", who)
	}
}
