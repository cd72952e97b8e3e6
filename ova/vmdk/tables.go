package vmdk

import (
	"bufio"
	"encoding/binary"
	"io"
)

// frontTables checks a directory and tables between the descriptor and the first grain. Entries and grains are both in
// ascending order, so it reads the tables once, side by side with the stream.
type frontTables struct {
	l     *linter
	table *bufio.Reader // nil: cannot be read
	at    int64         // of the next entry, bytes
	next  int64         // grain of the next entry
	count int64         // entries
}

func newFrontTables(l *linter) *frontTables {
	n := tables(l.h.Capacity)
	dir := l.h.DirectoryOffset
	first := dir + directorySectors(n)
	if dir > maxFile || first+n*tableSectors > uint64(l.size/sector) {
		l.add(56, "header: the file ends before its grain tables, which start at sector %d, do", dir)
		return &frontTables{}
	}
	f := &frontTables{l: l, at: int64(dir) * sector, count: int64(n) * tableEntries}
	f.table = bufio.NewReaderSize(io.NewSectionReader(l.r, f.at, l.size-f.at), readAhead)
	for i := range directorySectors(n) * sector / 4 {
		var want uint32
		if i < n {
			want = uint32(first + i*tableSectors)
		}
		f.entry(want, "grain directory: entry %d is %d, want %d", int64(i))
	}
	return f
}

// entry reads the next number, of the directory or a table, and compares it.
func (f *frontTables) entry(want uint32, format string, i int64) {
	if f.table == nil {
		return
	}
	var b [4]byte
	if _, err := io.ReadFull(f.table, b[:]); err != nil {
		f.l.add(f.at, "reading grain tables: %v", err)
		f.table = nil
		return
	}
	if got := binary.LittleEndian.Uint32(b[:]); got != want {
		f.l.add(f.at, format, i, got, want)
	}
	f.at += 4
}

const tableEntryText = "grain table: entry of grain %d is %d, want %d"

func (f *frontTables) grain(index int64, place uint64) {
	f.holes(index)
	f.entry(uint32(place), tableEntryText, index)
	f.next++
}

// holes expects no grain from the next one up to index.
func (f *frontTables) holes(index int64) {
	for ; f.table != nil && f.next < index && !f.l.full(); f.next++ {
		f.entry(0, tableEntryText, f.next)
	}
}

func (f *frontTables) end(int64) { f.holes(f.count) }

func (f *frontTables) mark(s *stream, m marker, at int64) bool {
	s.l.add(at, "marker of type %d among the grains, which have their tables at the front", m.Type)
	return false
}

// backTables checks tables that follow the grains: each after its own grains, then the directory, then the footer, all
// behind markers.
type backTables struct {
	l         *linter
	table     [tableEntries]uint32
	tableNo   int64       // of table; -1: no grain since the last one
	places    []tableSeen // of the tables so far
	directory uint64      // sector
	stage     uint32      // type of the last marker
}

type tableSeen struct {
	no    int64
	place uint32
}

func newBackTables(l *linter) *backTables {
	const start = directoryStart * sector
	if b, ok := l.bytes(start, footerOverhead*sector-start); ok {
		l.zeros(start, b, "room between descriptor and grains")
	}
	return &backTables{l: l, tableNo: -1}
}

func (t *backTables) grain(index int64, place uint64) {
	no := index / tableEntries
	if no != t.tableNo {
		t.missing(int64(place) * sector)
		t.tableNo = no
	}
	t.table[index%tableEntries] = uint32(place)
	if t.stage > markTable {
		t.l.add(int64(place)*sector, "grain %d comes after the grain directory", index)
	}
}

// missing is called where grain table tableNo should have been.
func (t *backTables) missing(at int64) {
	if t.tableNo >= 0 {
		t.l.add(at, "grain table %d is missing here", t.tableNo)
	}
	clear(t.table[:])
	t.tableNo = -1
}

func (t *backTables) mark(s *stream, m marker, at int64) bool {
	if m.Type > markFooter || m.Type < t.stage || m.Type == t.stage && m.Type != markTable {
		t.l.add(at, "marker of type %d after one of type %d", m.Type, t.stage)
		return false
	}
	t.stage = m.Type
	switch m.Type {
	case markTable:
		return t.readTable(s, m, at)
	case markDirectory:
		t.missing(at)
		return t.readDirectory(s, m, at)
	default:
		return t.readFooter(s, m, at)
	}
}

// value checks the number of sectors in a marker.
func (t *backTables) value(m marker, at int64, want uint64) {
	if m.Value != want {
		t.l.add(at, "marker of type %d: %d sectors, want %d", m.Type, m.Value, want)
	}
}

func (t *backTables) readTable(s *stream, m marker, at int64) bool {
	t.value(m, at, tableSectors)
	b := s.buf[:tableSectors*sector]
	if !s.read(b, "a grain table") {
		return false
	}
	if t.tableNo < 0 {
		t.l.add(at, "grain table without a grain before it")
		return true
	}
	for i, want := range t.table {
		if got := entry(b, i); got != uint64(want) {
			t.l.add(at+sector+4*int64(i), tableEntryText, t.tableNo*tableEntries+int64(i), got, want)
		}
	}
	if n := len(t.places); n > 0 && t.places[n-1].no == t.tableNo {
		t.l.add(at, "grain table %d is there twice", t.tableNo)
	} else {
		t.places = append(t.places, tableSeen{t.tableNo, uint32(at/sector + 1)})
	}
	t.tableNo = -1
	t.missing(at)
	return true
}

func (t *backTables) readDirectory(s *stream, m marker, at int64) bool {
	n := directorySectors(tables(t.l.h.Capacity))
	t.value(m, at, n)
	t.directory = uint64(at/sector + 1)
	places := t.places
	b := s.buf[:sector]
	for i := range int64(n) {
		from := s.at
		if !s.read(b, "the grain directory") {
			return false
		}
		for j := range int64(sector / 4) {
			var want uint32
			if len(places) > 0 && places[0].no == i*(sector/4)+j {
				want, places = places[0].place, places[1:]
			}
			if got := entry(b, int(j)); got != uint64(want) {
				t.l.add(from+4*j, "grain directory: entry %d is %d, want %d", i*(sector/4)+j, got, want)
			}
		}
	}
	return true
}

func (t *backTables) readFooter(s *stream, m marker, at int64) bool {
	t.value(m, at, 1)
	b := s.buf[:sector]
	if !s.read(b, "the footer") {
		return false
	}
	t.l.header(at+sector, "footer", b, newFooter(t.l.h.Capacity, t.directory))
	return true
}

func (t *backTables) end(at int64) {
	if t.stage != markFooter {
		t.l.add(at, "the end comes before the footer")
	}
}
