package distro

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// archive is a package with the given content at path below the mirror of "main".
func archive(name, content, path string) Package {
	return Package{
		Name: name, Version: "1.0-1", SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(content))), Size: int64(len(content)),
		Archive: "main", Path: path,
	}
}

// at are the places of packages at one mirror.
func at(url string) func(Package) []string {
	return func(p Package) []string { return Places(p, Mirrors{"main": url}, p.Path) }
}

// files are the names in a directory.
func files(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
