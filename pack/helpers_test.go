package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/imagebuild/qcow2"
	"slipway/imagebuild/verify/verifytest"
	"slipway/ova"
)

const mib = 1 << 20

// machine is what the OVAs of these tests start.
func machine() ova.Package {
	return ova.Package{
		Name: "node", Time: time.Unix(1_780_000_000, 0), Product: ova.Product{Name: "Node", Vendor: "Slipway"},
		Hardware: ova.Hardware{CPUs: 2, MemoryMiB: 4096, Networks: []string{"VM Network"}},
	}
}

// targets are all ways to pack, by the name of the file.
func targets() map[string]Options {
	return map[string]Options{
		"x.qcow2":      {},
		"zstd.x.qcow2": {Compression: qcow2.Zstd},
		"x.vmdk":       {},
		"x.ova":        {Machine: machine()},
	}
}

// content is a disk with a partition table's header, text, noise and zeros, the same on every machine. Its size is of
// no use to any of the formats.
func content() []byte {
	b := make([]byte, 3*mib+700)
	copy(b[512:], "EFI PART")
	binary.LittleEndian.PutUint64(b[512+32:], uint64(len(b)/512-1))
	copy(b[100<<10:], strings.Repeat("what compresses well, ", 9000))
	rand.NewChaCha8([32]byte{1}).Read(b[2*mib : 2*mib+mib/2])
	copy(b[len(b)-5:], "last.")
	return b
}

// rawFile is content in a sparse file, in a folder of its own.
func rawFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.raw")
	b := content()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for off := 0; off < len(b); off += 4096 {
		p := b[off:min(off+4096, len(b))]
		if bytes.Equal(p, make([]byte, len(p))) {
			continue
		}
		if _, err := f.WriteAt(p, int64(off)); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// goodDisk is a raw disk that verify finds nothing wrong with.
func goodDisk(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.raw")
	if _, err := verifytest.Good().Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustPack packs raw into a new folder and returns the file.
func mustPack(t *testing.T, raw, name string, o Options) Result {
	t.Helper()
	f, err := FormatOf(name)
	if err != nil {
		t.Fatal(err)
	}
	res, err := File(t.Context(), raw, filepath.Join(t.TempDir(), name), f, o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// disk is all of the disk in the file at path.
func disk(t *testing.T, path string) []byte {
	t.Helper()
	d, err := OpenDisk(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	b := make([]byte, d.Size())
	if _, err := io.ReadFull(io.NewSectionReader(d, 0, d.Size()), b); err != nil {
		t.Fatal(err)
	}
	return b
}

// listing is all that is in a folder, hidden files included, with what tells a changed one.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		out = append(out, fmt.Sprint(path, info.Mode(), info.Size(), info.ModTime()))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

// names are the files in a folder, hidden ones included.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

// exitCode is what the command line makes of err.
func exitCode(err error) int {
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return 1
}
