package stage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Entry is one result in the cache: a folder, or a file of a stage that keeps files; or what a killed run left of one.
type Entry struct {
	Stage, Path string
	Used        time.Time // the last time that a build took it
	Dir         bool
	Size        int64 // of a file, in bytes
}

// Use notes that an entry was taken: Prune keeps it. Without the right to, it is made again some day.
func Use(path string, now time.Time) { os.Chtimes(path, time.Time{}, now) }

// Entries lists what the cache holds of some stages.
func (c Cache) Entries(stages ...string) ([]Entry, error) {
	var out []Entry
	for _, stage := range stages {
		all, err := os.ReadDir(filepath.Join(c.Dir, stage))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reading the cache: %w", err)
		}
		for _, e := range all {
			info, err := e.Info()
			if err != nil || strings.HasSuffix(e.Name(), ".lock") {
				continue // another process removed it
			}
			out = append(out, Entry{
				Stage: stage, Path: filepath.Join(c.Dir, stage, e.Name()), Used: info.ModTime(), Dir: e.IsDir(), Size: info.Size(),
			})
		}
	}
	return out, nil
}

// Prune removes the results of stages that were not used since the given time, and returns them. What another process
// makes or removes at the same time is left to it.
func (c Cache) Prune(ctx context.Context, since time.Time, stages ...string) ([]Entry, error) {
	all, err := c.Entries(stages...)
	if err != nil {
		return nil, err
	}
	var gone []Entry
	for _, e := range all {
		if !e.Used.Before(since) {
			continue
		}
		removed, err := c.remove(ctx, e, since)
		if err != nil {
			return gone, fmt.Errorf("pruning the cache: %w", err)
		}
		if removed {
			gone = append(gone, e)
		}
	}
	return gone, nil
}

// remove removes an entry, unless a build took it after it was listed.
func (c Cache) remove(ctx context.Context, e Entry, since time.Time) (bool, error) {
	if !e.Dir {
		if unused, err := isUnused(e.Path, since); err != nil || !unused {
			return false, err
		}
		err := os.Remove(e.Path)
		return err == nil, notThere(err)
	}
	whole := strings.TrimSuffix(e.Path, part)
	unlock, err := Locker{}.Lock(ctx, whole+".lock")
	if _, busy := errors.AsType[*BusyError](err); busy {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer unlock()
	if unused, err := isUnused(e.Path, since); err != nil || !unused {
		return false, err
	}
	if e.Path == whole { // half removed, it must not count as a result
		if err := c.Remove(ctx, whole+part); err != nil {
			return false, err
		}
		if err := os.Rename(whole, whole+part); err != nil {
			return false, notThere(err)
		}
	}
	return true, c.Remove(ctx, whole+part)
}

// isUnused says whether the entry is still there, and nobody used it since the given time.
func isUnused(path string, since time.Time) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, notThere(err)
	}
	return info.ModTime().Before(since), nil
}

func notThere(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
