package packtest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"os"
	"time"

	"slipway/imagebuild/disk"
	"slipway/imagebuild/verify/verifytest"
	"slipway/internal/grain"
	"slipway/ova"
	"slipway/ova/vmdk"
)

// sound is a sparse disk that verify finds nothing wrong with, but for what spoil does to it.
func sound(name string, layout func(*disk.Layout), spoil ...part) File {
	return File{name, func(f *os.File) error {
		r := verifytest.Good()
		if layout != nil {
			r.Layout = layout
		}
		if _, err := r.Write(f.Name()); err != nil {
			return err
		}
		st, err := os.Stat(f.Name())
		if err != nil {
			return err
		}
		w, err := os.OpenFile(f.Name(), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer w.Close()
		return put(w, st.Size(), spoil...)
	}}
}

func number(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

// Where the superblocks of hash tree and squashfs have their numbers.
const (
	dataBlocks = verifytest.TreeAt + 72
	blockSize  = verifytest.RootAt + 12
)

func disks() []File {
	large := func(l *disk.Layout) { l.Root, l.Verity = 512*gib, 5*gib }
	return []File{
		// The hash tree says that it covers all of a partition: a hundred million blocks that do not match.
		sound("blocks without end.raw", large, part{verifytest.RootAt + 512*gib + 72, number(512 * gib / 4096)}),
		sound("a hash tree of 2 TiB.raw", nil, part{dataBlocks, number(1 << 36)}),
		sound("a FAT of 64 MiB.raw", func(l *disk.Layout) { l.ESP = 64 * gib }),
		sound("a squashfs with large blocks.raw", nil, part{blockSize, numbers(1, func(int) uint32 { return 1 << 31 })}),
		vmdkOf(sound("blocks without end.vmdk", large, part{verifytest.RootAt + 512*gib + 72, number(512 * gib / 4096)})),
	}
}

// vmdkOf is the same disk in a VMDK.
func vmdkOf(raw File) File {
	return File{raw.Name, func(f *os.File) error {
		if err := raw.write(f); err != nil {
			return err
		}
		from, err := os.Open(f.Name())
		if err != nil {
			return err
		}
		defer from.Close()
		if err := os.Remove(f.Name()); err != nil {
			return err
		}
		src, err := grain.File(from)
		if err != nil {
			return err
		}
		to, err := os.Create(f.Name())
		if err != nil {
			return err
		}
		defer to.Close()
		_, err = vmdk.Write(context.Background(), to, src, vmdk.Options{})
		return err
	}}
}

func archives() []File {
	return []File{{"a hostile disk.ova", func(f *os.File) error {
		inner := vmdks()[0]
		path, err := inner.Write(os.TempDir())
		if err != nil {
			return err
		}
		defer os.Remove(path)
		size, sum, err := digest(path)
		if err != nil {
			return err
		}
		return ova.Write(context.Background(), f, ova.Package{
			Name: "node", Time: time.Unix(0, 0), Product: ova.Product{Name: "Node", Vendor: "Slipway"},
			Hardware: ova.Hardware{CPUs: 2, MemoryMiB: 4096, Networks: []string{"VM Network"}},
			Disks: []ova.Disk{{
				File: "node-disk1.vmdk", Capacity: 1 * tib, Size: size, SHA256: sum,
				Open: func() (io.ReadCloser, error) { return os.Open(path) },
			}},
		})
	}}}
}

// digest is the size and the SHA-256 of a small file.
func digest(path string) (int64, [sha256.Size]byte, error) {
	b, err := os.ReadFile(path)
	return int64(len(b)), sha256.Sum256(b), err
}
