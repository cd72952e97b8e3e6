package vmdk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"slipway/internal/golden"
	"slipway/internal/grain"
)

// sizes are around every unit: sector, grain, MiB, grain table.
var sizes = []int{
	1, sector - 1, sector, sector + 1, grainSize - 1, grainSize, grainSize + 1, align - 1, align, align + 1,
	tableSpan*sector - 1, tableSpan * sector, tableSpan*sector + 1,
}

func TestRoundTrip(t *testing.T) {
	for i, size := range sizes {
		image := make([]byte, size)
		r := seeded(uint64(i))
		for _, at := range []int{0, size / 2, size - 200000} { // data at both ends and in the middle, else a hole
			at = max(0, at)
			copy(image[at:], randomImage(r, min(200000, size-at)))
		}
		image[size-1] = 1
		front, info := mustWrite(t, image)
		if info.Capacity != Capacity(int64(size)) || info.Capacity%align != 0 || info.Capacity-int64(size) >= align {
			t.Errorf("%d bytes: capacity %d", size, info.Capacity)
		}
		for layout, file := range map[string][]byte{"front": front, "back": backed(t, front)} {
			got, err := content(file)
			if err != nil || !bytes.Equal(got[:size], image) || !grain.Zero(got[size:]) || int64(len(got)) != info.Capacity {
				t.Errorf("%d bytes, %s: content differs, %v", size, layout, err)
			}
			if found := lint(file); len(found) > 0 {
				t.Errorf("%d bytes, %s: %s", size, layout, texts(found))
			}
		}
	}
}

func TestRandomImages(t *testing.T) {
	for seed := range uint64(20) {
		r := seeded(seed)
		image := randomImage(r, 1+r.IntN(1<<20))
		file, info := mustWrite(t, image)
		got, err := content(file)
		if err != nil || !bytes.Equal(got[:len(image)], image) {
			t.Errorf("seed %d: content differs, %v", seed, err)
		}
		if found := lint(file); len(found) > 0 {
			t.Errorf("seed %d: %s", seed, texts(found))
		}
		if info.Populated%grainSize != 0 || info.Populated > info.Capacity {
			t.Errorf("seed %d: %+v", seed, info)
		}
	}
}

func TestZeros(t *testing.T) {
	file, info := mustWrite(t, make([]byte, 40<<20))
	if info.Populated != 0 || info.Size != int64(directoryStart+1+2*tableSectors+1)*sector {
		t.Errorf("%+v", info)
	}
	if found := lint(file); len(found) > 0 {
		t.Error(texts(found))
	}
	d, err := Open(bytes.NewReader(file), info.Size)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Data(0); err != io.EOF {
		t.Errorf("extent: %v", err)
	}
}

// TestNoiseIsStored shows what data that does not shrink costs, and that it takes part in what the file is named by.
func TestNoiseIsStored(t *testing.T) {
	image := make([]byte, 4*align)
	noise(seeded(1), image)
	file, info := mustWrite(t, image)
	if most := int64(len(image)) * 102 / 100; info.Size > most {
		t.Errorf("%d bytes became %d, more than %d", len(image), info.Size, most)
	}
	image[0]++
	_, other := mustWrite(t, image)
	if found := lint(file); len(found) > 0 || other.ContentID == info.ContentID || len(info.ContentID) != 32 {
		t.Errorf("%v %v %s", other, info, texts(found))
	}
}

func TestSameBytesWithAnyWorkers(t *testing.T) {
	image := randomImage(seeded(1), 5<<20)
	want, info := mustWrite(t, image)
	for _, workers := range []int{1, 2, 7} {
		var m memory
		got, err := Write(t.Context(), &m, source(image), Options{Workers: workers})
		if err != nil || got != info || !bytes.Equal(m.b, want) {
			t.Errorf("%d workers: %+v, %v", workers, got, err)
		}
	}
}

// TestGolden pins the bytes: of data that is stored, so that a better compressor changes nothing here.
func TestGolden(t *testing.T) {
	image := make([]byte, 40<<20+1)
	noise(seeded(1), image[:grainSize])
	noise(seeded(2), image[grainSize*600:][:grainSize])
	file, info := mustWrite(t, image)
	text, _, _ := bytes.Cut(file[sector:], []byte{0})
	sum := sha256.Sum256(file)
	golden.Check(t, filepath.Join("testdata", "golden.txt"), fmt.Sprintf("%+v\nsha256 %x\n\nheader\n%s\ndescriptor\n%s",
		info, sum, hex.Dump(file[:96]), text))
}

func TestReservedCID(t *testing.T) {
	for _, tail := range []string{"fffffffe", "ffffffff"} {
		b, err := hex.DecodeString(strings.Repeat("ab", 12) + tail)
		if err != nil {
			t.Fatal(err)
		}
		h := contentHash{fixedHash{sha256.New(), append(b, make([]byte, 16)...)}}
		if id := h.id(); id.CID() >= reservedCID || !strings.HasPrefix(id.String(), "abab") {
			t.Errorf("%s became %v", tail, id)
		}
	}
}

// sparse is an image of one grain at each of some offsets, and holes.
type sparse struct {
	size int64
	at   []int64
}

func (s sparse) Size() int64 { return s.size }

func (s sparse) Data(off int64) (start, end int64, err error) {
	for _, at := range s.at {
		if off < min(at+grainSize, s.size) {
			return max(off, at), min(at+grainSize, s.size), nil
		}
	}
	return 0, 0, io.EOF
}

