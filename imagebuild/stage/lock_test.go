package stage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Locker{Who: "process 71, which builds demo"}.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Locker{}.Lock(t.Context(), path)
	busy, ok := errors.AsType[*BusyError](err)
	if !ok || busy.ExitCode() != 4 || !strings.HasSuffix(err.Error(), "/lock is locked by process 71, which builds demo\nhint: wait for it to end, or use another folder") {
		t.Errorf("got %v", err)
	}
	unlock()
	if _, err := os.Stat(path); err == nil {
		t.Error("the file stayed")
	}
	if unlock, err = (Locker{}).Lock(t.Context(), path); err != nil {
		t.Fatalf("after unlocking: %v", err)
	}
	if _, err = (Locker{}).Lock(t.Context(), path); !strings.HasPrefix(err.Error(), "another slipway works here: ") || strings.Contains(err.Error(), " by ") {
		t.Errorf("a holder without a name: %v", err)
	}
	unlock()
	if _, err := (Locker{}).Lock(t.Context(), filepath.Join(path, "below", "nothing")); err == nil {
		t.Error("a lock that cannot be made was made")
	}
}

// Who waits says once for whom, and gets the lock when it is free.
func TestWaiting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Locker{Who: "the first"}.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	unlock2, err := Locker{Who: "the second", Wait: func(who string) { told = append(told, who); unlock() }}.Lock(t.Context(), path)
	if err != nil || len(told) != 1 || told[0] != "the first" {
		t.Fatalf("waited for %q: %v", told, err)
	}
	defer unlock2()
	ctx, cancel := context.WithCancel(t.Context())
	_, err = Locker{Wait: func(string) { cancel() }}.Lock(ctx, path)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// Of many that come at once, and that remove the file when they are done, one at a time works.
func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var inside, most atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				unlock, err := Locker{}.Lock(t.Context(), path)
				if err != nil {
					continue // busy
				}
				most.Store(max(most.Load(), inside.Add(1)))
				time.Sleep(20 * time.Microsecond)
				inside.Add(-1)
				unlock()
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("%d at once", most.Load())
	}
}

// Two builds that need the same stage: the second waits, and finds it made.
func TestGetWaits(t *testing.T) {
	c := newCache(t)
	var again string
	var hit bool
	var err2 error
	var wg sync.WaitGroup
	dir, _, err := c.Get(t.Context(), "tree", "k", func(ctx context.Context, dir string) error {
		waiting := make(chan struct{})
		c := c
		c.Locks.Wait = func(string) { close(waiting) }
		wg.Go(func() {
			again, hit, err2 = c.Get(ctx, "tree", "k", func(context.Context, string) error { return errors.New("made twice") })
		})
		<-waiting
		return write("once")(ctx, dir)
	})
	wg.Wait()
	if err != nil || err2 != nil || !hit || again != dir {
		t.Errorf("%v; %s %v %v", err, again, hit, err2)
	}
	if left := results(t, c); len(left) != 2 { // the folder and the file in it
		t.Errorf("left %v", left)
	}
}
