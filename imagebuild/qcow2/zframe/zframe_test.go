package zframe

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"slipway/internal/testtool"
)

// shapes are inputs that take one way each through the encoder.
func shapes() map[string][]byte {
	text := strings.Repeat("all work and no play makes jack a dull boy. ", 2000)[:MaxInput]
	all := map[string][]byte{
		"nothing":               {},
		"one byte":              {7},
		"two bytes":             {7, 8},
		"the same byte":         bytes.Repeat([]byte{7}, MaxInput),
		"two of the same":       {7, 7},
		"255 bytes":             []byte(text[:255]),
		"256 bytes":             []byte(text[:256]),
		"noise":                 noise(MaxInput, 1),
		"text":                  []byte(text),
		"few values":            few(MaxInput, 3),
		"two values":            few(MaxInput, 2),
		"one match at the end":  append(noise(MaxInput-100, 2), noise(100, 2)...),
		"a match of all":        append([]byte{1}, bytes.Repeat([]byte{2}, MaxInput-1)...),
		"literals of one value": spaced(MaxInput, 4, 3),
		"offsets in turn":       turns(MaxInput),
		"many sequences":        strewn(MaxInput),
	}
	for _, n := range []int{8, 9, 10, 11, 17, 31, 32, 1023, 1024, 4095, 4096, 1<<14 - 1, 1 << 14, MaxInput - 1} {
		all[fmt.Sprintf("%d bytes of text", n)] = []byte(text[:n])
		all[fmt.Sprintf("%d of a hundred values", n)] = few(n, 100)
	}
	return all
}

// few has bytes of n values, of which the lower are more frequent.
func few(size, n int) []byte {
	r := rand.New(rand.NewPCG(uint64(size), uint64(n)))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.IntN(1 + r.IntN(n)))
	}
	return b
}

// spaced is matches of noise with single literals of value v between them.
func spaced(size int, v byte, seed uint64) []byte {
	from := noise(1000, seed)
	b := bytes.Clone(from)
	r := rand.New(rand.NewPCG(seed, 1))
	for len(b) < size {
		at := r.IntN(900)
		b = append(append(b, v), from[at:at+20+r.IntN(80)]...)
	}
	return b[:size]
}

// turns copies from two distances in turn, with and without literals between: what repeated offsets are for.
func turns(size int) []byte {
	b := noise(2000, 5)
	for i := 0; len(b) < size; i++ {
		at := len(b) - []int{700, 1900}[i%2]
		b = append(b, b[at:at+9]...)
		if i%3 == 0 {
			b = append(b, byte(i*i>>3))
		}
	}
	return b[:size]
}

// strewn is the shortest matches, one behind the other, from everywhere.
func strewn(size int) []byte {
	b := noise(5000, 6)
	r := rand.New(rand.NewPCG(6, 6))
	for len(b) < size {
		at := r.IntN(len(b) - 5)
		b = append(b, b[at:at+5]...)
	}
	return b[:size]
}

func TestShapes(t *testing.T) {
	e, d := New(), foreign(t)
	for name, src := range shapes() {
		t.Run(name, func(t *testing.T) { mustAppend(t, e, d, src) })
	}
}

// TestBlocks is about the kinds of blocks: a frame's header of 7 bytes is followed by the block's, with the kind in it.
func TestBlocks(t *testing.T) {
	e, d := New(), foreign(t)
	for name, want := range map[string]struct{ kind, most int }{
		"noise":          {rawBlock, MaxInput + 10},
		"the same byte":  {rleBlock, 11},
		"text":           {compressedBlock, 100},
		"a match of all": {compressedBlock, 30},
		"two values":     {compressedBlock, MaxInput / 5},
	} {
		frame := mustAppend(t, e, d, shapes()[name])
		if kind := int(frame[7] >> 1 & 3); kind != want.kind || len(frame) > want.most {
			t.Errorf("%s: block of kind %d, want %d; %d bytes, want %d at most", name, kind, want.kind, len(frame), want.most)
		}
	}
}

