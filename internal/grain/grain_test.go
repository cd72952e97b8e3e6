package grain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

const size = 64 << 10 // of a grain

// disk is n bytes of which some stretches, short and long, are not zero. The same seed gives the same disk.
func disk(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for at := 0; at < n; at += 1 + r.IntN(4*size) {
		for i := range b[at:min(n, at+r.IntN(size/2))] {
			b[at+i] = byte(1 + r.IntN(255))
		}
	}
	return b
}

// shout makes encoders that change the first byte and add one.
func shout() (Encoder, error) {
	return func(dst, g []byte) ([]byte, error) {
		dst = append(append(dst, g...), '!')
		dst[0]++
		return dst, nil
	}, nil
}

// collect puts the grains together again, and checks what each promises.
func collect(t *testing.T, src Source, o Options) []byte {
	t.Helper()
	got := make([]byte, ceil(src.Size(), int64(o.Size))*int64(o.Size))
	last := int64(-1)
	err := Each(t.Context(), src, o, func(g Grain) error {
		e := g.Encoded
		if g.Index <= last || len(g.Raw) != o.Size || Zero(g.Raw) {
			t.Fatalf("grain %d after %d, %d bytes", g.Index, last, len(g.Raw))
		}
		if len(e) != o.Size+1 || e[0] != g.Raw[0]+1 || !bytes.Equal(e[1:o.Size], g.Raw[1:]) || e[o.Size] != '!' {
			t.Fatalf("grain %d has another's encoding, of %d bytes", g.Index, len(e))
		}
		last = g.Index
		copy(got[g.Index*int64(o.Size):], g.Raw)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !Zero(got[src.Size():]) {
		t.Error("the last grain is not padded with zeros")
	}
	return got[:src.Size()]
}

func ceil(n, unit int64) int64 { return (n + unit - 1) / unit }

// boundaries are sizes around all that is special: sectors, grains, batches, all batches of two workers.
func boundaries() []int {
	var all []int
	for _, n := range []int{0, 512, size, batchSize, 6 * batchSize, 7*batchSize + size} {
		all = append(all, max(0, n-1), n, n+1)
	}
	return all
}

func TestEachGivesTheWholeDisk(t *testing.T) {
	for i, n := range boundaries() {
		want := disk(n, uint64(i))
		path := filepath.Join(t.TempDir(), "disk")
		writeSparse(t, path, want)
		for _, workers := range []int{0, 1, 5} {
			for _, unit := range []int{size, 4096, 512 << 10} {
				o := Options{Size: unit, Workers: workers, NewEncoder: shout}
				if got := collect(t, ReaderAt(bytes.NewReader(want), int64(n)), o); !bytes.Equal(got, want) {
					t.Errorf("%d bytes in grains of %d, %d workers: differ", n, unit, workers)
				}
				if got := collect(t, open(t, path), o); !bytes.Equal(got, want) {
					t.Errorf("file of %d bytes in grains of %d, %d workers: differ", n, unit, workers)
				}
			}
		}
	}
}

// writeSparse leaves holes where all of 4096 bytes are zero.
func writeSparse(t *testing.T, path string, b []byte) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(b); at += 4096 {
		if p := b[at:min(at+4096, len(b))]; !Zero(p) {
			if _, err := f.WriteAt(p, int64(at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(f.Truncate(int64(len(b))), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, path string) Source {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	src, err := File(f)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// meter counts what is read, and fails at one byte.
type meter struct {
	Source
	read, busy atomic.Int64
	failAt     int64 // 0: never
}

var errDisk = errors.New("the disk is broken")

func (m *meter) ReadAt(p []byte, off int64) (int, error) {
	m.busy.Add(1)
	defer m.busy.Add(-1)
	m.read.Add(int64(len(p)))
	if m.failAt > 0 && off <= m.failAt && m.failAt < off+int64(len(p)) {
		return 0, errDisk
	}
	return m.Source.ReadAt(p, off)
}

// TestHolesAreNotRead takes a disk of 1 TiB with two bytes in it.
func TestHolesAreNotRead(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const far = 1<<40 - 3
	for _, at := range []int64{5 << 30, far} {
		if _, err := f.WriteAt([]byte{1}, at); err != nil {
			t.Fatal(err)
		}
	}
	src, err := File(f)
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	m := &meter{Source: src}
	err = Each(t.Context(), m, Options{Size: size}, func(g Grain) error { got = append(got, g.Index); return nil })
	if want := []int64{5 << 30 / size, far / size}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if n := m.read.Load(); n > 4*size {
		t.Errorf("%d bytes read of 2", n)
	}
}

// TestFailures checks that every grain before the failure is emitted, none after it, and that the error says where.
func TestFailures(t *testing.T) {
	data := bytes.Repeat([]byte{7}, 40*size)
	whole := ReaderAt(bytes.NewReader(data), int64(len(data)))
	failEncoder := func() (Encoder, error) {
		return func(dst, g []byte) ([]byte, error) { return nil, errDisk }, nil
	}
	for name, c := range map[string]struct {
		src  Source
		o    Options
		want string
		is   error
		n    int
	}{
		"read":        {&meter{Source: whole, failAt: 33*size + 1}, Options{Size: size}, "reading image at byte 2097152: ", errDisk, 32},
		"short":       {ReaderAt(bytes.NewReader(data), 41*size), Options{Size: size}, "reading image at byte 2621440: the image ends after 2621440 of its 2686976 bytes: ", io.ErrUnexpectedEOF, 40},
		"encode":      {whole, Options{Size: size, NewEncoder: failEncoder}, "encoding grain at byte 0: ", errDisk, 0},
		"no encoder":  {whole, Options{Size: size, NewEncoder: func() (Encoder, error) { return nil, errDisk }}, "preparing encoder: ", errDisk, 0},
		"no size":     {whole, Options{}, "in grains of 0 bytes", nil, 0},
		"below zero":  {ReaderAt(nil, -1), Options{Size: 1}, "reading image: -1 bytes", nil, 0},
		"data":        {extents{whole, 3 * size, errDisk}, Options{Size: size}, "finding data at byte 196608: ", errDisk, 3},
		"no progress": {extents{whole, 0, nil}, Options{Size: size}, "finding data at byte 0: extent from 0 to 0", nil, 0},
		"too far":     {extents{whole, 41 * size, nil}, Options{Size: size}, "extent from 0 to 2686976 in an image of 2621440", nil, 0},
	} {
		n := 0
		err := Each(t.Context(), c.src, c.o, func(Grain) error { n++; return nil })
		if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) || n != c.n {
			t.Errorf("%s: %v after %d grains, want %q after %d", name, err, n, c.want, c.n)
		}
	}
}

// extents says that there is data up to end, and then err.
type extents struct {
	Source
	end int64
	err error
}

func (e extents) Data(off int64) (int64, int64, error) {
	if off > 0 {
		return 0, 0, e.err
	}
	return 0, e.end, nil
}

// TestStopsAtOnce ends Each in the middle, by emit's error and by the context, and checks that nothing runs any more and
// that it never was far ahead. A goroutine that stays makes the bubble fail.
func TestStopsAtOnce(t *testing.T) {
	data := bytes.Repeat([]byte{7}, 400*size)
	for _, byContext := range []bool{false, true} {
		for _, workers := range []int{1, 3} {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				m := &meter{Source: ReaderAt(bytes.NewReader(data), int64(len(data)))}
				o := Options{Size: size, Workers: workers, NewEncoder: shout}
				err := Each(ctx, m, o, func(g Grain) error {
					if g.Index < 49 {
						return nil
					}
					synctest.Wait() // until all others wait
					if ahead := m.read.Load() - 49*size; ahead > int64(2*workers+2)*batchSize {
						t.Errorf("%d bytes read ahead by %d workers", ahead, workers)
					}
					if cancel(); byContext && g.Index == 49 {
						return nil
					}
					return errDisk
				})
				want := errDisk
				if byContext && !errors.Is(err, errDisk) {
					want = context.Canceled
				}
				if !errors.Is(err, want) || m.busy.Load() != 0 {
					t.Errorf("%v, %d still reading", err, m.busy.Load())
				}
			})
		}
	}
}

func TestCancelledBeforeTheStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	src := ReaderAt(bytes.NewReader(make([]byte, size)), size)
	emit := func(Grain) error { return fmt.Errorf("a grain") }
	if err := Each(ctx, src, Options{Size: size}, emit); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func BenchmarkEach(b *testing.B) {
	data := bytes.Repeat([]byte("abcdefg1"), 64<<20/8)
	src := ReaderAt(bytes.NewReader(data), int64(len(data)))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := Each(b.Context(), src, Options{Size: size}, func(Grain) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
