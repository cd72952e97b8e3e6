package vmdk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/internal/finding"
	"slipway/internal/grain"
)

// memory is a growing io.WriterAt.
type memory struct{ b []byte }

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if need := int(off) + len(p); need > len(m.b) {
		m.b = append(m.b, make([]byte, need-len(m.b))...)
	}
	return copy(m.b[off:], p), nil
}

func source(b []byte) Source { return grain.ReaderAt(bytes.NewReader(b), int64(len(b))) }

func mustWrite(t testing.TB, image []byte) ([]byte, Info) {
	t.Helper()
	var m memory
	info, err := Write(t.Context(), &m, source(image), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if info.Size != int64(len(m.b)) {
		t.Fatalf("Write says %d bytes and wrote %d", info.Size, len(m.b))
	}
	return m.b, info
}

func lint(b []byte) []finding.Finding { return Lint(bytes.NewReader(b), int64(len(b))) }

// content is all of a VMDK's disk.
func content(b []byte) ([]byte, error) {
	d, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	out := make([]byte, d.Size())
	_, err = d.ReadAt(out, 0)
	return out, err
}

// sweep reads the extents of a VMDK, up to a few MiB, and returns the first error.
func sweep(b []byte) error {
	d, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	buf := make([]byte, grainSize)
	for off, n := int64(0), 0; n < 64; n++ {
		start, end, err := d.Data(off)
		if err != nil {
			return err
		}
		if start < off || end <= start || end > d.Size() {
			return fmt.Errorf("extent from %d to %d after %d of %d", start, end, off, d.Size())
		}
		if n, err := d.ReadAt(buf, start); n < len(buf) {
			return err
		}
		off = min(end, start+grainSize)
	}
	return nil
}

// patterned fills b with what deflate makes about a third of.
func patterned(r *rand.Rand, b []byte) {
	for i := range b {
		b[i] = "slipway image\n"[r.IntN(14)&r.IntN(14)]
	}
}

func noise(r *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

// randomImage has holes, text and noise, cut anywhere.
func randomImage(r *rand.Rand, size int) []byte {
	b := make([]byte, size)
	for at := 0; at < size; {
		n := min(size-at, 1+r.IntN(3*grainSize))
		switch r.IntN(4) {
		case 0:
			noise(r, b[at:at+n])
		case 1:
			patterned(r, b[at:at+n])
		}
		at += n
	}
	return b
}

// backed makes the form with tables at the end of a file that Write made, as other programs do.
func backed(t testing.TB, front []byte) []byte {
	t.Helper()
	h, err := decodeHeader(front[:sector])
	if err != nil {
		t.Fatal(err)
	}
	first := newHeader(h.Capacity)
	first.DirectoryOffset, first.Overhead = atEnd, footerOverhead
	out := append(mustEncode(t, first), front[sector:directoryStart*sector]...)
	out = append(out, make([]byte, footerOverhead*sector-len(out))...)
	n := tables(h.Capacity)
	directory := make([]byte, directorySectors(n)*sector)
	for i := range n {
		old := front[(directoryStart+directorySectors(n)+i*tableSectors)*sector:][:tableSectors*sector]
		table := bytes.Clone(old)
		for j := range tableEntries {
			if place := entry(old, j); place != 0 {
				binary.LittleEndian.PutUint32(table[4*j:], uint32(len(out)/sector))
				length := markerSize + int(binary.LittleEndian.Uint32(front[place*sector+8:]))
				out = append(out, front[place*sector:][:int(ceil(uint64(length), sector))*sector]...)
			}
		}
		if !grain.Zero(table) {
			out = append(out, mark(tableSectors, markTable)...)
			binary.LittleEndian.PutUint32(directory[4*i:], uint32(len(out)/sector))
			out = append(out, table...)
		}
	}
	out = append(out, mark(directorySectors(n), markDirectory)...)
	at := uint64(len(out) / sector)
	out = append(append(out, directory...), mark(1, markFooter)...)
	out = append(out, mustEncode(t, newFooter(h.Capacity, at))...)
	return append(out, make([]byte, sector)...)
}

func mark(value uint64, kind uint32) []byte {
	b := make([]byte, sector)
	binary.LittleEndian.PutUint64(b, value)
	binary.LittleEndian.PutUint32(b[12:], kind)
	return b
}

// putMarker writes the marker of a grain.
func putMarker(b []byte, lba uint64, length int) {
	binary.LittleEndian.PutUint64(b, lba)
	binary.LittleEndian.PutUint32(b[8:], uint32(length))
}

func mustEncode(t testing.TB, h header) []byte {
	t.Helper()
	b, err := h.encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func save(t testing.TB, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, tool string, args ...string) string {
	t.Helper()
	out, err := exec.Command(tool, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", filepath.Base(tool), strings.Join(args, " "), err, out)
	}
	return string(out)
}

func texts(found []finding.Finding) string {
	var lines []string
	for _, f := range found {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

// seeded is a source of the same random numbers in every run.
func seeded(n uint64) *rand.Rand { return rand.New(rand.NewPCG(n, 5)) }

// fixedHash is a hash whose sum is known.
type fixedHash struct {
	hash.Hash
	sum []byte
}

func (f fixedHash) Sum([]byte) []byte { return f.sum }
