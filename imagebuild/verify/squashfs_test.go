package verify

import (
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"slipway/imagebuild/disk"
	"slipway/imagebuild/verify/verifytest"
	"slipway/internal/testtool"
)

// rootImage is the squashfs of a good disk.
func rootImage(t *testing.T) []byte {
	t.Helper()
	b, _ := build(t, func(*verifytest.Recipe) {})
	return bytes.Clone(b[verifytest.RootAt:verifytest.TreeAt])
}

func open(b []byte) (*rootTree, error) {
	return openSquashfs(io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b))))
}

// TestSuperblock changes the numbers that a reader takes memory by.
func TestSuperblock(t *testing.T) {
	good := rootImage(t)
	for name, c := range map[string]struct {
		at   int
		b    []byte
		want string
	}{
		"magic":       {0, []byte("h"), ""},
		"not ours":    {0, []byte("x"), "the file system is not squashfs"},
		"block size":  {12, []byte{0, 0, 0, 0x80}, "blocks of 2147483648 bytes"},
		"no blocks":   {12, []byte{0, 0, 0, 0}, "blocks of 0 bytes"},
		"block log":   {22, []byte{11}, "2 to the power of 11"},
		"fragments":   {16, []byte{0xff, 0xff, 0xff, 0x7f}, "2147483647 fragment blocks, and 65536 can be read"},
		"compression": {20, []byte{4}, "compression 4: gzip and zstd can be read"},
		"size":        {45, []byte{1}, "bytes in a partition of 2097152"},
	} {
		b := bytes.Clone(good)
		copy(b[c.at:], c.b)
		_, err := open(b)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestDamagedTree changes bytes all over the file system, whose reader must neither panic nor walk for ever.
func TestDamagedTree(t *testing.T) {
	good := rootImage(t)
	used := binary.LittleEndian.Uint64(good[40:])
	r := rand.New(rand.NewPCG(1, 2))
	failed := 0
	for range 120 {
		b := bytes.Clone(good)
		for range 1 + r.IntN(3) {
			b[r.Uint64N(used)] = byte(r.Uint32())
		}
		tree, err := open(b)
		if err == nil {
			if _, wrong := Tree(tree); len(wrong) == 0 {
				continue
			}
		}
		failed++
	}
	if failed < 6 {
		t.Errorf("only %d of 120 damaged trees were found", failed)
	}
}

// TestBombs reads blocks that unpack to much more than a block.
func TestBombs(t *testing.T) {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		unpacked int
		table    bool
		want     bool // whether it is read
	}{
		"block":           {128 << 10, false, true},
		"too large":       {128<<10 + 1, false, false},
		"bomb":            {1 << 30, false, false},
		"block of table":  {8 << 10, true, true},
		"too large table": {8<<10 + 1, true, false},
	} {
		packed := w.EncodeAll(make([]byte, c.unpacked), []byte{0, 0})
		s := &storage{SectionReader: io.NewSectionReader(bytes.NewReader(packed), 0, int64(len(packed))), left: 5, packing: packedZstd, block: 128 << 10}
		if c.table {
			if _, err := s.ReadAt(make([]byte, 2), 0); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.ReadAt(make([]byte, len(packed)-2), 2); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNestedFolders asks for what only a folder that lists itself has.
func TestNestedFolders(t *testing.T) {
	tree, err := open(rootImage(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.ReadDir(tree, strings.Repeat("a/", 70)+"a"); err == nil || !strings.Contains(err.Error(), "nested deeper than 64") {
		t.Error(err)
	}
}

// TestFindingsAreCounted gives a checker more than it keeps.
func TestFindingsAreCounted(t *testing.T) {
	c := newChecker(nil, 0, disk.Plan{})
	for range mostFindings + 7 {
		c.find(1, "esp", "wrong")
	}
	if kept := c.found.Sorted(0); len(kept) != mostFindings+1 || c.found.Count() != mostFindings+7 {
		t.Errorf("%d findings of %d", len(kept), c.found.Count())
	}
}

// TestReadLink reads what mksquashfs made of a mask.
func TestReadLink(t *testing.T) {
	dir, image := t.TempDir(), filepath.Join(t.TempDir(), "root.squashfs")
	if err := os.MkdirAll(filepath.Join(dir, "etc/systemd/system"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/null", filepath.Join(dir, "etc/systemd/system/getty@.service")); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(testtool.Find(t, "mksquashfs"), dir, image, "-comp", "zstd", "-quiet", "-no-progress").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := open(b)
	if err != nil {
		t.Fatal(err)
	}
	for unit, want := range map[string]bool{"getty@.service": true, "getty@tty1.service": true, "serial-getty@.service": false} {
		if got := masked(tree, unit); got != want {
			t.Errorf("%s masked: %v, want %v", unit, got, want)
		}
	}
}
