package layout_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"slipway/imagebuild/disk"
	"slipway/imagebuild/layout"
	"slipway/initrd/gpt"
)

// TestSmallestDisk: on a disk of the size that the spec promises to be enough the initrd can divide an image; on one that is a
// MiB smaller it cannot.
func TestSmallestDisk(t *testing.T) {
	const mib = 1 << 20
	l := layout.New(64 * mib)
	plan, err := disk.NewPlan(disk.Layout{ESP: l.ESP, Root: l.Root, Verity: l.Verity, Seed: "x"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "disk")
	empty := func(io.WriterAt) error { return nil }
	if err := disk.Write(t.Context(), path, plan, map[string]disk.Source{disk.ESP: empty, disk.RootA: empty, disk.VerityA: empty}); err != nil {
		t.Fatal(err)
	}
	for size, fits := range map[int64]bool{l.MinDisk(): true, l.MinDisk() - mib: false} {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		table, err := gpt.Read(f, size, 512)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := table.Grow(func() []byte { return make([]byte, 16) }); (err == nil) != fits {
			t.Errorf("%d MiB: %v", size/mib, err)
		}
	}
}
