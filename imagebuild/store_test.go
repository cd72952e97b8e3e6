package imagebuild

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/stage"
)

// The pool keeps what builds use: an archive that is there already counts as used, too.
func TestArchivesInUseAreKept(t *testing.T) {
	b := testBuilder(t, func(*Options) {})
	used := distro.Package{Name: "jq", SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte("jq"))), Size: 2}
	b.lock = &Lock{Packages: []distro.Package{used}}
	old := b.opt.Now().Add(-KeepUnused - time.Hour)
	for path, content := range map[string]string{b.fetcher.PoolFile(used): "jq", b.fetcher.PoolFile(distro.Package{SHA256: "aa"}): "unused"} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		stage.Use(path, old)
	}
	if err := b.fetchPackages(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone, err := b.cache.Prune(t.Context(), b.opt.Now().Add(-KeepUnused), cachedStages()...)
	if err != nil || len(gone) != 1 || filepath.Base(gone[0].Path) != "aa.deb" {
		t.Errorf("gone %+v, %v", gone, err)
	}
}

// What Get and other makers keep in the cache is pruned: a new folder must be in the list.
func TestEveryStageIsPruned(t *testing.T) {
	b := keyed(t, program(t, "package main\n\nfunc main() { print(\"complete\") }\n"))
	keysOf(t, b, Artefact{}) // asks programs and makes container images
	made, err := os.ReadDir(b.opt.Cache)
	if err != nil || len(made) == 0 {
		t.Fatalf("%v %v", made, err)
	}
	for _, dir := range made {
		if !slices.Contains(cachedStages(), dir.Name()) {
			t.Errorf("nobody prunes %s", dir.Name())
		}
	}
}

func write1MiB(_ context.Context, dir string) error {
	return os.WriteFile(filepath.Join(dir, "file"), bytes.Repeat([]byte{1}, 1<<20), 0o600)
}

func TestUsageOfTrees(t *testing.T) {
	b := testBuilder(t, func(*Options) {})
	s := Store{Dir: b.opt.Cache, Sandbox: b.sandbox, Now: time.Now}
	_, _, err := b.cache.Get(t.Context(), "tree", "k", write1MiB)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := s.Usage(t.Context())
	if err != nil || len(parts) != 1 || parts[0].Stage != "tree" || parts[0].Entries != 1 || parts[0].Bytes < 1<<20 || parts[0].Bytes > 2<<20 {
		t.Errorf("%+v %v", parts, err)
	}
	if parts, err = s.Prune(t.Context(), 0); err != nil || len(parts) != 1 || parts[0].Bytes < 1<<20 {
		t.Errorf("%+v %v", parts, err)
	}
	if parts, err = s.Usage(t.Context()); err != nil || len(parts) != 0 {
		t.Errorf("left %+v %v", parts, err)
	}
}
