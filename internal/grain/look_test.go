package grain

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"math/rand/v2"
	"os"
	"testing"
)

func TestZero(t *testing.T) {
	for n := range 70 {
		b := make([]byte, n)
		if !Zero(b) {
			t.Errorf("%d zeros", n)
		}
		for i := range b {
			b[i] = 1
			if Zero(b) {
				t.Errorf("byte %d of %d is 1", i, n)
			}
			b[i] = 0
		}
	}
}

func FuzzZero(f *testing.F) {
	f.Add([]byte{}, 0)
	f.Add(make([]byte, 100), 99)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		b = b[min(len(b), max(0, cut)):]
		if want := bytes.Count(b, []byte{0}) == len(b); Zero(b) != want {
			t.Errorf("%x: %v", b, !want)
		}
	})
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestCompressible(t *testing.T) {
	source, err := os.ReadFile("grain_test.go")
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.Repeat(source, 20)
	b64 := []byte(base64.StdEncoding.EncodeToString(random(4 * size)))
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(b64); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	half := random(size)
	clear(half[size/2:])
	ramp := make([]byte, size) // even, but far from random
	for i := range ramp {
		ramp[i] = byte(i)
	}
	for name, c := range map[string]struct {
		p    []byte
		want bool
	}{
		"text":          {text[:size], true},
		"base64":        {b64[:size], true},
		"gzip":          {zipped.Bytes()[size:][:size], false},
		"half zeros":    {half, true},
		"ramp":          {ramp, true},
		"repeated":      {bytes.Repeat(random(256), size/256), true},
		"short":         {random(1000), true},
		"random":        {random(size), false},
		"random, small": {random(8192), false},
		"random, large": {random(1 << 20), false},
	} {
		if got := Compressible(c.p); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestCompressibleIsSure looks at random data many times: chance must not make it look compressible, nor the other way.
func TestCompressibleIsSure(t *testing.T) {
	r := rand.NewChaCha8([32]byte{2})
	b := make([]byte, size)
	for i := range 200 {
		r.Read(b)
		if Compressible(b) {
			t.Fatalf("random grain %d", i)
		}
		for j := range b {
			b[j] &= 0x7f
		}
		if !Compressible(b) {
			t.Fatalf("grain %d of 7-bit bytes", i)
		}
	}
}

func BenchmarkZero(b *testing.B) {
	p := make([]byte, size)
	b.SetBytes(size)
	for b.Loop() {
		if !Zero(p) {
			b.Fatal("not zero")
		}
	}
}

func BenchmarkCompressible(b *testing.B) {
	p := random(size)
	b.SetBytes(size)
	for b.Loop() {
		if Compressible(p) {
			b.Fatal("compressible")
		}
	}
}
