package testtool

import (
	"os"
	"path/filepath"
	"testing"
)

// stub is a test that records how it was ended.
type stub struct {
	testing.TB
	skipped, failed bool
}

func (*stub) Helper()                 {}
func (s *stub) Skipf(string, ...any)  { s.skipped = true }
func (s *stub) Fatalf(string, ...any) { s.failed = true; panic(s) }

// find calls Find and survives its end of the test.
func find(s *stub, name string) (path string) {
	defer func() {
		if r := recover(); r != nil && r != any(s) {
			panic(r)
		}
	}()
	return Find(s, name)
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	want := filepath.Join(dir, "no-such-checker")
	t.Setenv("PATH", dir)
	for _, c := range []struct {
		name, ci string
		install  bool
		end      stub
		path     string
	}{
		{name: "missing here", end: stub{skipped: true}},
		{name: "missing in CI", ci: "true", end: stub{failed: true}},
		{name: "installed", ci: "true", install: true, path: want},
	} {
		t.Setenv("CI", c.ci)
		if c.install {
			if err := os.WriteFile(want, []byte("#!/bin/sh\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		got := &stub{}
		if path := find(got, "no-such-checker"); path != c.path || *got != c.end {
			t.Errorf("%s: path %q, skipped %v, failed %v", c.name, path, got.skipped, got.failed)
		}
	}
}
