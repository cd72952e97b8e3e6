// Package stage keeps the results of build stages by content: a stage's key is the hash of all its inputs, so what is
// there never goes stale and a half-made result is never seen. Start with Cache.Get; Cache.Prune removes what nobody uses.
package stage

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Cache is a directory of stage results: <dir>/<stage>/<key>/.
type Cache struct {
	Dir    string
	Remove func(ctx context.Context, dir string) error // how to remove a half-made tree; its files may belong to other ids
	Now    func() time.Time
	Locks  Locker // a stage that another process makes is waited for, or not
}

// part ends the name of a result that is not whole.
const part = ".part"

// Get returns the directory of the stage's result. When it is not there, make fills a fresh directory that gets its
// place only if make succeeds; on failure or cancellation nothing is left.
func (c Cache) Get(ctx context.Context, stage, key string, make func(ctx context.Context, dir string) error) (dir string, hit bool, err error) {
	dir = filepath.Join(c.Dir, stage, key)
	if c.used(dir) {
		return dir, true, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", false, fmt.Errorf("making the cache: %w", err)
	}
	unlock, err := c.Locks.Lock(ctx, dir+".lock")
	if err != nil {
		return "", false, err
	}
	defer unlock()
	if c.used(dir) { // another build finished it a moment ago
		return dir, true, nil
	}
	tmp := dir + part
	if err := c.Remove(ctx, tmp); err != nil {
		return "", false, fmt.Errorf("clearing an earlier attempt: %w", err)
	}
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return "", false, fmt.Errorf("making the cache: %w", err)
	}
	if err := make(ctx, tmp); err != nil {
		c.Remove(context.WithoutCancel(ctx), tmp)
		return "", false, Friendly(err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return "", false, fmt.Errorf("keeping a stage: %w", err)
	}
	return dir, false, nil
}

// used notes that a result was taken, and says whether it is there. It looks after that: a Prune that was about to remove
// it either sees the note or has it gone already.
func (c Cache) used(dir string) bool {
	Use(dir, c.Now())
	_, err := os.Stat(dir)
	return err == nil
}

// Key hashes any JSON-encodable inputs.
func Key(inputs ...any) string {
	sum := sha256.New()
	enc := json.NewEncoder(sum)
	for _, in := range inputs {
		if err := enc.Encode(in); err != nil {
			panic(fmt.Sprintf("stage key input %T cannot be encoded: %v", in, err))
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:16])
}

// Friendly adds the way out to errors that a person meets often.
func Friendly(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w\nhint: free space where --cache and --output lie; nothing half-written was left", err)
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w\nhint: is the folder yours to write?", err)
	}
	return err
}
