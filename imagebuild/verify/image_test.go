package verify

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/imagebuild/verify/verifytest"
	"slipway/internal/testtool"
)

func TestOpen(t *testing.T) {
	b, hash := build(t, func(*verifytest.Recipe) {})
	i, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if i.Kernel != "7.2.12" || i.Cmdline != "ro" || i.RootHash != hash || i.RootBytes < 1000 || i.BootBytes < 1000 {
		t.Errorf("%+v", i)
	}
	var names []string
	for _, p := range i.Boot {
		names = append(names, p.Name)
		if want := fmt.Sprintf("%x", sha256.Sum256([]byte("\x28\xb5\x2f\xfd initrd"))); p.Name == "initrd" && (p.SHA256 != want || p.Size != 11) {
			t.Errorf("%+v, want %s", p, want)
		}
	}
	if got := strings.Join(names, " "); got != "initrd kernel loader osrel stub uname" {
		t.Errorf("parts of the boot file: %s", got)
	}
	tree, found := verifytest.Tree(), map[string]string{}
	err = i.Files(func(e Entry) error {
		if e.Mode.IsRegular() {
			sum, err := e.Sum()
			found[e.Path[1:]] = sum
			return err
		}
		if _, err := e.Sum(); err == nil {
			t.Errorf("%s has a digest", e.Path)
		}
		return nil
	})
	if err != nil || !slices.Equal(slices.Sorted(maps.Keys(found)), slices.Sorted(maps.Keys(tree))) {
		t.Fatalf("%v: %v", err, found)
	}
	for name, f := range tree {
		if want := fmt.Sprintf("%x", sha256.Sum256(f.Data)); found[name] != want {
			t.Errorf("%s: %s, want %s", name, found[name], want)
		}
	}
	if text, err := fs.ReadFile(i.Root(), "etc/machine-id"); err != nil || string(text) != "uninitialized\n" {
		t.Errorf("%q, %v", text, err)
	}
	enough := errors.New("enough")
	if err := i.Files(func(Entry) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func TestOpenOfNoImage(t *testing.T) {
	good, _ := build(t, func(*verifytest.Recipe) {})
	for want, spoil := range map[string]func([]byte) []byte{
		"an image of 5 bytes is none":    func([]byte) []byte { return []byte("hello") },
		"the file system is not":         func(b []byte) []byte { b[verifytest.RootAt] ^= 1; return b },
		"reading EFI system partition: ": func(b []byte) []byte { b[verifytest.ESPAt] ^= 1; return b },
	} {
		b := spoil(bytes.Clone(good))
		if _, err := Open(bytes.NewReader(b), int64(len(b))); err == nil || !strings.HasPrefix(err.Error(), "opening the image: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestModes: what mksquashfs packs is told as it is, what runs as another user too.
func TestModes(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte("slipway "), 100_000) // many blocks and a tail
	for name, mode := range map[string]fs.FileMode{"plain": 0o640, "su": 0o755 | fs.ModeSetuid, "wall": 0o755 | fs.ModeSetgid} {
		if err := os.WriteFile(filepath.Join(dir, "in", name), large, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, "in", name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("plain", filepath.Join(dir, "in", "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "in", "tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "in", "tmp"), 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	packed := filepath.Join(dir, "root.squashfs")
	if out, err := exec.Command(testtool.Find(t, "mksquashfs"), filepath.Join(dir, "in"), packed, "-comp", "zstd", "-all-root", "-quiet", "-no-progress").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := openSquashfs(io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b))))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err = (&Image{root: tree}).Files(func(e Entry) error {
		got[e.Path] = fmt.Sprint(e.Mode, " ", e.UID, " ", e.Target)
		if e.Mode.IsRegular() {
			sum, err := e.Sum()
			if want := fmt.Sprintf("%x", sha256.Sum256(large)); sum != want {
				t.Errorf("%s: %s, want %s: %v", e.Path, sum, want, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/plain": "-rw-r----- 0 ", "/su": "urwxr-xr-x 0 ", "/wall": "grwxr-xr-x 0 ", "/link": "Lrwxrwxrwx 0 plain", "/tmp": "dtrwxrwxrwx 0 ",
	} {
		if got[path] != want {
			t.Errorf("%s: %q, want %q", path, got[path], want)
		}
	}
}
