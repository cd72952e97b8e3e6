package debian

import (
	"crypto/sha256"
	"fmt"
	"os"
	"testing"
)

// archive is a package with the given content at url.
func archive(name, content, url string) Package {
	return Package{Name: name, Version: "1.0-1", SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(content))), Size: int64(len(content)), URL: url}
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
