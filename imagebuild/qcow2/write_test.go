package qcow2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"slipway/internal/golden"
	"slipway/internal/grain"
)

func TestWriteThenRead(t *testing.T) {
	for i, n := range boundaries() {
		want := disk(n, uint64(i))
		for _, c := range both {
			if got := mustRead(t, mustWrite(t, want, Options{Compression: c})); !bytes.Equal(got, padded(want)) {
				t.Errorf("%d bytes, %s: differ", n, c)
			}
		}
	}
}

// TestSameBytesEachTime writes with different numbers of workers, and from an image instead of the disk.
func TestSameBytesEachTime(t *testing.T) {
	raw := disk(50*clusterSize+512, 3)
	for _, c := range both {
		want := mustWrite(t, raw, Options{Compression: c, Workers: 1})
		for _, workers := range []int{0, 2, 7} {
			if got := mustWrite(t, raw, Options{Compression: c, Workers: workers}); !bytes.Equal(got, want) {
				t.Errorf("%s: %d workers write other bytes than one", c, workers)
			}
		}
		m, err := Open(bytes.NewReader(want), int64(len(want)))
		if err != nil {
			t.Fatal(err)
		}
		var again memFile
		if _, err := Write(t.Context(), &again, m, Options{Compression: c}); err != nil || !bytes.Equal(again.b, want) {
			t.Errorf("%s: an image of the image differs: %v", c, err)
		}
	}
}

// TestLayout compares where everything is, for a disk of text, zeros, noise and text again.
func TestLayout(t *testing.T) {
	b := make([]byte, 600<<20)
	text := bytes.Repeat([]byte("text "), 20000)
	copy(b, text)
	copy(b[5*clusterSize:], disk(10*clusterSize, 1))
	copy(b[len(b)-clusterSize:], text)
	for _, c := range both {
		golden.Check(t, "testdata/layout-"+c.String()+".txt", layout(t, mustWrite(t, b, Options{Compression: c})))
	}
}

// layout is an image's tables as text.
func layout(t *testing.T, image []byte) string {
	h, err := decodeHeader(bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	var s strings.Builder
	fmt.Fprintf(&s, "file %d disk %d version %d header %d %s\n", len(image), h.Size, h.Version, h.Length, h.Compression)
	fmt.Fprintf(&s, "L1 at %d, %d entries\n", h.L1Offset, h.L1Size)
	for i := range int64(h.L1Size) {
		l1 := word(image, int64(h.L1Offset)+8*i)
		fmt.Fprintf(&s, "L2 at %d copied %v\n", l1&offsetMask, l1&copied != 0)
		for j := range int64(perL2) {
			e := word(image, int64(l1&offsetMask)+8*j)
			start, end := packedSpan(e)
			switch {
			case e&isPacked != 0:
				fmt.Fprintf(&s, "  cluster %d: compressed, %d to %d\n", i*perL2+j, start, end)
			case e != 0:
				fmt.Fprintf(&s, "  cluster %d: %d copied %v\n", i*perL2+j, e&offsetMask, e&copied != 0)
			}
		}
	}
	block := word(image, int64(h.RefTableOffset))
	fmt.Fprintf(&s, "refcount table at %d, block at %d:", h.RefTableOffset, block)
	for i := range len(image) / clusterSize {
		fmt.Fprintf(&s, " %d", image[int(block)+2*i+1])
	}
	return s.String() + "\n"
}

func TestZerosTakeNoRoom(t *testing.T) {
	const tables = 5 // header, L1 table, refcount table and block; L2 table if there is data
	if n := len(mustWrite(t, make([]byte, 10<<20), Options{})); n != (tables-1)*clusterSize {
		t.Errorf("%d bytes for nothing", n)
	}
	one := make([]byte, 10<<20)
	one[5<<20] = 1
	if n := len(mustWrite(t, one, Options{})); n != (tables+1)*clusterSize {
		t.Errorf("%d bytes for one", n)
	}
}

// brokenFile fails at one of its writes.
type brokenFile struct {
	memFile
	writes int
	fail   func(write int) error
}

func (f *brokenFile) WriteAt(p []byte, off int64) (int, error) {
	f.writes++
	if err := f.fail(f.writes); err != nil {
		return 0, err
	}
	return f.memFile.WriteAt(p, off)
}

// TestFailureLeavesNoImage fails each write in turn: what is there must not open.
func TestFailureLeavesNoImage(t *testing.T) {
	raw := disk(12*clusterSize, 5)
	src := grain.ReaderAt(bytes.NewReader(raw), int64(len(raw)))
	for i := 1; ; i++ {
		f := &brokenFile{fail: func(n int) error {
			if n == i {
				return syscall.ENOSPC
			}
			return nil
		}}
		_, err := Write(t.Context(), f, src, Options{})
		if f.writes < i {
			if i < 10 || err != nil {
				t.Errorf("%d writes, %v", f.writes, err)
			}
			return
		}
		if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "writing qcow2: writing ") {
			t.Errorf("write %d: %v", i, err)
		}
		if _, err := Open(bytes.NewReader(f.b), int64(len(f.b))); err == nil {
			t.Errorf("write %d failed, and the image opens", i)
		}
	}
}

func TestWriteRefusals(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	defer cancel()
	raw := disk(40*clusterSize, 1)
	whole := grain.ReaderAt(bytes.NewReader(raw), int64(len(raw)))
	for name, c := range map[string]struct {
		ctx  context.Context
		src  grain.Source
		o    Options
		want string
	}{
		"cancelled":   {cancelled, whole, Options{}, "writing qcow2: context canceled"},
		"too large":   {t.Context(), grain.ReaderAt(nil, maxDisk+1), Options{}, "a disk of 2251799813685249 bytes is out of range"},
		"negative":    {t.Context(), grain.ReaderAt(nil, -1), Options{}, "a disk of -1 bytes"},
		"compression": {t.Context(), whole, Options{Compression: 2}, "unknown compression 2"},
		"short":       {t.Context(), grain.ReaderAt(bytes.NewReader(raw), 3<<20), Options{}, io.ErrUnexpectedEOF.Error()},
	} {
		f := &brokenFile{fail: func(int) error { cancel(); return nil }}
		if _, err := Write(c.ctx, f, c.src, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if len(f.b) > 0 && f.b[0] != 0 {
			t.Errorf("%s: there is a header", name)
		}
	}
}

func TestRefcountsCountThemselves(t *testing.T) {
	for _, used := range []int64{0, 3, perBlock - 3, perBlock - 2, perBlock - 1, perBlock, 2*perBlock - 4, 2*perBlock - 3, perL2*perBlock - 1, perL2 * perBlock} {
		table, blocks := refcountClusters(used)
		all := used + table + blocks
		if blocks*perBlock < all || (blocks-1)*perBlock >= all || table*perL2 < blocks || (table-1)*perL2 >= blocks {
			t.Errorf("%d clusters: table of %d, %d blocks", used, table, blocks)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	raw := disk(32<<20, 1)
	src := grain.ReaderAt(bytes.NewReader(raw), int64(len(raw)))
	for _, c := range both {
		b.Run(c.String(), func(b *testing.B) {
			f := memFile{make([]byte, 40<<20)}
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if _, err := Write(b.Context(), &f, src, Options{Compression: c}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
