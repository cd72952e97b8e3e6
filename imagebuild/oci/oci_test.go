package oci

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"slipway/internal/golden"
)

var epoch = time.Unix(1_780_000_000, 0)

func binary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("\x7fELF not really"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func archive(t *testing.T, image Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if _, err := Write(&buf, image); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// list is an archive as text: mode, time, size, name, and a small member's content.
func list(t *testing.T, raw []byte) string {
	t.Helper()
	var b strings.Builder
	for r := tar.NewReader(bytes.NewReader(raw)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%o %d:%d %d %d %s\n", h.Mode, h.Uid, h.Gid, h.ModTime.Unix(), h.Size, h.Name)
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(content, []byte("{")) {
			fmt.Fprintf(&b, "  %s\n", content)
		}
	}
}

func TestGolden(t *testing.T) {
	for _, c := range []struct {
		file  string
		image Image
	}{
		{"pause.txt", Pause("3.10.2", binary(t), epoch)},
		{"coredns.txt", CoreDNS("v1.14.7", binary(t), epoch)},
	} {
		golden.Check(t, "testdata/"+c.file, list(t, archive(t, c.image)))
	}
}

func TestEqualInputsGiveEqualBytes(t *testing.T) {
	first, second := Pause("3.10.2", binary(t), epoch), Pause("3.10.2", binary(t), epoch.In(time.FixedZone("elsewhere", 3600)))
	if diff := cmp.Diff(list(t, archive(t, first)), list(t, archive(t, second))); diff != "" {
		t.Fatal(diff)
	}
	if !bytes.Equal(archive(t, first), archive(t, second)) {
		t.Fatal("same listing, other bytes")
	}
}

// TestForeignReader unpacks an archive and lets go-containerregistry check every digest and size.
func TestForeignReader(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "coredns.tar")
	digest, err := Save(path, CoreDNS("v1.14.7", binary(t), epoch))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	unpacked := extract(t, raw)
	index, err := layout.ImageIndexFromPath(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index, validate.Fast); err != nil { // not Fast, it takes every layer for gzip
		t.Fatal(err)
	}
	checkBlobs(t, unpacked)
	hash, err := v1.NewHash(digest)
	if err != nil {
		t.Fatal(err)
	}
	img, err := index.Image(hash)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if got := manifest.Layers[0].Digest; config.RootFS.DiffIDs[0] != got {
		t.Errorf("layer is %s, the config says %s", got, config.RootFS.DiffIDs[0])
	}
	want := v1.Config{User: "65532:65532", Entrypoint: []string{"/coredns"}, WorkingDir: "/"}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Error(diff)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left beside the archive: %v %v", entries, err)
	}
}

// checkBlobs compares every blob with its name.
func checkBlobs(t *testing.T, dir string) {
	t.Helper()
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs/sha256/*"))
	if err != nil || len(blobs) != 3 {
		t.Fatalf("blobs are %v, want manifest, config and layer: %v", blobs, err)
	}
	for _, b := range blobs {
		raw, err := os.ReadFile(b)
		if err != nil {
			t.Fatal(err)
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256(raw)); sum != filepath.Base(b) {
			t.Errorf("blob %s holds %s", filepath.Base(b), sum)
		}
	}
}

func extract(t *testing.T, raw []byte) string {
	t.Helper()
	dir := t.TempDir()
	for r := tar.NewReader(bytes.NewReader(raw)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(filepath.Join(dir, h.Name), 0o755)
		} else {
			var content []byte
			if content, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(filepath.Join(dir, h.Name), content, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestLayerNamesFoldersAbove(t *testing.T) {
	raw, err := layer(Image{Path: "/usr/bin/x", Binary: binary(t), Created: epoch})
	if err != nil {
		t.Fatal(err)
	}
	want := "755 0:0 1780000000 0 usr/\n755 0:0 1780000000 0 usr/bin/\n755 0:0 1780000000 15 usr/bin/x\n"
	if diff := cmp.Diff(want, list(t, raw)); diff != "" {
		t.Error(diff)
	}
}

func TestRefusals(t *testing.T) {
	good := Pause("3.10.2", binary(t), epoch)
	for want, change := range map[string]func(*Image){
		`path "pause" must be absolute`: func(i *Image) { i.Path = "pause" },
		`path "/a/../b" must be`:        func(i *Image) { i.Path = "/a/../b" },
		"no creation time":              func(i *Image) { i.Created = time.Time{} },
		"has no tag":                    func(i *Image) { i.Ref = "registry:5000/pause" },
		"no such file":                  func(i *Image) { i.Binary = "/nowhere/pause" },
	} {
		bad, dir := good, t.TempDir()
		change(&bad)
		_, err := Save(filepath.Join(dir, "x.tar"), bad)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: left %v", want, left)
		}
	}
}
