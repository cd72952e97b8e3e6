package qcow2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"slipway/internal/finding"
)

const (
	maxFindings = 100
	maxFile     = 1 << 40 // bytes: bounds the counts in memory to 36 MiB
)

// Check reads all tables of the image r of size bytes and returns what is wrong with them, in order of offset. It checks
// that every table and cluster is aligned, within the file and apart from all others, that every reference count is
// exact, and so is every entry's "copied" bit; it does not decode clusters, which reading the [Image] does. After a
// hundred findings it reads no further. An error means that the file is no image of the kind that this package reads, or
// unreadable.
//
// Memory: 18 bits for each 64 KiB of the file, and 17 MiB, whatever the tables say.
func Check(r io.ReaderAt, size int64) ([]finding.Finding, error) {
	h, err := decodeHeader(r)
	if err == nil && size > maxFile {
		err = fmt.Errorf("a file of %d bytes is too large", size)
	}
	if err != nil {
		return nil, fmt.Errorf("checking qcow2: %w", err)
	}
	n := ceil(size, clusterSize)
	c := &checker{found: finding.List{Most: maxFindings}, r: r, size: size, h: h, refs: make([]uint16, n), whole: newBits(n), single: newBits(n), sound: newBits(int64(h.L1Size))}
	if err := c.all(); err != nil && !errors.Is(err, errEnough) {
		return nil, fmt.Errorf("checking qcow2: %w", err)
	}
	return c.found.Sorted(size), nil
}

type checker struct {
	r      io.ReaderAt
	size   int64
	h      header
	refs   []uint16 // of each host cluster: references found, up to 65535
	whole  bits     // of each host cluster: whether a table or a plain cluster has it to itself
	single bits     // of each host cluster: whether its reference count is 1
	sound  bits     // of each L1 entry: whether its table may be read
	found  finding.List
}

// errEnough ends the reading of an image that is broken enough.
var errEnough = errors.New("there is more than a hundred findings")

// add notes what is wrong with how the tables are kept.
func (c *checker) add(off int64, format string, args ...any) {
	c.found.Add(off, format, args...)
}

// damage notes what makes it uncertain where the disk is.
func (c *checker) damage(off int64, format string, args ...any) {
	c.found.Note(finding.Finding{Offset: off, Damage: true}, format, args...)
}

// enough is asked after each table.
func (c *checker) enough() error {
	if c.found.Full() {
		return errEnough
	}
	return nil
}

func (c *checker) all() error {
	c.claim(0, clusterSize, "header", 0)
	if err := c.extensions(); err != nil {
		return err
	}
	if err := c.l1(); err != nil {
		return err
	}
	blocks, err := c.refTable()
	if err != nil {
		return err
	}
	if err := c.overlaps(); err != nil {
		return err
	}
	if err := c.counts(blocks); err != nil {
		return err
	}
	return c.copiedBits()
}

// claim counts a reference to each whole cluster of n bytes at off, which the entry at byte from of the file makes, and
// says whether they are there and nobody's yet.
func (c *checker) claim(off, n int64, what string, from int64) bool {
	if off%clusterSize != 0 || off < 0 || off > c.size || n > c.size-off {
		c.damage(from, "%s at byte %d is out of place", what, off)
		return false
	}
	free := true
	for i := off / clusterSize; i < ceil(off+n, clusterSize); i++ {
		free = free && c.refs[i] == 0
		c.whole.set(i)
		c.count(i)
	}
	if !free {
		c.damage(from, "%s at byte %d overlaps something else", what, off)
	}
	return free
}

func (c *checker) count(cluster int64) {
	if c.refs[cluster] < 1<<16-1 {
		c.refs[cluster]++
	}
}

// extensions walks the header's extensions, which are in the first cluster. What they say may be ignored.
func (c *checker) extensions() error {
	b := make([]byte, min(clusterSize, c.size))
	if err := readAt(c.r, b, 0); err != nil {
		return err
	}
	for at := int(c.h.Length); ; {
		if len(b) < at+8 {
			return nil // a full cluster needs no end mark
		}
		kind, n := binary.BigEndian.Uint32(b[at:]), int64(binary.BigEndian.Uint32(b[at+4:]))
		if kind == 0 {
			return nil
		}
		if n > int64(len(b)-at-8) {
			c.add(int64(at), "header extension %#x of %d bytes does not fit", kind, n)
			return nil
		}
		at += 8 + int(ceil(n, 8)*8)
	}
}

// l1 walks the L1 table and all L2 tables.
func (c *checker) l1() error {
	off, n := int64(c.h.L1Offset), int64(c.h.L1Size)
	if n == 0 || !c.claim(off, n*8, "L1 table", 40) {
		return nil
	}
	for i := int64(0); i < n; i += perL2 {
		words, err := readWords(c.r, off+i*8, min(perL2, n-i))
		if err != nil {
			return err
		}
		for j, e := range words {
			if err := c.l1Entry(e, i+int64(j), off+(i+int64(j))*8); err != nil {
				return err
			}
		}
	}
	return nil
}

// l1Entry takes entry i, which is at byte from of the file.
func (c *checker) l1Entry(e uint64, i, from int64) error {
	at := int64(e & offsetMask)
	switch {
	case e == 0:
		return nil
	case e&l1Reserved != 0 || at == 0:
		c.damage(from, "L1 entry %#x has reserved bits or no offset", e)
		return nil
	case i >= l1Entries(int64(c.h.Size)):
		c.add(from, "L1 entry %#x is past the disk's end", e)
	}
	if !c.claim(at, clusterSize, "L2 table", from) {
		return nil
	}
	c.sound.set(i)
	words, err := readWords(c.r, at, perL2)
	if err != nil {
		return err
	}
	for j, e := range words {
		if e != 0 && i*perL2+int64(j) >= ceil(int64(c.h.Size), clusterSize) {
			c.add(at+int64(j)*8, "L2 entry %#x is past the disk's end", e)
		}
		c.l2Entry(e, at+int64(j)*8)
	}
	return c.enough()
}

func (c *checker) l2Entry(e uint64, from int64) {
	switch {
	case e&isPacked != 0:
		c.packedEntry(e, from)
	case e&l2Reserved != 0:
		c.damage(from, "L2 entry %#x has reserved bits", e)
	case e&offsetMask != 0:
		c.claim(int64(e&offsetMask), clusterSize, "cluster", from)
	case e&copied != 0:
		c.add(from, "L2 entry %#x is copied to nowhere", e)
	}
}

// packedEntry counts a reference to each host cluster that a compressed cluster touches.
func (c *checker) packedEntry(e uint64, from int64) {
	start, end := packedSpan(e)
	if start >= c.size || end > ceil(c.size, sectorSize)*sectorSize {
		c.damage(from, "compressed cluster from byte %d to %d is out of the file", start, end)
		return
	}
	if e&copied != 0 {
		c.add(from, "compressed cluster at byte %d is marked copied", start)
	}
	for i := start / clusterSize; i < ceil(end, clusterSize); i++ {
		if c.whole.has(i) {
			c.damage(from, "compressed cluster at byte %d overlaps something else", start)
		}
		c.count(i)
	}
}
