package imagebuild

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/imagebuild/payload"
	"slipway/imagebuild/sandbox"
)

// What a build does in a stage that is interrupted: mounts, files of other owners, children. Nothing of it may stay.
const mounting = `
mkdir "$1/work"; mount -t tmpfs tmpfs "$1/work"; : > "$1/work/inside"; mkdir "$1/root"; : > "$1/root/half"; chown 1:1 "$1/root/half"
sleep 1000 & : > "$2"; wait`

func TestInterruptedStage(t *testing.T) {
	b := testBuilder(t, func(*Options) {})
	started := filepath.Join(t.TempDir(), "started")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			if _, err := os.Stat(started); err == nil || t.Context().Err() != nil {
				cancel()
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	_, _, err := b.cache.Get(ctx, "tree", "k", func(ctx context.Context, dir string) error {
		return b.sandbox.Run(ctx, sandbox.Script{Name: "unpacking packages", Text: mounting, Args: []string{dir, started}})
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	left, err := filepath.Glob(filepath.Join(b.opt.Cache, "tree", "k*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left %v %v", left, err)
	}
	if mounts := text(t, "/proc/self/mounts"); strings.Contains(mounts, b.opt.Cache) {
		t.Errorf("a mount stayed:\n%s", mounts)
	}
	dir, hit, err := b.cache.Get(t.Context(), "tree", "k", func(ctx context.Context, dir string) error {
		return b.sandbox.Run(ctx, sandbox.Script{Name: "unpacking packages", Text: `: > "$1/whole"`, Args: []string{dir}})
	})
	if err != nil || hit {
		t.Fatalf("the next run: %v %v", hit, err)
	}
	text(t, filepath.Join(dir, "whole"))
}

func TestFullDiskSaysWhatToDo(t *testing.T) {
	b := testBuilder(t, func(*Options) {})
	_, _, err := b.cache.Get(t.Context(), "tree", "k", func(ctx context.Context, dir string) error {
		return b.sandbox.Run(ctx, sandbox.Script{
			Name: "unpacking packages", Text: `mount -t tmpfs -o size=64k tmpfs "$1"; head -c 1M /dev/zero > "$1/file"`, Args: []string{dir},
		})
	})
	if err == nil || !strings.HasPrefix(err.Error(), "unpacking packages: ") || !strings.Contains(err.Error(), "\nhint: free space where --cache and --output lie") {
		t.Errorf("got %v", err)
	}
}

func TestTreeNeedsOneKernel(t *testing.T) {
	b := testBuilder(t, func(*Options) {})
	b.lock = &Lock{}
	root := filepath.Join(b.opt.Cache, "tree", b.treeKeyOf(), "root")
	if err := os.MkdirAll(root, 0o755); err != nil { // a cached tree without any
		t.Fatal(err)
	}
	if err := b.unpackTree(t.Context()); err == nil || !strings.Contains(err.Error(), "want exactly one in the tree, found 0") {
		t.Errorf("got %v", err)
	}
}

func TestUnchangedDisk(t *testing.T) {
	path := file(t, "single.raw", "disk")
	record := filepath.Join(filepath.Dir(path), ".record")
	a, err := describe(path, "raw")
	if err != nil || a.Size != 4 || a.SHA256 != fmt.Sprintf("%x", sha256.Sum256([]byte("disk"))) {
		t.Fatalf("%+v %v", a, err)
	}
	if _, ok := unchanged(record, path, "key"); ok {
		t.Error("unchanged without a record")
	}
	if err := writeRecord(record, "key", a); err != nil {
		t.Fatal(err)
	}
	if got, ok := unchanged(record, path, "key"); !ok || got != a {
		t.Errorf("%+v %v", got, ok)
	}
	if _, ok := unchanged(record, path, "other"); ok {
		t.Error("unchanged though its inputs changed")
	}
	if err := os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, ok := unchanged(record, path, "key"); ok {
		t.Error("unchanged though somebody wrote to it")
	}
}

func TestOrigins(t *testing.T) {
	for want, item := range map[string]payload.Item{
		"gomod go.etcd.io/etcd@v3":    {Source: payload.SourceGomod, Modules: []string{"go.etcd.io/etcd", "second"}, Version: "v3"},
		"https://x/helm.gz sha256:aa": {Source: payload.SourceRelease, URL: "https://x/helm.gz", SHA256: "aa"},
		"file crictl sha256:bb":       {Source: payload.SourceFile, Path: "/somewhere/here/crictl", SHA256: "bb"},
		"slipway's own 3.10":          {Source: payload.SourceGomod, Version: "3.10"},
	} {
		if got := origin(item); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDamagedRootHash(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"root.squashfs": "root", "root.hash": "abc\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := openRoot(dir, "k"); err == nil || !strings.Contains(err.Error(), "not a root hash\nhint: remove "+dir) {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "root.hash"), []byte(strings.Repeat("0f", 32)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := openRoot(dir, "k")
	if err != nil || r.size != 4 || r.hash() != strings.Repeat("0f", 32) {
		t.Errorf("%+v %v", r, err)
	}
}

func TestMemory(t *testing.T) {
	var m memory
	io.WriteString(&m, "hello ")
	io.WriteString(&m, "world")
	got, err := io.ReadAll(io.NewSectionReader(m, 6, 100))
	if err != nil || string(got) != "world" {
		t.Errorf("%q %v", got, err)
	}
}
