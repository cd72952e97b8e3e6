package ova

import (
	"archive/tar"
	"bytes"
	"slices"
	"strings"
	"time"
)

// recordSize is what GNU tar fills an archive up to, in zeros.
const recordSize = 20 * blockSize

const typeFile = '0'

// headers compares every header with the one that Write would write.
func (c *checker) headers() {
	for i, m := range c.Members {
		before := c.found.Count()
		c.header(m)
		if first := c.Members[0].Time; m.Time != first {
			c.find(m.Offset+136, "%q has time %d, the first file has %d", m.Name, m.Time, first)
		}
		if slices.ContainsFunc(c.Members[:i], func(o Member) bool { return strings.EqualFold(o.Name, m.Name) }) {
			c.find(m.Offset, "%q is in the archive twice", m.Name)
		}
		if c.found.Count() == before {
			c.canonical(m)
		}
		c.padding(m)
	}
}

func (c *checker) header(m Member) {
	if !m.Sum {
		c.find(m.Offset+148, "header of %q has a wrong checksum", m.Name)
	}
	if !c.kind(m) {
		return
	}
	if name := m.Prefix + m.Name; !plainName(name) {
		c.find(m.Offset, "name %q is not plain: no folders, only letters, digits, dots, hyphens and underscores", name)
	}
	for _, f := range []struct {
		at        int64
		what      string
		got, want int64
	}{{100, "mode", m.Mode, fileMode}, {108, "user", m.UID, 0}, {116, "group", m.GID, 0}} {
		if f.got != f.want {
			c.find(m.Offset+f.at, "%q has %s %#o, want %#o", m.Name, f.what, f.got, f.want)
		}
	}
	if m.Owner != "" || m.Group != "" {
		c.find(m.Offset+265, "%q has owner %q and group %q, want none", m.Name, m.Owner, m.Group)
	}
	switch {
	case m.Size >= ustarLimit && m.Magic != magicGNU:
		c.find(m.Offset+magicAt, "%q of %d bytes has magic %q, want GNU's %q", m.Name, m.Size, m.Magic, magicGNU)
	case m.Size < ustarLimit && m.Magic != magicUSTAR:
		c.find(m.Offset+magicAt, "%q has magic %q, want %q", m.Name, m.Magic, magicUSTAR)
	}
	if m.Binary && m.Size < ustarLimit {
		c.find(m.Offset+124, "%q of %d bytes has its size as a binary number", m.Name, m.Size)
	}
}

// kind says whether m is a file.
func (c *checker) kind(m Member) bool {
	switch m.Type {
	case typeFile:
		return true
	case 'x', 'g':
		c.find(m.Offset+156, "%q is a PAX header: importers cannot read it", m.Name)
	case 'L', 'K':
		c.find(m.Offset+156, "%q is a long name of GNU tar: importers cannot read it", m.Name)
	case '5':
		c.find(m.Offset+156, "%q is a folder", m.Name)
	default:
		c.find(m.Offset+156, "%q has type %q, want a file", m.Name, m.Type)
	}
	return false
}

// canonical names the first byte of a header that is not as Write would have it.
func (c *checker) canonical(m Member) {
	var want bytes.Buffer
	if err := tar.NewWriter(&want).WriteHeader(member{name: m.Name, size: m.Size}.header(time.Unix(m.Time, 0))); err != nil {
		c.find(m.Offset, "header of %q: %v", m.Name, err)
		return
	}
	got := make([]byte, blockSize)
	if err := c.read(got, m.Offset); err != nil {
		c.err = err
		return
	}
	for i, b := range want.Bytes() {
		if got[i] != b {
			c.find(m.Offset+int64(i), "header of %q: field %s is not as it should be", m.Name, fieldAt(i))
			return
		}
	}
}

// padding says whether the space after a file is zero.
func (c *checker) padding(m Member) {
	end := m.Data + m.stored
	b := make([]byte, min(padded(m.Size)-m.Size, max(0, c.Size-end)))
	if err := c.read(b, end); err != nil {
		c.err = err
		return
	}
	if i := firstByte(b); i >= 0 {
		c.find(end+int64(i), "the space after %q is not zero", m.Name)
	}
}

// end says whether two blocks of zeros end the archive, with nothing after them but GNU tar's filling.
func (c *checker) end() {
	if c.broken != "" {
		c.find(c.End, "%s", c.broken)
		return
	}
	if left := c.Size - c.End; left < 2*blockSize {
		c.find(c.End, "the archive ends with %d zeros, want %d", left, 2*blockSize)
	}
	limit := (c.End + 2*blockSize + recordSize - 1) / recordSize * recordSize
	if c.Size > limit {
		c.find(limit, "%d bytes follow the end of the archive", c.Size-limit)
	}
	b := make([]byte, min(c.Size, limit)-c.End)
	if err := c.read(b, c.End); err != nil {
		c.err = err
		return
	}
	if i := firstByte(b); i >= 0 {
		c.find(c.End+int64(i), "data follows the end of the archive")
	}
}

// firstByte is the index of the first byte that is not zero, or -1.
func firstByte(b []byte) int {
	return slices.IndexFunc(b, func(c byte) bool { return c != 0 })
}
