package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// carriedDaemon is a daemon that lies nowhere yet.
func carriedDaemon(cache string) ownProgram {
	data := []byte("the daemon")
	sum := sha256.Sum256(data)
	return ownProgram{name: daemonName, path: filepath.Join(cache, "programs", "slipwayd"), sha256: hex.EncodeToString(sum[:]), data: data}
}

func TestPlaceDaemon(t *testing.T) {
	d := carriedDaemon(t.TempDir())
	check := func() {
		t.Helper()
		got, err := os.ReadFile(d.path)
		if err != nil || string(got) != string(d.data) {
			t.Errorf("it holds %q, %v", got, err)
		}
		if info, err := os.Stat(d.path); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	}
	for range 2 {
		if err := d.place(); err != nil {
			t.Fatal(err)
		}
		check()
	}
	if err := os.WriteFile(d.path, []byte("damaged"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := d.place(); err != nil {
		t.Fatal(err)
	}
	check()
}

func TestNamedDaemon(t *testing.T) {
	cache := t.TempDir()
	_, err := findProgram(daemonName, filepath.Join(cache, "missing"), cache)
	var usage usageError
	if !errors.As(err, &usage) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing one: %v", err)
	}
	path := filepath.Join(cache, "mine")
	if err := os.WriteFile(path, []byte("abc"), 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := findProgram(daemonName, path, cache)
	if err != nil || d.path != path || d.data != nil {
		t.Errorf("got %+v, %v", d, err)
	}
	if left, err := os.ReadDir(cache); err != nil || len(left) != 1 {
		t.Errorf("looking for it wrote something: %v, %v", left, err)
	}
}
