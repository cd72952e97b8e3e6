package stage

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestPrune(t *testing.T) {
	c := newCache(t)
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	c.Now = func() time.Time { return now }
	dirs := map[string]string{}
	for _, key := range []string{"old", "used", "busy"} {
		dir, _, err := c.Get(t.Context(), "tree", key, write("x"))
		if err == nil {
			err = os.Chtimes(dir, time.Time{}, now)
		}
		if err != nil {
			t.Fatal(err)
		}
		dirs[key] = dir
	}
	now = now.Add(time.Hour)
	if _, hit, err := c.Get(t.Context(), "tree", "used", nil); err != nil || !hit {
		t.Fatalf("hit %v, %v", hit, err)
	}
	unlock, err := Locker{}.Lock(t.Context(), dirs["busy"]+".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	gone, err := c.Prune(t.Context(), now, "tree", "never made")
	if err != nil || len(gone) != 1 || gone[0].Path != dirs["old"] || gone[0].Stage != "tree" {
		t.Fatalf("%+v %v", gone, err)
	}
	for key, want := range map[string]bool{"old": false, "used": true, "busy": true} {
		if _, err := os.Stat(dirs[key]); (err == nil) != want {
			t.Errorf("%s: %v", key, err)
		}
	}
	if _, err := os.Stat(dirs["old"] + ".lock"); err == nil {
		t.Error("a lock stayed")
	}
}

// What killed runs left goes like the rest, and is no obstacle.
func TestPruneClearsWhatKilledRunsLeft(t *testing.T) {
	c := newCache(t)
	for _, dir := range []string{"made.part/half", "old", "old.part/half"} {
		if err := os.MkdirAll(filepath.Join(c.Dir, "tree", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Prune(t.Context(), time.Now().Add(time.Hour), "tree"); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(c.Dir, "tree")); err != nil || len(left) != 0 {
		t.Errorf("left %v %v", left, err)
	}
}

// A stage may keep files, as the pool of archives does.
func TestPruneFiles(t *testing.T) {
	c := newCache(t)
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	pool := filepath.Join(c.Dir, "pool")
	if err := os.Mkdir(pool, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, used := range map[string]time.Time{"a.deb": now.Add(-time.Hour), "b.deb": now} {
		if err := os.WriteFile(filepath.Join(pool, name), []byte("1234"), 0o644); err != nil {
			t.Fatal(err)
		}
		Use(filepath.Join(pool, name), used)
	}
	gone, err := c.Prune(t.Context(), now, "pool")
	if want := []Entry{{Stage: "pool", Path: filepath.Join(pool, "a.deb"), Used: gone[0].Used, Size: 4}}; err != nil || !slices.Equal(gone, want) {
		t.Errorf("%+v %v", gone, err)
	}
	if left, err := c.Entries("pool"); err != nil || len(left) != 1 || !left[0].Used.Equal(now) {
		t.Errorf("left %+v %v", left, err)
	}
}

// Many builds use a cache at once; who empties it does so alone.
func TestShare(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Locker{Who: "a build"}.Share(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Locker{}.Share(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	first()
	if _, err := (Locker{}).Lock(t.Context(), path); err == nil {
		t.Error("taken alone while another shares it")
	}
	second()
	alone, err := Locker{Who: "the pruner"}.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	var told string
	third, err := Locker{Wait: func(who string) { told = who; alone() }}.Share(t.Context(), path)
	if err != nil || told != "the pruner" {
		t.Fatalf("%q, %v", told, err)
	}
	third()
}

// What a build takes between the listing and the removal is kept: folder or file.
func TestPruneLooksAgain(t *testing.T) {
	c := newCache(t)
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	c.Now = func() time.Time { return now }
	dir, _, err := c.Get(t.Context(), "tree", "k", write("x"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(c.Dir, "tree", "a.deb")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	Use(dir, now.Add(-time.Hour))
	Use(file, now.Add(-time.Hour))
	listed, err := c.Entries("tree")
	if err != nil || len(listed) != 2 {
		t.Fatalf("%+v %v", listed, err)
	}
	if _, hit, err := c.Get(t.Context(), "tree", "k", nil); err != nil || !hit {
		t.Fatalf("hit %v, %v", hit, err)
	}
	Use(file, now)
	for _, e := range listed {
		if removed, err := c.remove(t.Context(), e, now); err != nil || removed {
			t.Errorf("%s: removed %v, %v", e.Path, removed, err)
		}
		if _, err := os.Stat(e.Path); err != nil {
			t.Error(err)
		}
	}
}

// Get does not give a result that went away while its use was noted.
func TestGetLooksAfterUse(t *testing.T) {
	c := newCache(t)
	dir, _, err := c.Get(t.Context(), "tree", "k", write("first"))
	if err != nil {
		t.Fatal(err)
	}
	c.Now = func() time.Time { // is asked between Get's first look and the note
		os.RemoveAll(dir)
		return time.Now()
	}
	if _, hit, err := c.Get(t.Context(), "tree", "k", write("second")); err != nil || hit {
		t.Errorf("hit %v, %v", hit, err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}
