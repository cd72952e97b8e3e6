package uki

import (
	"encoding/binary"
	"io"
	"testing"
)

// counted is a program with no end, and how much of it was read.
type counted struct {
	head []byte
	read int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if off < int64(len(c.head)) {
		copy(p, c.head[off:])
	}
	c.read += int64(len(p))
	return len(p), nil
}

// TestReadsHeadersOnly is about programs whose headers promise gigabytes of symbols and relocations.
func TestReadsHeadersOnly(t *testing.T) {
	const at = 0x80
	head := make([]byte, 4096)
	copy(head, "MZ")
	binary.LittleEndian.PutUint32(head[0x3c:], at)
	copy(head[at:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(head[at+6:], 2)           // sections
	binary.LittleEndian.PutUint32(head[at+12:], 1<<12)      // where symbols begin
	binary.LittleEndian.PutUint32(head[at+16:], 1<<28)      // how many
	binary.LittleEndian.PutUint16(head[at+24+32:], 1<<16-1) // relocations of the first section
	copy(head[at+24:], ".first\x00\x00")
	c := &counted{head: head}
	sections, err := Read(c)
	if err != nil || len(sections) != 2 || sections[0].Name != ".first" {
		t.Errorf("%v %v", sections, err)
	}
	if c.read > 4096 {
		t.Errorf("%d bytes were read", c.read)
	}
	binary.LittleEndian.PutUint16(head[at+6:], 1<<16-1)
	if _, err := Read(c); err == nil {
		t.Error("65535 sections were accepted")
	}
}

var _ io.ReaderAt = &counted{}
