package pack

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A second run finds the first one at work; what a killed one left is taken over.
func TestTwoRuns(t *testing.T) {
	raw := rawFile(t)
	for name, o := range targets() {
		dir := t.TempDir()
		out := filepath.Join(dir, name)
		first, err := claim(filepath.Join(dir, "."+name+".part"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(first, strings.Repeat("half of it ", 1e6)); err != nil {
			t.Fatal(err)
		}
		f, _ := FormatOf(name)
		if _, err := File(t.Context(), raw, out, f, o); err == nil || exitCode(err) != 4 || !strings.Contains(err.Error(), "another slipway works here") {
			t.Errorf("%s: %v", name, err)
		}
		first.Close() // as if killed
		res, err := File(t.Context(), raw, out, f, o)
		if err != nil || res.SHA256 != mustPack(t, raw, name, o).SHA256 || names(t, dir) != name {
			t.Errorf("%s, after one was killed: %v, in the folder are %s", name, err, names(t, dir))
		}
	}
}

func TestForce(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "x.vmdk")
	for range 2 {
		if _, err := File(t.Context(), rawFile(t), out, VMDK, Options{Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, dir); got != "x.vmdk" {
		t.Errorf("in the folder are %s", got)
	}
}

// TestFailures is about work that fails: exit code 1, the way out where there is one, and what was there stays.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{syscall.ENOSPC, "no space left on device\nhint: free space there"},
		{syscall.EDQUOT, "disk quota exceeded\nhint: free space there"},
		{syscall.EFBIG, "file too large"},
		{syscall.EIO, "input/output error"},
	} {
		dir := t.TempDir()
		out := filepath.Join(dir, "x.ova")
		if err := os.WriteFile(out, []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
		err := replace(out, true, func(w *os.File) error {
			if _, err := io.WriteString(w, "half of it"); err != nil {
				t.Error(err)
			}
			return &os.PathError{Op: "write", Path: w.Name(), Err: c.err}
		})
		if err == nil || !strings.Contains(err.Error(), c.want) || exitCode(err) != 1 || !errors.Is(err, c.err) {
			t.Errorf("%v: %v", c.err, err)
		}
		if string(read(t, out)) != "old" || names(t, dir) != "x.ova" {
			t.Errorf("%v: in the folder are %s", c.err, names(t, dir))
		}
	}
}

// Somebody else makes the file, by other means, while it is packed.
func TestMadeMeanwhile(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "x.ova")
	err := replace(out, false, func(*os.File) error { return os.WriteFile(out, []byte("theirs"), 0o644) })
	if err == nil || exitCode(err) != 2 || string(read(t, out)) != "theirs" || names(t, dir) != "x.ova" {
		t.Errorf("%v, in the folder are %s", err, names(t, dir))
	}
}

// The hidden name may be somebody's trap.
func TestHiddenLink(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	if err := errors.Join(os.WriteFile(victim, []byte("whole"), 0o644), os.Symlink("victim", filepath.Join(dir, ".x.ova.part"))); err != nil {
		t.Fatal(err)
	}
	err := replace(filepath.Join(dir, "x.ova"), false, func(*os.File) error { return nil })
	if err == nil || exitCode(err) != 2 || string(read(t, victim)) != "whole" {
		t.Errorf("%v, the file holds %q", err, read(t, victim))
	}
}

// A name that belongs to another file meanwhile, or to none, is not ours any more.
func TestMine(t *testing.T) {
	name := filepath.Join(t.TempDir(), ".x.ova.part")
	f, err := claim(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !mine(f) {
		t.Error("a claimed file is not mine")
	}
	if err := os.Rename(name, name+"2"); err != nil {
		t.Fatal(err)
	}
	if mine(f) {
		t.Error("a file without its name is mine")
	}
	other, err := claim(name)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if mine(f) || !mine(other) {
		t.Error("the name belongs to the new file")
	}
}
