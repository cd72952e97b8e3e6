package vmdk

import (
	"fmt"
	"io"
	"slices"
	"sync"
)

// Sequential is an image of size bytes that can be read only once and in order, such as a download being unpacked. It
// serves one Write: readers on several cores ask for pieces nearly in order, and what comes before a piece is kept
// until its own reader asks for it.
func Sequential(r io.Reader, size int64) Source { return &sequential{r: r, size: size} }

// maxKept bounds what Sequential keeps, bytes: far more than the readers of a large machine are apart.
const maxKept = 256 << 20

type sequential struct {
	size int64

	mu   sync.Mutex
	r    io.Reader
	at   int64   // of r
	err  error   // with which r ended
	kept []piece // read, not asked for yet
	room int64   // bytes in kept
}

type piece struct {
	off  int64
	data []byte
}

func (s *sequential) Size() int64 { return s.size }

func (s *sequential) Data(off int64) (start, end int64, err error) {
	if off >= s.size {
		return 0, 0, io.EOF
	}
	return off, s.size, nil
}

// ReadAt gives every byte once.
func (s *sequential) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if off < s.at {
		return s.take(p, off)
	}
	if err := s.keep(off); err != nil {
		return 0, err
	}
	return s.read(p)
}

// read gives what comes next. An error stays: a reader on another core may ask for the same bytes later.
func (s *sequential) read(p []byte) (n int, err error) {
	if s.err == nil {
		n, s.err = io.ReadFull(s.r, p)
		s.at += int64(n)
	}
	return n, s.err
}

// keep reads on to off.
func (s *sequential) keep(off int64) error {
	n := off - s.at
	if n == 0 {
		return nil
	}
	if s.room += n; s.room > maxKept {
		return fmt.Errorf("byte %d was asked for long before byte %d", off, s.at)
	}
	b := make([]byte, n)
	from := s.at
	read, err := s.read(b)
	s.kept = append(s.kept, piece{from, b[:read]})
	return err
}

// take gives what was kept, from one piece or, as a later reader's piece may have been passed in two, several.
func (s *sequential) take(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		at := off + int64(done)
		i := slices.IndexFunc(s.kept, func(k piece) bool { return k.off <= at && at < k.off+int64(len(k.data)) })
		if i < 0 && at == s.at {
			n, err := s.read(p[done:])
			return done + n, err
		}
		if i < 0 {
			return done, fmt.Errorf("byte %d was read before", at)
		}
		k := s.kept[i]
		n := copy(p[done:], k.data[at-k.off:])
		left, right := piece{k.off, k.data[:at-k.off]}, piece{at + int64(n), k.data[at-k.off+int64(n):]}
		s.kept = slices.Replace(s.kept, i, i+1, left, right)
		s.kept = slices.DeleteFunc(s.kept, func(k piece) bool { return len(k.data) == 0 })
		s.room -= int64(n)
		done += n
	}
	return done, nil
}
