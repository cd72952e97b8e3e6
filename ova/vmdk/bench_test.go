package vmdk

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"slipway/internal/grain"
)

// discard is an io.WriterAt to nowhere.
type discard struct{}

func (discard) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// benchSource is the raw image that SLIPWAY_BENCH_RAW names, else 64 MiB of holes, text and noise.
func benchSource(b *testing.B) (Source, int64) {
	b.Helper()
	path := os.Getenv("SLIPWAY_BENCH_RAW")
	if path == "" {
		return source(randomImage(seeded(1), 64<<20)), 64 << 20
	}
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	src, err := grain.File(f)
	if err != nil {
		b.Fatal(err)
	}
	return src, src.Size()
}

func BenchmarkWrite(b *testing.B) {
	src, size := benchSource(b)
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			var info Info
			for b.Loop() {
				var err error
				if info, err = Write(b.Context(), discard{}, src, Options{Workers: workers}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(info.Size), "file-bytes")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	file, _ := mustWrite(b, randomImage(seeded(1), 16<<20))
	d, err := Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		b.Fatal(err)
	}
	out := make([]byte, d.Size())
	b.SetBytes(d.Size())
	for b.Loop() {
		if _, err := d.ReadAt(out, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLint(b *testing.B) {
	file, _ := mustWrite(b, randomImage(seeded(1), 16<<20))
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if found := lint(file); len(found) > 0 {
			b.Fatal(texts(found))
		}
	}
}
