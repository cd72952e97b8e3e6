package vendored

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// put writes a file below dir.
func put(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// sources are files of every kind of source; pool has what is copied.
func sources(t *testing.T) (all []Source, pool string) {
	t.Helper()
	pool = t.TempDir()
	return []Source{
		{Path: "go/m/@v/v1.zip", From: put(t, pool, "v1.zip", "a module")},
		{Path: "archives/aa.deb", What: "package jq 1.7", SHA256: digestOf([]byte("an archive")), From: put(t, pool, "aa.deb", "an archive")},
		{Path: GoSumName, Data: []byte("m v1 h1:x\n")},
	}, pool
}

// filled is a folder of sources.
func filled(t *testing.T) (dir string, all []Source, w *Written) {
	t.Helper()
	all, _ = sources(t)
	dir = filepath.Join(t.TempDir(), "vendor")
	return dir, all, write(t, dir, all)
}

func write(t *testing.T, dir string, all []Source) *Written {
	t.Helper()
	w, err := Write(t.Context(), dir, Index{Cluster: "demo", Toolchain: Toolchain{Version: "go1.26.8"}}, all, Writing{})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// neighbours are the folder and what lies beside it.
func neighbours(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func inode(t *testing.T, path string) os.FileInfo {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st
}