// TestManySequences shows the two bytes of their number at work. The three that the format has from 0x7F00 on are never
// needed: that many matches do not fit in an input.
func TestManySequences(t *testing.T) {
	if mostSeqs >= 0x7f00 {
		t.Error(mostSeqs)
	}
	f := &finder{}
	if _, all := f.parse(strewn(MaxInput)); len(all) < 4000 {
		t.Errorf("only %d sequences", len(all))
	}
}

// TestRepeatedOffsets sees that they are found, with literals before them and without.
func TestRepeatedOffsets(t *testing.T) {
	f := &finder{}
	_, all := f.parse(turns(MaxInput))
	seen := map[bool]int{}
	for _, q := range all {
		if q.offset == 1 {
			seen[q.literals == 0]++
		}
	}
	if seen[true] < 100 || seen[false] < 10 {
		t.Errorf("%d without literals, %d with, in %d sequences", seen[true], seen[false], len(all))
	}
}

func TestTooLong(t *testing.T) {
	if _, err := New().Append(nil, make([]byte, MaxInput+1)); err == nil || err.Error() != "compressing 65537 bytes, more than 65536" {
		t.Error(err)
	}
}

func TestAppends(t *testing.T) {
	e := New()
	for name, src := range shapes() {
		alone, _ := e.Append(nil, src)
		if got, err := e.Append([]byte("before"), src); err != nil || !bytes.Equal(got, append([]byte("before"), alone...)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDependsOnInputAlone compares an encoder that did much else before with new ones.
func TestDependsOnInputAlone(t *testing.T) {
	used := New()
	for seed := range uint64(60) {
		src := patchwork(int(seed*997%MaxInput)+1, seed)
		got, _ := used.Append(nil, src)
		if want, _ := New().Append(nil, src); !bytes.Equal(got, want) {
			t.Fatalf("seed %d: differs", seed)
		}
	}
}

func TestRandom(t *testing.T) {
	e, d := New(), foreign(t)
	r := rand.New(rand.NewPCG(8, 9))
	for seed := range uint64(400) {
		mustAppend(t, e, d, patchwork(r.IntN(MaxInput+1), seed))
	}
}

// TestZstdReadsOurs lets the format's own program decode frames, one behind the other.
func TestZstdReadsOurs(t *testing.T) {
	program := testtool.Find(t, "zstd")
	e := New()
	var frames, want []byte
	add := func(src []byte) {
		frames, _ = e.Append(frames, src)
		want = append(want, src...)
	}
	for _, src := range shapes() {
		add(src)
	}
	for seed := range uint64(100) {
		add(patchwork(MaxInput, seed))
	}
	for _, src := range corpus(t) {
		add(src)
	}
	path := filepath.Join(t.TempDir(), "frames.zst")
	if err := os.WriteFile(path, frames, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := exec.Command(program, "-q", "-d", "-c", path).Output()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d: %v", len(got), len(want), err)
	}
}

// TestAsSmallAsOthers compares sizes with those of the library for streams, at the level that comes nearest.
func TestAsSmallAsOthers(t *testing.T) {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithAllLitEntropyCompression(true))
	if err != nil {
		t.Fatal(err)
	}
	e, d := New(), foreign(t)
	ours, theirs := 0, 0
	for _, src := range corpus(t) {
		ours += len(mustAppend(t, e, d, src))
		theirs += len(w.EncodeAll(src, nil))
	}
	if t.Logf("%d bytes, the library's %d", ours, theirs); ours*100 > theirs*102 {
		t.Error("more than a fiftieth larger")
	}
}

func TestAllocatesNothing(t *testing.T) {
	e := New()
	dst := make([]byte, 0, MaxInput+MaxInput/64+128) // what grain has for it
	for name, src := range shapes() {
		if n := testing.AllocsPerRun(10, func() { _, _ = e.Append(dst, src) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	clusters := corpus(b)
	e := New()
	dst := make([]byte, 0, 2*MaxInput)
	b.SetBytes(int64(len(clusters)) * MaxInput)
	for b.Loop() {
		for _, src := range clusters {
			if _, err := e.Append(dst, src); err != nil {
				b.Fatal(err)
			}
		}
	}
}
