package qcow2

import "encoding/binary"

// maxRefTable is QEMU's limit of a refcount table, in entries.
const maxRefTable = (8 << 20) / 8

// refTable walks the refcount table and gives where the blocks are; 0 for none.
func (c *checker) refTable() ([]int64, error) {
	off, n := int64(c.h.RefTableOffset), int64(c.h.RefTableClusters)*perL2
	blocks := make([]int64, ceil(int64(len(c.refs)), perBlock))
	if n == 0 || n > maxRefTable {
		c.add(56, "refcount table of %d clusters", c.h.RefTableClusters)
		return blocks, nil
	}
	if !c.claim(off, n*8, "refcount table", 48) {
		return blocks, nil
	}
	for i := int64(0); i < n; i += perL2 {
		words, err := readWords(c.r, off+i*8, perL2)
		if err != nil {
			return nil, err
		}
		for j, e := range words {
			c.refEntry(e, i+int64(j), off+(i+int64(j))*8, blocks)
		}
		if err := c.enough(); err != nil {
			return nil, err
		}
	}
	return blocks, nil
}

func (c *checker) refEntry(e uint64, i, from int64, blocks []int64) {
	switch {
	case e == 0:
	case e&^tableOffset != 0:
		c.damage(from, "refcount table entry %#x has reserved bits", e)
	case i >= int64(len(blocks)):
		c.add(from, "refcount table entry %#x is past the file's end", e)
	case c.claim(int64(e), clusterSize, "refcount block", from):
		blocks[i] = int64(e)
	}
}

// counts compares all reference counts with the references found.
func (c *checker) counts(blocks []int64) error {
	block := make([]byte, clusterSize)
	for i, at := range blocks {
		clear(block)
		if at != 0 {
			if err := readAt(c.r, block, at); err != nil {
				return err
			}
		}
		for j := range perBlock {
			c.compare(int64(i*perBlock+j), binary.BigEndian.Uint16(block[2*j:]), at+int64(2*j))
		}
		if err := c.enough(); err != nil {
			return err
		}
	}
	return nil
}

// compare takes one cluster's reference count, which is at byte from of the file.
func (c *checker) compare(cluster int64, count uint16, from int64) {
	switch off := cluster * clusterSize; {
	case cluster >= int64(len(c.refs)):
		if count != 0 {
			c.add(from, "the cluster at byte %d, past the file's end, has reference count %d", off, count)
		}
	case count > c.refs[cluster]:
		c.add(off, "cluster leaks: its reference count is %d, it has %d references", count, c.refs[cluster])
	case count < c.refs[cluster]:
		c.add(off, "cluster's reference count is %d, it has %d references", count, c.refs[cluster])
	}
	if cluster < int64(len(c.refs)) && count == 1 {
		c.single.set(cluster)
	}
}

// copiedBits checks that exactly the entries of tables and plain clusters whose reference count is 1 say so.
func (c *checker) copiedBits() error {
	return c.tables(func(l1 entry, l2 []uint64) error {
		c.copiedBit(l1.value, l1.at)
		for j, e := range l2 {
			if e&(isPacked|l2Reserved) == 0 && e&offsetMask != 0 {
				c.copiedBit(e, int64(l1.value&offsetMask)+int64(j)*8)
			}
		}
		return c.enough()
	})
}

func (c *checker) copiedBit(e uint64, from int64) {
	cluster := int64(e & offsetMask / clusterSize)
	if cluster >= int64(len(c.refs)) {
		return
	}
	if (e&copied != 0) != c.single.has(cluster) {
		c.add(from, "entry %#x: copied bit and reference count do not agree", e)
	}
}
