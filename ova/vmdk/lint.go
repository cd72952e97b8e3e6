package vmdk

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"slices"
	"strings"

	"slipway/internal/finding"
	"slipway/internal/grain"
)

// maxFindings is where a file is broken enough.
const maxFindings = 100

// Lint reads all of the VMDK in the first size bytes of r and names everything that differs from what Write makes of
// the same content, sorted by place; tables at the end of the file, behind markers, are as good as at the front. The
// descriptor is held to every line and to the content ID, so that another program's file, even a good one, has
// findings; a file without any has the content that it was written with. After 100 findings it gives up.
func Lint(r io.ReaderAt, size int64) []finding.Finding {
	l := &linter{r: r, size: size, found: finding.List{Most: maxFindings}}
	l.file()
	return l.found.Sorted(size)
}

type linter struct {
	r     io.ReaderAt
	size  int64
	found finding.List
	h     header
	hash  contentHash
	whole bool // the hash is over all content
}

func (l *linter) add(off int64, format string, args ...any) {
	l.found.Add(off, format, args...)
}

func (l *linter) full() bool { return l.found.Full() }

// bytes reads n bytes at off; false, with a finding, if that fails.
func (l *linter) bytes(off int64, n int) ([]byte, bool) {
	b := make([]byte, n)
	if err := readAt(l.r, l.size, b, off); err != nil {
		l.add(off, "%v", err)
		return nil, false
	}
	return b, true
}

// zeros finds what is not zero in b, which is at off.
func (l *linter) zeros(off int64, b []byte, what string) {
	if grain.Zero(b) {
		return
	}
	i := bytes.IndexFunc(b, func(r rune) bool { return r != 0 })
	l.add(off+int64(i), "%s is not zero: %#02x", what, b[i])
}

func (l *linter) file() {
	if l.size%sector != 0 {
		l.add(l.size/sector*sector, "the file ends within a sector")
	}
	b, ok := l.bytes(0, directoryStart*sector)
	if !ok {
		return
	}
	var err error
	if l.h, err = decodeHeader(b[:sector]); err != nil {
		l.add(0, "%v", err)
		return
	}
	if c := l.h.Capacity; c == 0 || c > maxSectors || c%(align/sector) != 0 {
		l.add(12, "header: capacity of %d sectors is not a multiple of 1 MiB, from 1 MiB to 62 TiB", c)
		if c == 0 || c > maxSectors {
			return
		}
	}
	want := newHeader(l.h.Capacity)
	if l.h.DirectoryOffset == atEnd {
		want.DirectoryOffset, want.Overhead = atEnd, footerOverhead
	}
	l.header(0, "header", b[:sector], want)
	l.hash, l.whole = newContentHash(l.h.Capacity), true
	l.stream()
	l.descriptor(b[sector:])
}

// field is a number or text of the header, for findings.
type field struct {
	name     string
	off, len int
}

// headerFields is all of the header, see header.
var headerFields = []field{
	{"magic", 0, 4}, {"version", 4, 4}, {"flags", 8, 4}, {"capacity", 12, 8}, {"grain size", 20, 8}, {"descriptor offset", 28, 8},
	{"descriptor size", 36, 8}, {"entries in a grain table", 44, 4}, {"redundant directory offset", 48, 8},
	{"directory offset", 56, 8}, {"overhead", 64, 8}, {"unclean shutdown", 72, 1}, {"newline test", 73, 4},
	{"compression", 77, 2}, {"padding", 79, 433},
}

// header compares a header or footer at off, field by field.
func (l *linter) header(off int64, name string, got []byte, want header) {
	w, err := want.encode()
	if err != nil {
		l.add(off, "%v", err)
		return
	}
	for _, f := range headerFields {
		g, w := got[f.off:f.off+f.len], w[f.off:f.off+f.len]
		switch {
		case bytes.Equal(g, w):
		case f.len > 8:
			l.zeros(off+int64(f.off), g, name+": "+f.name)
		default:
			l.add(off+int64(f.off), "%s: %s is %#x, want %#x", name, f.name, number(g), number(w))
		}
	}
}

func number(b []byte) uint64 {
	var all [8]byte
	copy(all[:], b)
	return binary.LittleEndian.Uint64(all[:])
}

// descriptor compares the text, which follows the header, line by line.
func (l *linter) descriptor(area []byte) {
	got, padding, _ := bytes.Cut(area, []byte{0})
	l.zeros(int64(sector+len(area)-len(padding)), padding, "padding of the descriptor")
	id := claimedID(string(got))
	if l.whole {
		id = l.hash.id()
	}
	text, err := descriptor(l.h.Capacity, id)
	if err != nil {
		l.add(sector, "%v", err)
		return
	}
	l.lines(slices.Collect(strings.Lines(string(got))), slices.Collect(strings.Lines(text)))
}

func (l *linter) lines(got, want []string) {
	off := int64(sector)
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			l.add(off, "descriptor: line %d is missing: %q", i+1, want[i])
			return
		case i >= len(want):
			l.add(off, "descriptor: line %d is one too many: %.100q", i+1, got[i])
			return
		case got[i] != want[i]:
			l.add(off, "descriptor: line %d is %.100q, want %q", i+1, got[i], want[i])
			if len(got) != len(want) { // all others would be found, too
				return
			}
		}
		off += int64(len(got[i]))
	}
}

// claimedID is the content ID that a descriptor tells, or zeros.
func claimedID(text string) contentID {
	var id contentID
	if _, rest, ok := strings.Cut(text, "\nddb.longContentID = \""); ok && len(rest) >= 2*len(id) {
		if b, err := hex.DecodeString(rest[:2*len(id)]); err == nil {
			return contentID(b)
		}
	}
	return id
}
