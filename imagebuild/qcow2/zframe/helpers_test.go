package zframe

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// foreign is a decoder that is not ours.
func foreign(t testing.TB) *zstd.Decoder {
	t.Helper()
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// mustAppend makes a frame, which must decode to src and be no longer than Append says.
func mustAppend(t testing.TB, e *Encoder, d *zstd.Decoder, src []byte) []byte {
	t.Helper()
	frame, err := e.Append(nil, src)
	if err != nil {
		t.Fatal(err)
	}
	back, err := d.DecodeAll(frame, nil)
	if err != nil || !bytes.Equal(back, src) {
		t.Fatalf("%d bytes: decodes to %d others, %v", len(src), len(back), err)
	}
	if len(frame) > len(src)+10 {
		t.Errorf("%d bytes became %d", len(src), len(frame))
	}
	return frame
}

// noise is n random bytes, the same for the same seed.
func noise(n int, seed uint64) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// patchwork is n bytes of copies of what was before, from all distances and in all lengths, with new bytes of few or
// many values between them.
func patchwork(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 3))
	values := 1 + r.IntN(256)
	long := 1 << (2 + r.IntN(12))
	var b []byte
	for len(b) < n {
		for range r.IntN(1 + r.IntN(long)) {
			b = append(b, byte(r.IntN(values)))
		}
		if len(b) > 0 {
			from := len(b) - 1 - r.IntN(1+r.IntN(len(b)))
			for range r.IntN(1 + r.IntN(long)) {
				b, from = append(b, b[from]), from+1
			}
		}
	}
	return b[:n]
}

// corpus is the clusters of what every machine that runs this test has: its program, and this module's sources.
func corpus(t testing.TB) [][]byte {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	all := read(t, program)
	all = all[:min(len(all), 4<<20)]
	err = filepath.WalkDir("../../..", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".go" {
			all = append(all, read(t, path)...)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var clusters [][]byte
	for ; len(all) >= MaxInput; all = all[MaxInput:] {
		clusters = append(clusters, all[:MaxInput])
	}
	return clusters
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
