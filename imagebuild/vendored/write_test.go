package vendored

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/internal/golden"
)

func TestWriteThenCheck(t *testing.T) {
	dir, _, w := filled(t)
	if w.Files != 3 || w.Copied != 3 || w.Bytes != 28 || w.CopiedBytes != 28 || w.Removed != 0 || neighbours(t, dir) != "vendor" {
		t.Errorf("%+v, beside it %s", w, neighbours(t, dir))
	}
	index, err := os.ReadFile(filepath.Join(dir, IndexName))
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/vendor.json", index)
	r, err := Check(t.Context(), dir)
	if err != nil || len(r.Problems) != 0 || r.SHA256 != w.SHA256 || r.Files != 3 || r.Bytes != 28 || r.Go != "go1.26.8" || r.Cluster != "demo" {
		t.Errorf("%+v %v", r, err)
	}
}

// Run again, only what is new, missing or damaged is copied: the rest is the same file, at no cost.
func TestWriteAgain(t *testing.T) {
	for name, c := range map[string]struct {
		change          func(dir string, all []Source) []Source
		copied, removed int
	}{
		"nothing": {func(_ string, all []Source) []Source { return all }, 0, 0},
		"one more": {func(_ string, all []Source) []Source {
			return append(all, Source{Path: "downloads/bb", Data: []byte("b")})
		}, 1, 0},
		"one less": {func(_ string, all []Source) []Source { return all[1:] }, 0, 1},
		"a text of ours": {func(_ string, all []Source) []Source {
			all[2].Data = []byte("m v2 h1:y\n")
			return all
		}, 1, 0},
		"a missing file": {func(dir string, all []Source) []Source {
			os.Remove(filepath.Join(dir, all[0].Path))
			return all
		}, 1, 0},
		"a damaged file": {func(dir string, all []Source) []Source {
			os.WriteFile(filepath.Join(dir, all[0].Path), []byte("a m0dule"), 0o644)
			return all
		}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir, all, _ := filled(t)
			before := inode(t, filepath.Join(dir, "archives/aa.deb"))
			w := write(t, dir, c.change(dir, all))
			if w.Copied != c.copied || w.Removed != c.removed || neighbours(t, dir) != "vendor" {
				t.Errorf("%+v, beside it %s", w, neighbours(t, dir))
			}
			if !os.SameFile(before, inode(t, filepath.Join(dir, "archives/aa.deb"))) {
				t.Error("what was there already was copied")
			}
			if r, err := Check(t.Context(), dir); err != nil || len(r.Problems) != 0 || r.SHA256 != w.SHA256 {
				t.Errorf("%+v %v", r, err)
			}
		})
	}
}

// Whatever ends a run, the folder is what it was, or is not there, and nothing lies beside it.
func TestFailedWriteChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(cancel func(), s *Source)
		want  string
	}{
		"interrupted": {func(cancel func(), s *Source) {
			s.Fill = func(ctx context.Context, _ string) error { cancel(); return ctx.Err() }
		}, "context canceled"},
		"interrupted before": {func(cancel func(), _ *Source) { cancel() }, "context canceled"},
		"no source":          {func(_ func(), s *Source) { s.From += ".gone" }, "vendoring z (what it is): open "},
		"another digest":     {func(_ func(), s *Source) { s.SHA256 = "00" }, "sha256 is"},
		"another checksum": {func(_ func(), s *Source) {
			s.Verify = func(string) error { return errors.New("its checksum is h1:x") }
		}, "vendoring z (what it is): its checksum is h1:x"},
	} {
		for _, there := range []bool{true, false} {
			dir, all, w := filled(t)
			if !there {
				os.RemoveAll(dir)
			}
			ctx, cancel := context.WithCancel(t.Context())
			s := Source{Path: "z", What: "what it is", From: put(t, t.TempDir(), "z", "z")}
			c.spoil(cancel, &s)
			_, err := Write(ctx, dir, Index{}, append(all, s), Writing{})
			cancel()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
			if want := map[bool]string{true: "vendor", false: ""}[there]; neighbours(t, dir) != want {
				t.Errorf("%s: left %q", name, neighbours(t, dir))
			}
			if r, err := Check(t.Context(), dir); there && (err != nil || r.SHA256 != w.SHA256 || len(r.Problems) > 0) {
				t.Errorf("%s: the folder is now %+v %v", name, r, err)
			}
		}
	}
}

// What a killed run left beside the folder is cleared, and a folder that it had moved aside comes back.
func TestKilledRun(t *testing.T) {
	dir, all, before := filled(t)
	put(t, beside(dir, "part"), "archives/half", "half")
	if err := os.Rename(dir, beside(dir, "old")); err != nil {
		t.Fatal(err)
	}
	w := write(t, dir, all)
	if w.Copied != 0 || w.SHA256 != before.SHA256 || neighbours(t, dir) != "vendor" {
		t.Errorf("%+v, beside it %s", w, neighbours(t, dir))
	}
}

// Where the file system cannot exchange two folders, the old one steps aside.
func TestRecoverOldClearsWhatIsReplaced(t *testing.T) {
	dir, _, _ := filled(t)
	put(t, beside(dir, "old"), "x", "x")
	if err := recoverOld(dir); err != nil || neighbours(t, dir) != "vendor" {
		t.Errorf("%v, left %s", err, neighbours(t, dir))
	}
}

// A folder of somebody else's, like Go's own vendor, is not replaced; nor is a file of the user's in ours lost.
func TestNotOurs(t *testing.T) {
	for name, c := range map[string]struct{ file, content, want string }{
		"Go's vendor":       {"modules.txt", "", "it is there and has no vendor.json"},
		"a file":            {"", "", "not a directory"},
		"a broken index":    {IndexName, "{", "its vendor.json cannot be read"},
		"somebody's newer":  {IndexName, `{"version": 2}`, "its vendor.json cannot be read"},
		"a file beside it":  {"notes.txt", "mine", "it has files that are not ours: notes.txt"},
		"a path out of it":  {IndexName, `{"version": 1, "files": [{"path": "../x"}]}`, "cannot be read"},
		"its index as file": {IndexName, `{"version": 1, "files": [{"path": "vendor.json"}]}`, "cannot be read"},
	} {
		all, _ := sources(t)
		dir := filepath.Join(t.TempDir(), "vendor")
		switch {
		case c.file == "":
			put(t, filepath.Dir(dir), "vendor", "a file")
		case c.file == "notes.txt":
			write(t, dir, all)
			fallthrough
		default:
			put(t, dir, c.file, c.content)
		}
		_, err := Write(t.Context(), dir, Index{}, all, Writing{})
		e, ok := errors.AsType[*NotOursError](err)
		if !ok || e.ExitCode() != 2 || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "\nhint: ") {
			t.Errorf("%s: %v", name, err)
		}
		if c.file != "" {
			if data, err := os.ReadFile(filepath.Join(dir, c.file)); err != nil || string(data) != c.content {
				t.Errorf("%s: now %q %v", name, data, err)
			}
		}
	}
}

func TestBusyFolder(t *testing.T) {
	dir, all, _ := filled(t)
	unlock, err := Writing{}.Locks.Lock(t.Context(), beside(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := Write(t.Context(), dir, Index{}, all, Writing{}); err == nil || !strings.Contains(err.Error(), "another slipway works here") {
		t.Errorf("got %v", err)
	}
}
