package qcow2

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// Finding is something wrong with an image.
type Finding struct {
	Offset int64 // bytes from the start of the file
	Text   string
}

func (f Finding) String() string { return fmt.Sprintf("byte %d: %s", f.Offset, f.Text) }

const (
	maxFindings = 100
	maxFile     = 1 << 40 // bytes: bounds the counts in memory to 80 MiB
)

// Check reads all tables of the image r of size bytes and returns all that is wrong with them, in order of offset, a
// hundred at the most. It checks that every table and cluster is aligned, within the file and apart from all others,
// that every reference count is exact, and so is every entry's "copied" bit; it does not decode clusters, which reading
// the [Image] does. An error means that the file is no image of the kind that this package reads, or unreadable.
//
// Memory: 5 bytes for each 64 KiB of the file, and 16 for each of its tables and compressed clusters.
func Check(r io.ReaderAt, size int64) ([]Finding, error) {
	h, err := decodeHeader(r)
	if err == nil && size > maxFile {
		err = fmt.Errorf("a file of %d bytes is too large", size)
	}
	if err != nil {
		return nil, fmt.Errorf("checking qcow2: %w", err)
	}
	c := &checker{r: r, size: size, h: h, refs: make([]uint16, ceil(size, clusterSize)), whole: make([]bool, ceil(size, clusterSize))}
	if err := c.all(); err != nil {
		return nil, fmt.Errorf("checking qcow2: %w", err)
	}
	slices.SortStableFunc(c.found, func(a, b Finding) int { return cmp.Compare(a.Offset, b.Offset) })
	return c.found, nil
}

// entry is of a table, and at a byte of the file.
type entry struct {
	at    int64
	value uint64
}

type checker struct {
	r      io.ReaderAt
	size   int64
	h      header
	refs   []uint16 // of each host cluster: references found, up to 65535
	whole  []bool   // of each host cluster: whether a table or a plain cluster has it to itself
	sound  []entry  // L1 entries whose tables may be read
	packed []span   // compressed clusters, each to the end of its last sector
	found  []Finding
}

func (c *checker) add(off int64, format string, args ...any) {
	if len(c.found) < maxFindings {
		c.found = append(c.found, Finding{off, fmt.Sprintf(format, args...)})
	}
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
	c.overlaps()
	counts, err := c.counts(blocks)
	if err != nil {
		return err
	}
	return c.copiedBits(counts)
}

// claim counts a reference to each whole cluster of n bytes at off, which the entry at byte from of the file makes, and
// says whether they are there and nobody's yet.
func (c *checker) claim(off, n int64, what string, from int64) bool {
	if off%clusterSize != 0 || off < 0 || off > c.size || n > c.size-off {
		c.add(from, "%s at byte %d is out of place", what, off)
		return false
	}
	free := true
	for i := off / clusterSize; i < ceil(off+n, clusterSize); i++ {
		free = free && c.refs[i] == 0
		c.whole[i] = true
		c.count(i)
	}
	if !free {
		c.add(from, "%s at byte %d overlaps something else", what, off)
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
		c.add(from, "L1 entry %#x has reserved bits or no offset", e)
		return nil
	case i >= l1Entries(int64(c.h.Size)):
		c.add(from, "L1 entry %#x is past the disk's end", e)
	}
	if !c.claim(at, clusterSize, "L2 table", from) {
		return nil
	}
	c.sound = append(c.sound, entry{from, e})
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
	return nil
}

func (c *checker) l2Entry(e uint64, from int64) {
	switch {
	case e&isPacked != 0:
		c.packedEntry(e, from)
	case e&l2Reserved != 0:
		c.add(from, "L2 entry %#x has reserved bits", e)
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
		c.add(from, "compressed cluster from byte %d to %d is out of the file", start, end)
		return
	}
	if e&copied != 0 {
		c.add(from, "compressed cluster at byte %d is marked copied", start)
	}
	c.packed = append(c.packed, span{start, end})
	for i := start / clusterSize; i < ceil(end, clusterSize); i++ {
		if c.whole[i] {
			c.add(from, "compressed cluster at byte %d overlaps something else", start)
		}
		c.count(i)
	}
}

// overlaps finds compressed clusters that have more in common than the sector in which one ends and the next begins.
func (c *checker) overlaps() {
	slices.SortFunc(c.packed, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	for i := 1; i < len(c.packed); i++ {
		a, b := c.packed[i-1], c.packed[i]
		if a.start == b.start || b.start < a.end-sectorSize {
			c.add(b.start, "compressed clusters overlap: from byte %d to %d, and from %d on", a.start, a.end, b.start)
		}
	}
}
