package vendored

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/dirhash"

	"slipway/imagebuild/payload"
)

// goSum is what go.sum files say: "module version" -> checksum; a version may end in /go.mod.
type goSum map[string]string

const ofGoMod = "/go.mod"

func (s goSum) add(text string) error {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 {
			return fmt.Errorf("reading go.sum: %q is no line of one", strings.TrimSpace(line))
		}
		at := f[0] + " " + f[1]
		if was := s[at]; was != "" && was != f[2] {
			return fmt.Errorf("reading go.sum: %s has two checksums, %s and %s", at, was, f[2])
		}
		s[at] = f[2]
	}
	return nil
}

func (s goSum) text() []byte {
	var b strings.Builder
	for _, at := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%s %s\n", at, s[at])
	}
	return []byte(b.String())
}

// ModuleSources are the files of a module proxy that has what several items need, and their go.sum. asked are the modules
// of items themselves, at their versions, as module@version: of those go asks the proxy when they were made, too.
func ModuleSources(all []payload.Needs, asked []string) ([]Source, error) {
	sums, cache := goSum{}, ""
	for _, n := range all {
		if err := sums.add(n.GoSum); err != nil {
			return nil, err
		}
		cache = n.Cache
	}
	out := []Source{{Path: GoSumName, Data: sums.text()}, {Path: sumdbSupported, Data: []byte{}}}
	add := func(path, version, kind, sum string) error {
		name, err := payload.ProxyFile(path, version, kind)
		if err != nil {
			return err
		}
		s := Source{Path: Modules + "/" + name, From: filepath.Join(cache, filepath.FromSlash(name))}
		if sum != "" {
			s.Verify = func(file string) error { return checkSum(file, kind, sum) }
		}
		out = append(out, s)
		return nil
	}
	for _, at := range slices.Sorted(maps.Keys(sums)) {
		path, version, _ := strings.Cut(at, " ")
		kind := "zip"
		if v, ok := strings.CutSuffix(version, ofGoMod); ok {
			version, kind = v, "mod"
		}
		if err := add(path, version, kind, sums[at]); err != nil {
			return nil, err
		}
	}
	for _, at := range asked {
		path, version, _ := strings.Cut(at, "@")
		if err := add(path, version, "info", ""); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// checkSum holds a file of go's cache against its checksum: disks rot, and others may write there.
func checkSum(file, kind, want string) error {
	got, err := dirhash.HashZip(file, dirhash.Hash1)
	if kind == "mod" {
		got, err = dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return os.Open(file) })
	}
	if err == nil && got != want {
		err = errors.New("its checksum is " + got + ", and go.sum says " + want)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w\nhint: go's module cache is damaged: go clean -modcache empties it", err)
	}
	return err
}
