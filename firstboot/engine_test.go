package firstboot

import (
	"context"
	"errors"
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
