package qcow2

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/internal/finding"
	"slipway/internal/grain"
	"slipway/internal/testtool"
)

var both = []Compression{Zlib, Zstd}

// memFile is a growing file in memory.
type memFile struct{ b []byte }

func (m *memFile) WriteAt(p []byte, off int64) (int, error) {
	if need := int(off) + len(p); need > len(m.b) {
		m.b = append(m.b, make([]byte, need-len(m.b))...)
	}
	return copy(m.b[off:], p), nil
}

// disk is n bytes in which clusters of zeros, of text, of noise, and of all of these take turns.
func disk(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	noise := rand.NewChaCha8([32]byte{byte(seed)})
	b := make([]byte, n)
	for at := 0; at < n; at += clusterSize {
		c := b[at:min(n, at+clusterSize)]
		switch r.IntN(5) {
		case 0:
		case 1:
			noise.Read(c)
		case 2:
			c[r.IntN(len(c))] = 1
		default:
			noise.Read(c[:r.IntN(len(c))])
			copy(c[len(c)/2:], bytes.Repeat([]byte("the disk "), r.IntN(3000)))
		}
	}
	return b
}

// boundaries are sizes around those of sectors, clusters and the batches that are compressed together.
func boundaries() []int {
	var all []int
	for _, n := range []int{1, 512, clusterSize, 4 * clusterSize, 32 * clusterSize} {
		all = append(all, n-1, n, n+1)
	}
	return all
}

// padded is what a disk reads as: whole sectors.
func padded(b []byte) []byte {
	return append(bytes.Clone(b), make([]byte, int(ceil(int64(len(b)), sectorSize))*sectorSize-len(b))...)
}

func mustWrite(t testing.TB, b []byte, o Options) []byte {
	t.Helper()
	var f memFile
	n, err := Write(t.Context(), &f, grain.ReaderAt(bytes.NewReader(b), int64(len(b))), o)
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(len(f.b)) || n%clusterSize != 0 {
		t.Fatalf("wrote %d bytes, returned %d", len(f.b), n)
	}
	return f.b
}

// mustRead checks an image and reads its disk.
func mustRead(t testing.TB, image []byte) []byte {
	t.Helper()
	if found, err := check(image); err != nil || len(found) > 0 {
		t.Fatalf("%v %v", found, err)
	}
	b, err := content(image)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func check(image []byte) ([]finding.Finding, error) {
	return Check(bytes.NewReader(image), int64(len(image)))
}

func content(image []byte) ([]byte, error) {
	m, err := Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(m, 0, m.Size()))
}

func word(b []byte, off int64) uint64 { return binary.BigEndian.Uint64(b[off:]) }

func putWord(b []byte, off int64, v uint64) { binary.BigEndian.PutUint64(b[off:], v) }

func hash(t testing.TB, r io.ReaderAt, size int64) string {
	t.Helper()
	h := sha256.New()
	if n, err := io.Copy(h, io.NewSectionReader(r, 0, size)); err != nil || n != size {
		t.Fatalf("%d of %d bytes: %v", n, size, err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// save writes a file in a folder of the test.
func save(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func qemuImg(t testing.TB, args ...string) string {
	t.Helper()
	return runTool(t, "qemu-img", args...)
}

func runTool(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(testtool.Find(t, name), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// sameAs lets qemu-img check an image, and compare it with a raw disk.
func sameAs(t testing.TB, raw, image string) {
	t.Helper()
	var report struct {
		Leaks       int `json:"leaks"`
		Corruptions int `json:"corruptions"`
		CheckErrors int `json:"check-errors"`
	}
	out := qemuImg(t, "check", "--output=json", "-f", "qcow2", image)
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if report.Leaks+report.Corruptions+report.CheckErrors > 0 {
		t.Error(out)
	}
	qemuImg(t, "compare", "-f", "raw", "-F", "qcow2", raw, image)
}
