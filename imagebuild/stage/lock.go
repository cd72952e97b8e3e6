package stage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// Locker takes exclusive locks. A lock is a file that is there while somebody holds it and that names the holder.
type Locker struct {
	Who  string           // this process, for others: "process 71, which builds demo"
	Wait func(who string) // hears once for whom a lock waits; nil: a held lock is a BusyError
}

// patience is the pause between two looks at a lock that somebody holds.
const patience = 100 * time.Millisecond

// Lock takes the lock of path. The kernel frees it when the process dies; the file that stays then does no harm.
func (l Locker) Lock(ctx context.Context, path string) (unlock func(), err error) {
	return l.take(ctx, path, syscall.LOCK_EX)
}

// Share takes part in the lock of path: many may at once, but nobody while one holds it alone.
func (l Locker) Share(ctx context.Context, path string) (unlock func(), err error) {
	return l.take(ctx, path, syscall.LOCK_SH)
}

func (l Locker) take(ctx context.Context, path string, how int) (unlock func(), err error) {
	for looks := 1; ; looks++ {
		unlock, err := l.try(path, how)
		busy, held := errors.AsType[*BusyError](err)
		if !held || l.Wait == nil {
			return unlock, err
		}
		if looks == 2 { // at the first look the holder may not have written who it is, or be about to end
			l.Wait(cmp.Or(busy.Who, "another process"))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(patience):
		}
	}
}

// try takes the lock or says at once that somebody else has it. Between opening and locking, the last holder may have
// removed the file: then the lock is another file, and this one is nobody's.
func (l Locker) try(path string, how int) (unlock func(), err error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, fmt.Errorf("locking: %w", err)
		}
		err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if err == nil && !isAt(f, path) {
			f.Close()
			continue
		}
		if err != nil {
			return nil, errors.Join(refusal(f, path, err), f.Close())
		}
		f.Truncate(0)
		f.WriteString(l.Who)        // only for a person's eyes: a lock that cannot say who holds it is a lock all the same
		if how == syscall.LOCK_SH { // the file is the others', too
			return func() { f.Close() }, nil
		}
		return func() { os.Remove(path); f.Close() }, nil
	}
}

func isAt(f *os.File, path string) bool {
	a, err := f.Stat()
	b, err2 := os.Stat(path)
	return err == nil && err2 == nil && os.SameFile(a, b)
}

func refusal(f *os.File, path string, err error) error {
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("locking %s: %w", path, err)
	}
	who, _ := io.ReadAll(io.LimitReader(f, 200))
	return &BusyError{Path: path, Who: string(who)}
}

// BusyError: another process holds the lock.
type BusyError struct {
	Path string
	Who  string // "" when it did not say
}

func (e *BusyError) Error() string {
	by := ""
	if e.Who != "" {
		by = " by " + e.Who
	}
	return fmt.Sprintf("another slipway works here: %s is locked%s\nhint: wait for it to end, or use another folder", e.Path, by)
}

// ExitCode is the documented code for it.
func (*BusyError) ExitCode() int { return 4 }
