package qcow2

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"slipway/internal/grain"
)

var _ grain.Source = (*Image)(nil)

func mustOpen(t testing.TB, image []byte) *Image {
	t.Helper()
	m, err := Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestReadAtAnywhere reads random pieces from several goroutines at once.
func TestReadAtAnywhere(t *testing.T) {
	raw := disk(40*clusterSize, 21)
	for _, c := range both {
		m := mustOpen(t, mustWrite(t, raw, Options{Compression: c}))
		if m.Compression() != c || m.Size() != int64(len(raw)) {
			t.Error(m.Compression(), m.Size())
		}
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), 1))
				for range 100 {
					off := r.IntN(len(raw))
					p := make([]byte, min(len(raw)-off, r.IntN(3*clusterSize)))
					if n, err := m.ReadAt(p, int64(off)); n != len(p) || err != nil || !bytes.Equal(p, raw[off:off+n]) {
						t.Errorf("%s: %d of %d bytes at %d: %v", c, n, len(p), off, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestReadAtTheEnd(t *testing.T) {
	m := mustOpen(t, mustWrite(t, []byte("text"), Options{}))
	p := make([]byte, 600)
	if n, err := m.ReadAt(p, 2); n != 510 || err != io.EOF || string(p[:3]) != "xt\x00" {
		t.Error(n, err)
	}
	if n, err := m.ReadAt(p, 512); n != 0 || err != io.EOF {
		t.Error(n, err)
	}
	if n, err := m.ReadAt(p[:0], 512); n != 0 || err != nil {
		t.Error(n, err)
	}
	if _, err := m.ReadAt(p, -1); err == nil || err == io.EOF {
		t.Error(err)
	}
}

func TestDataFindsExtents(t *testing.T) {
	raw := make([]byte, l2Span+5*clusterSize+512)
	for _, at := range []int{1, 2, 5, perL2 - 1, perL2, perL2 + 5} {
		raw[at*clusterSize] = 1
	}
	m := mustOpen(t, mustWrite(t, raw, Options{}))
	var got []int64
	for off := int64(0); ; {
		start, end, err := m.Data(off)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, start, end)
		off = end
	}
	want := []int64{1, 3, 5, 6, perL2 - 1, perL2, perL2, perL2 + 1, perL2 + 5, 0}
	for i := range want {
		want[i] *= clusterSize
	}
	want[len(want)-1] = int64(len(raw))
	if !slices.Equal(got, want) {
		t.Errorf("%d\nwant %d", got, want)
	}
	if start, end, err := m.Data(clusterSize + 7); start != clusterSize+7 || end != 3*clusterSize || err != nil {
		t.Error(start, end, err)
	}
}

// TestReadErrors damages what Check does not look at, or who reads does not check before.
func TestReadErrors(t *testing.T) {
	_, zlib := small(t, Zlib)
	_, zst := small(t, Zstd)
	for name, c := range map[string]struct {
		image  []byte
		damage func(b []byte)
		want   string
	}{
		"deflate":         {zlib, func(b []byte) { b[2*clusterSize] = 0xff }, "reading disk at byte 0: decoding zlib cluster at byte 131072 of the file: "},
		"zstd magic":      {zst, func(b []byte) { b[2*clusterSize] = 0 }, "reading disk at byte 0: decoding zstd cluster at byte 131072 of the file: "},
		"zstd, skippable": {zst, func(b []byte) { copy(b[2*clusterSize:], "\x50\x2a\x4d\x18\x04\x00\x00\x00") }, "a skippable frame"},
		"zstd, cut":       {zst, func(b []byte) { putWord(b, l2At, packedEntry(2*clusterSize, 1)) }, "unexpected EOF"},
		"deflate, cut":    {zlib, func(b []byte) { putWord(b, l2At, packedEntry(2*clusterSize, 1)) }, "bytes: unexpected EOF"},
		"deflate, short":  {zlib, func(b []byte) { copy(b[2*clusterSize:], "\x01\x04\x00\xfb\xffabcd") }, "4 of 65536 bytes: unexpected EOF"},
		"deflate, long":   {zlib, func(b []byte) { copy(b[2*clusterSize:], long(t)) }, "the data does not end after 65536 bytes"},
		"zstd, short":     {zst, func(b []byte) { copy(b[2*clusterSize:], frame(t, 100)) }, "100 of 65536 bytes: unexpected EOF"},
		"zstd, long":      {zst, func(b []byte) { copy(b[2*clusterSize:], frame(t, 70000)) }, "decompressed size exceeds configured limit"},
		"plain":           {zlib, func(b []byte) { putWord(b, l2At+16, copied|smallAt) }, "reading disk at byte 131072: cluster 0x8000000000070000 is out of place"},
		"packed":          {zlib, func(b []byte) { putWord(b, l2At, packedEntry(smallAt, 1)) }, "compressed cluster 0x4000000000070000 is out of place"},
		"packed header":   {zlib, func(b []byte) { putWord(b, l2At, packedEntry(0, 1)) }, "compressed cluster 0x4000000000000000 is out of place"},
		"table":           {zlib, func(b []byte) { putWord(b, l1At, smallAt) }, "reading disk at byte 0: L2 table 0x70000 is out of place"},
	} {
		b := bytes.Clone(c.image)
		c.damage(b)
		if _, err := content(b); err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// long is deflate of more than a cluster.
func long(t *testing.T) []byte {
	pack, err := deflate(9)
	if err != nil {
		t.Fatal(err)
	}
	b, err := pack(nil, make([]byte, clusterSize+1))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func frame(t *testing.T, n int) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(make([]byte, n), nil)
}

// TestFramesOfEachKind decodes frames with and without a checksum and a size, followed by what is no frame.
func TestFramesOfEachKind(t *testing.T) {
	raw := append(noise()[:clusterSize/2], bytes.Repeat([]byte("text "), clusterSize)[:clusterSize/2]...)
	unpack := unzstd()
	for _, o := range [][]zstd.EOption{
		nil, {zstd.WithEncoderCRC(false)}, {zstd.WithSingleSegment(true)}, {zstd.WithEncoderLevel(zstd.SpeedBestCompression)}, {zstd.WithWindowSize(1 << 10)},
	} {
		var b bytes.Buffer
		w, err := zstd.NewWriter(&b, o...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 16 { // as a stream: many blocks, no size
			if _, err := w.Write(raw[i<<12 : (i+1)<<12]); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		zeros := make([]byte, clusterSize)
		for _, c := range []struct{ packed, want []byte }{{b.Bytes(), raw}, {w.EncodeAll(raw, nil), raw}, {w.EncodeAll(zeros, nil), zeros}} {
			got := bytes.Repeat([]byte{0xaa}, clusterSize)
			if err := unpack(got, append(c.packed, "next\x28\xb5\x2f\xfd"...)); err != nil || !bytes.Equal(got, c.want) {
				t.Errorf("frame of %d bytes: %v", len(c.packed), err)
			}
		}
	}
}

func BenchmarkRead(b *testing.B) {
	raw := disk(32<<20, 1)
	for _, c := range both {
		m := mustOpen(b, mustWrite(b, raw, Options{Compression: c}))
		b.Run(c.String(), func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if _, err := io.Copy(io.Discard, io.NewSectionReader(m, 0, m.Size())); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	image := mustWrite(b, disk(32<<20, 1), Options{})
	for b.Loop() {
		if found, err := check(image); err != nil || len(found) > 0 {
			b.Fatal(found, err)
		}
	}
}
