package ova

import (
	"errors"
	"fmt"
	"io"
)

// maxMembers is how many files of an archive are looked at.
const maxMembers = 64

// Archive is an OVA that was opened.
type Archive struct {
	Members []Member
	Size    int64 // bytes
	End     int64 // offset after the last member, where the end of the archive should begin
	r       io.ReaderAt
	broken  string // why the members end where they do, if not for the end of the archive
}

// Member is one file in an archive.
type Member struct {
	Header
	Offset int64 // of the header in the archive, bytes
	Data   int64 // of the content
	stored int64 // bytes of the content that are there: less than Size in an archive that was cut off
	r      io.ReaderAt
}

// Content reads what the file holds.
func (m Member) Content() *io.SectionReader { return io.NewSectionReader(m.r, m.Data, m.stored) }

// Open reads the headers of the tar archive r of size bytes, and nothing else. An error means that r is no tar archive or
// cannot be read; whatever is wrong with it otherwise is what Check is for.
func Open(r io.ReaderAt, size int64) (*Archive, error) {
	a := &Archive{Size: size, r: r}
	block := make([]byte, blockSize)
	for !a.ended() {
		if err := a.read(block, a.End); err != nil {
			return nil, fmt.Errorf("opening package: %w", err)
		}
		if isZero(block) {
			break
		}
		if err := a.add(block); err != nil {
			a.broken = err.Error()
		}
	}
	if len(a.Members) == 0 {
		return nil, errors.New("opening package: it is not a tar archive")
	}
	return a, nil
}

// ended says whether there is no further header to look at.
func (a *Archive) ended() bool {
	switch {
	case a.broken != "":
	case len(a.Members) == maxMembers:
		a.broken = fmt.Sprintf("there are more than %d files", maxMembers)
	case a.Size-a.End < blockSize:
		a.broken = "the archive ends without an end-of-archive block"
	default:
		return false
	}
	return true
}

// add appends the member whose header is block, and moves on behind it.
func (a *Archive) add(block []byte) error {
	h, err := parseHeader(block)
	if err != nil {
		return err
	}
	data := a.End + blockSize
	left := a.Size - data
	a.Members = append(a.Members, Member{h, a.End, data, min(h.Size, left), a.r})
	if h.Size > left || padded(h.Size) > left {
		a.End = a.Size
		return fmt.Errorf("%q of %d bytes goes beyond the end of the archive", h.Name, h.Size)
	}
	a.End = data + padded(h.Size)
	return nil
}

// read fills p from offset; that it is there was looked at before.
func (a *Archive) read(p []byte, offset int64) error {
	if n, err := a.r.ReadAt(p, offset); n < len(p) {
		return fmt.Errorf("reading %d bytes at byte %d: %w", len(p), offset, err)
	}
	return nil
}

// Member is the file called name.
func (a *Archive) Member(name string) (Member, bool) {
	for _, m := range a.Members {
		if m.Name == name && m.Type == '0' {
			return m, true
		}
	}
	return Member{}, false
}

func isZero(p []byte) bool {
	for _, c := range p {
		if c != 0 {
			return false
		}
	}
	return true
}
