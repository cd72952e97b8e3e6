//go:build qemu

package qemu_test

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"slipway/internal/testtool"
)

//go:embed testdata
var testdata embed.FS

// lab is the work folder with the one image that all tests share.
type lab struct {
	bin  string // folder of the binaries
	dir  string
	spec string // the spec, in dir
	out  string // image and node config, in dir
}

// sharedLab builds everything at the first call.
var sharedLab = sync.OnceValues(buildLab)

func theLab(t *testing.T) *lab {
	t.Helper()
	l, err := sharedLab()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func buildLab() (*lab, error) {
	bin, err := testtool.Folder("SLIPWAY_BIN", "../../bin")
	if err != nil {
		return nil, err
	}
	dir, err := testtool.Folder("SLIPWAY_TEST_DIR", "../../out/test")
	if err != nil {
		return nil, err
	}
	l := &lab{bin: bin, dir: dir, spec: "cluster.yaml", out: "out"}
	if _, err := os.Stat(filepath.Join(bin, "slipway")); err != nil {
		return nil, fmt.Errorf("looking for the slipway binary: %w\nhint: build it, or set SLIPWAY_BIN", err)
	}
	for _, name := range []string{"cluster.yaml", "check.bu", "agent.sh"} {
		if err := l.install(name); err != nil {
			return nil, err
		}
	}
	for _, args := range [][]string{
		{"pki", "init", "-f", l.spec},
		{"build", "-f", l.spec, "-o", l.out},
		{"ignition", "-f", l.spec, "-o", l.out},
	} {
		if _, err := l.run(context.Background(), args...); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// install puts a file of testdata into the lab, unless it is there: its age must not change for nothing.
func (l *lab) install(name string) error {
	data, err := testdata.ReadFile("testdata/" + name)
	if err != nil {
		return err
	}
	path := filepath.Join(l.dir, name)
	if old, err := os.ReadFile(path); err == nil && string(old) == string(data) {
		return nil
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
