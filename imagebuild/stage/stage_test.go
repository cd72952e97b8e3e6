package stage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func newCache(t *testing.T) Cache {
	t.Helper()
	return Cache{Dir: t.TempDir(), Now: time.Now, Remove: func(ctx context.Context, dir string) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return os.RemoveAll(dir)
	}}
}

func write(text string) func(context.Context, string) error {
	return func(_ context.Context, dir string) error {
		return os.WriteFile(filepath.Join(dir, "result"), []byte(text), 0o644)
	}
}

// results lists what a cache holds apart from lock files.
func results(t *testing.T, c Cache) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(c.Dir, func(path string, d fs.DirEntry, err error) error {
		if path != c.Dir && path != filepath.Join(c.Dir, "tree") && !strings.HasSuffix(path, ".lock") {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestGetMakesOnce(t *testing.T) {
	c := newCache(t)
	dir, hit, err := c.Get(t.Context(), "tree", "k1", write("first"))
	if err != nil || hit {
		t.Fatalf("hit %v, error %v", hit, err)
	}
	again, hit, err := c.Get(t.Context(), "tree", "k1", func(context.Context, string) error { return errors.New("made twice") })
	if err != nil || !hit || again != dir {
		t.Fatalf("dir %s, hit %v, error %v", again, hit, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "result"))
	if err != nil || string(data) != "first" {
		t.Fatalf("%q, %v", data, err)
	}
	if _, hit, err := c.Get(t.Context(), "tree", "k2", write("second")); err != nil || hit {
		t.Errorf("another key: hit %v, error %v", hit, err)
	}
}

func TestGetFailureLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	for name, fail := range map[string]func(context.Context, string) error{
		"failure": func(ctx context.Context, dir string) error {
			return errors.Join(write("half")(ctx, dir), errors.New("no more"))
		},
		"cancel": func(ctx context.Context, dir string) error {
			cancel()
			return errors.Join(write("half")(ctx, dir), ctx.Err())
		},
		"full disk": func(ctx context.Context, dir string) error {
			return errors.Join(write("half")(ctx, dir), &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, ctx := newCache(t), ctx
			if name != "cancel" {
				ctx = t.Context()
			}
			_, _, err := c.Get(ctx, "tree", "k", fail)
			if err == nil {
				t.Fatal("no error")
			}
			if name == "cancel" && !errors.Is(err, context.Canceled) {
				t.Errorf("not a cancellation: %v", err)
			}
			if name == "full disk" && !strings.Contains(err.Error(), "\nhint: free space") {
				t.Errorf("no way out: %v", err)
			}
			if left := results(t, c); len(left) > 0 {
				t.Errorf("left %v", left)
			}
			if _, hit, err := c.Get(t.Context(), "tree", "k", write("whole")); err != nil || hit {
				t.Errorf("the next run: hit %v, error %v", hit, err)
			}
		})
	}
}

// A process that was killed leaves a half-made directory; the next one must not take it for a result.
func TestGetClearsWhatAKilledRunLeft(t *testing.T) {
	c := newCache(t)
	if err := os.MkdirAll(filepath.Join(c.Dir, "tree", "k.part", "old"), 0o755); err != nil {
		t.Fatal(err)
	}
	dir, _, err := c.Get(t.Context(), "tree", "k", write("new"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "old")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the half-made directory went into the result: %v", err)
	}
}

func TestKeyDependsOnEveryInput(t *testing.T) {
	base := Key("a", 1, []string{"x", "y"})
	if base != Key("a", 1, []string{"x", "y"}) || len(base) != 32 {
		t.Fatalf("key %q is not stable", base)
	}
	for _, other := range []string{Key("b", 1, []string{"x", "y"}), Key("a", 2, []string{"x", "y"}), Key("a", 1, []string{"xy"}), Key("a", 1)} {
		if other == base {
			t.Error("two inputs share a key")
		}
	}
}

func TestFriendly(t *testing.T) {
	for _, c := range []struct {
		err  error
		hint string
	}{
		{fmt.Errorf("writing x: %w", syscall.ENOSPC), "writing x: no space left on device\nhint: free space where --cache and --output lie"},
		{fmt.Errorf("writing x: %w", fs.ErrPermission), "writing x: permission denied\nhint: is the folder yours"},
	} {
		if got := Friendly(c.err); !strings.HasPrefix(got.Error(), c.hint) || !errors.Is(got, c.err) {
			t.Errorf("got %v", got)
		}
	}
	if plain := errors.New("plain"); Friendly(plain) != plain || Friendly(nil) != nil {
		t.Error("changed an error that needs no hint")
	}
}
