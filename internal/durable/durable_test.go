package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// contents are the files of a folder, hidden ones too.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[e.Name()] = string(data)
	}
	return found
}

func check(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	got := contents(t, dir)
	if len(got) != len(want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
	for name, data := range want {
		if got[name] != data {
			t.Errorf("%s is %q, want %q", name, got[name], data)
		}
	}
}

func TestWriteReplacesWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	for _, data := range []string{"a long first version", "second"} {
		if err := Write(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		check(t, dir, map[string]string{"key": data})
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestFailedFillLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "disk")
	if err := Write(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := Fill(path, 0o644, func(f *os.File) error {
		if _, err := f.WriteString("half"); err != nil {
			return err
		}
		if f.Name() == path {
			t.Error("it is filled under its own name")
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	check(t, dir, map[string]string{"disk": "old"})
}

// TestWriteAllIsAllOrNone: the last of three cannot be staged, so the first two must not appear.
func TestWriteAllIsAllOrNone(t *testing.T) {
	dir := t.TempDir()
	files := []File{{"a", 0o600, Content([]byte("1"))}, {"b", 0o600, Content([]byte("2"))}, {"missing/c", 0o600, Content([]byte("3"))}}
	if err := WriteAll(dir, files); err == nil {
		t.Error("a file in a missing folder was written")
	}
	check(t, dir, nil)
	if err := WriteAll(dir, files[:2]); err != nil {
		t.Fatal(err)
	}
	check(t, dir, map[string]string{"a": "1", "b": "2"})
	want := map[string]string{"a": "1", "b": "2"}
	var more []File // as many as are synced together
	for i := range many {
		name := fmt.Sprint("n", i)
		more, want[name] = append(more, File{name, 0o600, Content([]byte(name))}), name
	}
	if err := WriteAll(dir, append(more, files[2])); err == nil {
		t.Error("a file in a missing folder was written")
	}
	check(t, dir, map[string]string{"a": "1", "b": "2"})
	if err := WriteAll(dir, more); err != nil {
		t.Fatal(err)
	}
	check(t, dir, want)
}

func TestDigest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "abc")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	// FIPS 180-2, appendix B.1.
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if got, err := Digest(path); err != nil || got != want {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := Digest(path + ".missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}