func (s sparse) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		p[i] = byte(off>>16) | 1
	}
	return len(p), nil
}

// TestLargeSparse has a disk of 20 GiB with five grains: nobody may read its holes, here or in the file.
func TestLargeSparse(t *testing.T) {
	s := sparse{size: 20<<30 + 5, at: []int64{0, 5 << 30, 10<<30 - grainSize, 10 << 30, 20 << 30}}
	var m memory
	info, err := Write(t.Context(), &m, s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if info.Populated != int64(len(s.at))*grainSize || info.Size > 2<<20 {
		t.Errorf("%+v", info)
	}
	for layout, file := range map[string][]byte{"front": m.b, "back": backed(t, m.b)} {
		if found := lint(file); len(found) > 0 {
			t.Errorf("%s: %s", layout, texts(found))
		}
		d, err := Open(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		checkExtents(t, d, [][2]int64{{0, grainSize}, {5 << 30, 5<<30 + grainSize}, {10<<30 - grainSize, 10<<30 + grainSize}, {20 << 30, 20<<30 + grainSize}})
	}
}

func checkExtents(t *testing.T, d *Disk, want [][2]int64) {
	t.Helper()
	var off int64
	for _, w := range want {
		start, end, err := d.Data(off)
		if err != nil || start != w[0] || end != w[1] {
			t.Errorf("extent after %d is %d to %d, %v, want %v", off, start, end, err, w)
		}
		var b [1]byte
		if _, err := d.ReadAt(b[:], start); err != nil || b[0] != byte(start>>16)|1 {
			t.Errorf("byte %d is %d, %v", start, b[0], err)
		}
		off = end
	}
	if _, _, err := d.Data(off); err != io.EOF {
		t.Errorf("extent after %d: %v", off, err)
	}
}

// TestRewrite writes a VMDK from a VMDK: the same content gives the same file.
func TestRewrite(t *testing.T) {
	file, info := mustWrite(t, randomImage(seeded(4), 3*align))
	for layout, b := range map[string][]byte{"front": file, "back": backed(t, file)} {
		d, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		var m memory
		got, err := Write(t.Context(), &m, d, Options{})
		if err != nil || got != info || !bytes.Equal(m.b, file) {
			t.Errorf("%s: %+v, %v", layout, got, err)
		}
	}
}

// full is an io.WriterAt that has no room from limit on.
type full struct {
	memory
	limit int64
}

func (f *full) WriteAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.limit {
		return 0, errors.New("no space left on device")
	}
	return f.memory.WriteAt(p, off)
}

func TestWriteFails(t *testing.T) {
	image := make([]byte, 3*align)
	noise(seeded(1), image)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		src  Source
		w    full
		want string
	}{
		"empty":     {t.Context(), source(nil), full{limit: 1 << 40}, "an image of 0 bytes"},
		"too large": {t.Context(), sparse{size: 62<<40 + 1}, full{limit: 1 << 40}, "at most 62 TiB"},
		"truncated": {t.Context(), grain.ReaderAt(bytes.NewReader(image), 4*align), full{limit: 1 << 40}, "the image ends after 3145728 of its 4194304 bytes"},
		"cancelled": {cancelled, source(image), full{limit: 1 << 40}, "context canceled"},
		"disk full": {t.Context(), source(image), full{limit: 2 * align}, "no space left on device"},
		"no room":   {t.Context(), source(image), full{limit: 100}, "no space left on device"},
	} {
		_, err := Write(c.ctx, &c.w, c.src, Options{})
		if err == nil || !strings.HasPrefix(err.Error(), "writing VMDK: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if len(lint(c.w.b)) == 0 || sweep(c.w.b) == nil {
			t.Errorf("%s: a VMDK is left", name)
		}
	}
}

// TestTooLargeFile is about table entries, which have 32 bits.
func TestTooLargeFile(t *testing.T) {
	x := newWriter(&memory{}, align/sector)
	x.next = maxFile - 128
	if err := x.grain(t.Context(), grain.Grain{Encoded: make([]byte, sha256.Size+129*sector)}); err == nil || !strings.Contains(err.Error(), "2 TiB") {
		t.Error(err)
	}
}

// TestFile writes a sparse file to a file, at an offset, as an archive does.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	in, err := os.Create(filepath.Join(dir, "in"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	image := randomImage(seeded(2), align)
	if _, err := in.WriteAt(image, 2<<30); err != nil {
		t.Fatal(err)
	}
	src, err := grain.File(in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	info, err := Write(t.Context(), io.NewOffsetWriter(out, 1000), src, Options{})
	if err != nil {
		t.Fatal(err)
	}
	file := io.NewSectionReader(out, 1000, info.Size)
	if found := Lint(file, info.Size); len(found) > 0 {
		t.Error(texts(found))
	}
	d, err := Open(file, info.Size)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(image))
	if _, err := d.ReadAt(got, 2<<30); err != nil || !bytes.Equal(got, image) {
		t.Errorf("content differs, %v", err)
	}
}

// TestTablesAreNotKept writes a grain to each of 100,000 tables, which are 200 MiB together.
func TestTablesAreNotKept(t *testing.T) {
	const count = 100_000
	x := newWriter(discard{}, count*tableSpan)
	encoded := make([]byte, sha256.Size+sector)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range int64(count) {
		if err := x.grain(t.Context(), grain.Grain{Index: i * tableEntries, Encoded: encoded}); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > 10<<20 {
		t.Errorf("%d MiB are held", held>>20)
	}
	if x.at != count-1 {
		t.Errorf("at table %d", x.at)
	}
}
