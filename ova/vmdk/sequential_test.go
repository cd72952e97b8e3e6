package vmdk

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestSequentialWrite(t *testing.T) {
	for _, size := range []int{1, grainSize, 2*align + 17} {
		image := randomImage(seeded(uint64(size)), size)
		want, _ := mustWrite(t, image)
		for _, workers := range []int{1, 2, 8} {
			var m memory
			s := Sequential(iotest.HalfReader(bytes.NewReader(image)), int64(size))
			if _, err := Write(t.Context(), &m, s, Options{Workers: workers}); err != nil || !bytes.Equal(m.b, want) {
				t.Errorf("%d bytes, %d workers: file differs, %v", size, workers, err)
			}
		}
	}
}

func TestSequentialOutOfOrder(t *testing.T) {
	image := randomImage(seeded(1), 1000)
	s := Sequential(bytes.NewReader(image), 1000)
	for _, r := range []span{{300, 400}, {700, 800}, {100, 200}, {150, 150}, {200, 300}, {0, 100}, {400, 700}, {800, 1000}} {
		p := make([]byte, r.to-r.from)
		if n, err := s.ReadAt(p, int64(r.from)); n != len(p) || err != nil || !bytes.Equal(p, image[r.from:r.to]) {
			t.Errorf("%v: %d bytes, %v", r, n, err)
		}
	}
	if _, err := s.ReadAt(make([]byte, 1), 500); err == nil || !strings.Contains(err.Error(), "byte 500 was read before") {
		t.Errorf("reading again: %v", err)
	}
	if k := s.(*sequential); len(k.kept) != 0 || k.room != 0 {
		t.Errorf("%d bytes in %d pieces are kept", k.room, len(k.kept))
	}
}

func TestSequentialAcrossPieces(t *testing.T) {
	image := randomImage(seeded(1), 1000)
	s := Sequential(bytes.NewReader(image), 1000)
	for _, r := range []span{{100, 200}, {300, 400}, {50, 100}, {0, 50}} {
		if _, err := s.ReadAt(make([]byte, r.to-r.from), int64(r.from)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.ReadAt(make([]byte, 150), 200); err == nil { // 300 to 350 is gone
		t.Error("what was read before was given again")
	}
}

func TestSequentialFails(t *testing.T) {
	broken := errors.New("connection reset")
	for name, c := range map[string]struct {
		r    io.Reader
		want string
	}{
		"short":  {bytes.NewReader(make([]byte, align)), "the image ends after"},
		"broken": {io.MultiReader(bytes.NewReader(make([]byte, align+1)), iotest.ErrReader(broken)), "connection reset"},
	} {
		_, err := Write(t.Context(), &memory{}, Sequential(c.r, 3*align), Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A reader further on meets the end first; the one before it learns why, not only that.
	ahead := Sequential(io.MultiReader(bytes.NewReader(make([]byte, 10)), iotest.ErrReader(broken)), 100)
	for _, off := range []int64{50, 0, 20} {
		if n, err := ahead.ReadAt(make([]byte, 20), off); !errors.Is(err, broken) || n != map[int64]int{0: 10}[off] {
			t.Errorf("at %d: %d bytes, %v", off, n, err)
		}
	}
	s := Sequential(bytes.NewReader(nil), 1<<40)
	if _, err := s.ReadAt(make([]byte, 1), maxKept+1); err == nil || !strings.Contains(err.Error(), "long before") {
		t.Errorf("far ahead: %v", err)
	}
}
