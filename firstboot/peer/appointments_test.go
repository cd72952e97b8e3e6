package peer

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"slipway/node"
)

// TestAppointments: however many call, at once or for hours, a node hears some of them all the time and never many. One that calls
// after a quiet time, and one of few, is not told to wait.
func TestAppointments(t *testing.T) {
	const calm = 10 * time.Second
	for _, many := range []int{1, 150, 500, 5000} {
		var a appointments
		begin := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
		due := make([]time.Duration, many) // since then, in order: all call at once
		var calls []time.Duration
		for due[0] < time.Hour {
			now := due[0]
			calls = append(calls, now)
			next := now + max(calm, a.next(begin.Add(now)))
			at, _ := slices.BinarySearch(due, next)
			copy(due, due[1:at])
			due[at-1] = next
		}
		cycle := max(calm, time.Duration(many)*apart)
		first, _ := slices.BinarySearch(calls, 2*cycle)
		rate := float64(len(calls)-first) / (time.Hour - 2*cycle).Seconds()
		if want := float64(many) / cycle.Seconds(); rate < 0.95*want || rate > 1.02*want {
			t.Errorf("%d: %.1f calls a second, want %.1f", many, rate, want)
		}
		if last := due[many-1] - time.Hour; last > cycle+calm {
			t.Errorf("%d: one is expected in %s", many, last)
		}
		if again := a.next(begin.Add(2 * time.Hour)); again != 0 {
			t.Errorf("%d: after a quiet time one is told to wait for %s", many, again)
		}
	}
	var a appointments
	now := time.Now()
	for range 20000 {
		if again := a.next(now); again > longest {
			t.Fatalf("one is expected in %s", again)
		}
	}
}

// TestAgain: nodes that the config does not name are told when to come again, each at another time, and others are not.
func TestAgain(t *testing.T) {
	now := time.Now()
	l, ctx := newLab(t, Clock{Now: func() time.Time { return now }}), context.Background()
	key, _ := l.ca.issue(t, "w1")
	w1, n2 := l.client(l.n1, key), l.client(l.n1, l.caller)
	if err := w1.Introduce(ctx, node.SignedEntry{Body: "w1"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []time.Duration{0, time.Second, time.Second} { // 0, 50 and 100 ms, in whole seconds
		a, err := w1.Attest(ctx, Testimony{})
		list, _, err2 := w1.Nodes(ctx, "")
		same, changed, err3 := w1.Nodes(ctx, list.Tag)
		if err != nil || err2 != nil || err3 != nil || changed || a.List != list.Tag || a.Again != want || same.Again != time.Second {
			t.Errorf("w1 is to come again after %s, want %s, and %s for the list %s, said to be %s; %v, %v, %v", a.Again, want, same.Again, list.Tag, a.List, err, err2, err3)
		}
		if a, err := n2.Attest(ctx, Testimony{}); err != nil || a.Again != 0 {
			t.Errorf("n2 is to come again after %s, %v", a.Again, err)
		}
	}
	for text, want := range map[string]time.Duration{"": 0, "-1": 0, "soon": 0, "30": 30 * time.Second, "99999999999": longest} {
		if got := againOf(&http.Response{Header: http.Header{againHeader: {text}}}); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestOwnConnections: when all the places of others are taken there are still some for the nodes that the config names.
func TestOwnConnections(t *testing.T) {
	own := netip.MustParseAddr("10.0.0.11")
	l := newLimitedListener(nil, time.Now, addresses([]node.Node{{Name: "cp1", Address: netip.PrefixFrom(own, 24)}}))
	in := 0
	for i := range 2 * maxConnections {
		if l.enter(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})) {
			in++
		}
	}
	if in != maxConnections-keptForOwn || !l.enter(own) {
		t.Errorf("%d others were let in, and then there was no place for an own node", in)
	}
	l.leave(netip.AddrFrom4([4]byte{10, 1, 0, 0}))
	if l.enter(netip.MustParseAddr("10.2.0.1")) {
		t.Error("the place of one that left went to another, though an own node has it")
	}
}
