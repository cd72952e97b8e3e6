package firstboot

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"slipway/firstboot/journal"
	"slipway/firstboot/status"
)

// TestAgain: a step that has to be done again and again waits, and does not fail, until it was enough or fails for real; what a
// finding carries is done, and not the step's own act.
func TestAgain(t *testing.T) {
	w := newWorld(t, single(t))
	j, err := journal.Open(Prefix(w.root), "demo/1")
	if err != nil {
		t.Fatal(err)
	}
	done, broken := 0, error(nil)
	do := func(context.Context) error {
		done++
		return broken
	}
	var last status.Document
	e := &Engine{Node: "n1", Clock: fakeClock{w}, Journal: j, Notices: func() []status.Notice { return nil }, Report: func(d status.Document) { last = d }, Steps: []Step{{
		Name: "many", Act: func(context.Context) error { return errors.New("not this") },
		Observe: func(context.Context) (Finding, error) {
			if done >= 3 {
				return OK(), nil
			}
			return NeedAgain("it to be done thrice", do), nil
		},
	}}}
	for want, state := range []status.State{1: status.Waiting, 2: status.Waiting, 3: status.Serving} {
		if want == 0 {
			continue
		}
		if err := e.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		if done != want || last.State != state || last.LastError != "" {
			t.Errorf("after %d: done %d times, %+v", want, done, last)
		}
		w.now = w.now.Add(e.pause())
	}
	done, broken = 0, errors.New("no luck")
	w.now = w.now.Add(time.Minute)
	if err := e.Pass(t.Context()); err != nil || last.State != status.Failed || last.LastError != "no luck" {
		t.Errorf("%v, %+v", err, last)
	}
}

// TestAtTheSameTime: a step that takes long keeps only those waiting that come after it, and what ends wakes what comes after
// it at once. When the daemon ends, so does every step before Run returns.
func TestAtTheSameTime(t *testing.T) {
	j, err := journal.Open(Prefix(t.TempDir()), "demo/1")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	said := map[string]status.State{}
	slow := make(chan struct{})
	ended := false
	done := func(context.Context) (Finding, error) { return OK(), nil }
	e := &Engine{Node: "n1", Clock: WallClock(time.Now), Journal: j, Notices: func() []status.Notice { return nil }, Report: func(d status.Document) {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range d.Steps {
			said[s.Name] = s.State
		}
	}, Steps: []Step{
		{Name: "slow", Observe: func(ctx context.Context) (Finding, error) {
			select {
			case <-slow:
				return OK(), nil
			case <-ctx.Done():
				ended = true
				return Finding{}, ctx.Err()
			}
		}},
		{Name: "after", After: []string{"slow"}, Observe: done},
		{Name: "stuck", Observe: func(ctx context.Context) (Finding, error) {
			<-ctx.Done()
			ended = true
			return Finding{}, ctx.Err()
		}},
		{Name: "other", Observe: done},
		{Name: "last", After: []string{"other"}, Observe: done},
	}}
	until := func(want map[string]status.State) {
		t.Helper()
		var have map[string]status.State
		for range 500 { // five seconds, half of what a step that is done is left in peace
			mu.Lock()
			have = maps.Clone(said)
			mu.Unlock()
			if maps.Equal(have, want) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("steps are %v, want %v", have, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error)
	go func() { over <- e.Run(ctx) }()
	until(map[string]status.State{"slow": status.Pending, "after": status.Pending, "stuck": status.Pending, "other": status.Done, "last": status.Done})
	close(slow)
	until(map[string]status.State{"slow": status.Done, "after": status.Done, "stuck": status.Pending, "other": status.Done, "last": status.Done})
	cancel()
	if err := <-over; !errors.Is(err, context.Canceled) || !ended {
		t.Errorf("Run = %v; the stuck step has ended: %v", err, ended)
	}
}

// TestSlowHost: a step that takes too long gets more time with each try, and what it had before once it ends in time.
func TestSlowHost(t *testing.T) {
	w := newWorld(t, single(t))
	j, err := journal.Open(Prefix(w.root), "demo/1")
	if err != nil {
		t.Fatal(err)
	}
	quick := false
	e := &Engine{Node: "n1", Clock: fakeClock{w}, Journal: j, Notices: func() []status.Notice { return nil }, Report: func(status.Document) {}}
	slow := Step{Name: "slow", Limit: time.Millisecond, Act: nothing, Observe: func(ctx context.Context) (Finding, error) {
		if quick {
			return OK(), nil
		}
		<-ctx.Done()
		return Finding{}, ctx.Err()
	}}
	e.Steps = []Step{slow}
	for _, want := range []time.Duration{2, 4, 8, 8, 8} {
		if err := e.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(time.Minute)
		if got := e.limit(slow); got != want*time.Millisecond {
			t.Errorf("the next try may take %s, want %d times the step's own", got, want)
		}
	}
	quick = true
	e.Steps[0].Limit = time.Minute
	if err := e.Pass(t.Context()); err != nil || e.limit(slow) != time.Millisecond {
		t.Errorf("in time: %v, and the next try may take %s", err, e.limit(slow))
	}
}
