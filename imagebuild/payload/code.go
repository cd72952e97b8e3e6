package payload

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

// source is what this package does with an item, so that its digest can be part of the key: the digest of the whole
// program would do, but then every change of slipway would compile Kubernetes again.
//
//go:embed *.go templates ignition
var source embed.FS

// code is the digest of source files; tests are none.
func code(source fs.FS) string {
	sum := sha256.New()
	err := fs.WalkDir(source, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := fs.ReadFile(source, path)
		fmt.Fprintf(sum, "%q %x\n", path, sha256.Sum256(data))
		return err
	})
	if err != nil {
		panic(err) // an embedded file system can be read
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}
