package vmdk

import (
	"bufio"
	"crypto/sha256"
	"io"

	"slipway/internal/grain"
)

// tableLint is told of the stream as it passes and compares the tables with it.
type tableLint interface {
	grain(index int64, place uint64)         // a grain in the right order
	mark(s *stream, m marker, at int64) bool // a marker that is no grain's and not the end; false: cannot go on
	end(at int64)                            // the end marker
}

// readAhead is how much Lint reads at a time.
const readAhead = 128 << 10

// stream is the sectors from the first grain on, in order.
type stream struct {
	l       *linter
	r       *bufio.Reader
	at      int64 // of the next sector, bytes
	last    int64 // index of the last grain, -1 before the first
	buf     []byte
	raw     []byte
	inflate inflater
	tables  tableLint
}

// stream checks everything after the descriptor.
func (l *linter) stream() {
	start := int64(l.h.Overhead)
	if l.h.Overhead > uint64(l.size/sector) {
		l.add(64, "header: the file ends before its first grain, at sector %d", l.h.Overhead)
		l.whole = false
		return
	}
	start *= sector
	s := &stream{l: l, at: start, last: -1, buf: make([]byte, maxLength(grainSize)+sector), raw: make([]byte, grainSize)}
	s.r = bufio.NewReaderSize(io.NewSectionReader(l.r, start, l.size-start), readAhead)
	if l.h.DirectoryOffset == atEnd {
		s.tables = newBackTables(l)
	} else {
		s.tables = newFrontTables(l)
	}
	l.whole = s.walk() && l.whole
}

// read is the next n bytes, whole sectors; false, with a finding, if they are not there.
func (s *stream) read(b []byte, what string) bool {
	if n, err := io.ReadFull(s.r, b); err != nil {
		s.l.add(s.at, "the file ends within %s, after %d of %d bytes: %v", what, n, len(b), err)
		return false
	}
	s.at += int64(len(b))
	return true
}

// walk goes from marker to marker up to the end; false if it did not get there.
func (s *stream) walk() bool {
	for !s.l.full() {
		at := s.at
		if at+sector > s.l.size {
			s.l.add(at, "there is no end marker: the last sector must be all zeros")
			return false
		}
		b := s.buf[:sector]
		if !s.read(b, "a marker") {
			return false
		}
		m := decodeMarker(b)
		switch {
		case m.Length != 0:
			if !s.grain(m, at) {
				return false
			}
		case m.Type == markEnd:
			s.end(b, at)
			return true
		default:
			s.l.zeros(at+16, b[16:], "rest of a marker")
			if !s.tables.mark(s, m, at) {
				return false
			}
		}
	}
	return false
}

// end checks the end marker, which is b, and that it is the last sector.
func (s *stream) end(b []byte, at int64) {
	s.l.zeros(at, b, "end marker")
	s.tables.end(at)
	if s.at != s.l.size {
		s.l.add(at, "the end marker is not in the last sector: %d bytes follow it", s.l.size-s.at)
	}
}

// grain checks a grain whose first sector is in buf; false if the next marker cannot be found.
func (s *stream) grain(m marker, at int64) bool {
	l := s.l
	if int64(m.Length) > maxLength(grainSize) {
		l.add(at+8, "grain: %d bytes is more than 64 KiB can need", m.Length)
		return false
	}
	used := markerSize + int(m.Length)
	all := s.buf[:ceil(uint64(used), sector)*sector]
	if !s.read(all[sector:], "a grain") {
		return false
	}
	l.zeros(at+int64(used), all[used:], "padding of a grain")
	good := s.content(at+markerSize, all[markerSize:used])
	if s.order(m.Value, at) {
		s.last = int64(m.Value / grainSectors)
		s.tables.grain(s.last, uint64(at/sector))
		if good {
			l.hash.add(s.last, digest(s.raw))
			return true
		}
	}
	l.whole = false
	return true
}

func digest(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}

// order checks the place on the disk that a grain is for.
func (s *stream) order(lba uint64, at int64) bool {
	switch {
	case lba >= s.l.h.Capacity || lba%grainSectors != 0:
		s.l.add(at, "grain: sector %d of the disk is no place for a grain", lba)
	case int64(lba/grainSectors) <= s.last:
		s.l.add(at, "grain: sector %d of the disk comes after sector %d, not ascending", lba, s.last*grainSectors)
	default:
		return true
	}
	return false
}

// content inflates a grain into s.raw.
func (s *stream) content(at int64, packed []byte) bool {
	n, rest, err := s.inflate.run(s.raw, packed)
	switch {
	case err != nil:
		s.l.add(at, "grain: %v", err)
	case n != grainSize:
		s.l.add(at, "grain: it inflates to %d bytes, not 64 KiB", n)
	case rest != 0:
		s.l.add(at+int64(len(packed)-rest), "grain: %d bytes follow its zlib stream", rest)
	case grain.Zero(s.raw):
		s.l.add(at, "grain: it is all zero and should not be stored")
	default:
		return true
	}
	return false
}
