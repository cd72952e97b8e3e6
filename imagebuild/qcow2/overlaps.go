package qcow2

import (
	"cmp"
	"slices"
)

// bits is a set of numbers from 0 on.
type bits []uint64

func newBits(n int64) bits { return make(bits, ceil(n, 64)) }

func (b bits) set(i int64)      { b[i/64] |= 1 << (i % 64) }
func (b bits) has(i int64) bool { return b[i/64]&(1<<(i%64)) != 0 }

// entry is of a table, and at a byte of the file.
type entry struct {
	at    int64
	value uint64
}

// tables reads all sound L2 tables again, each with the L1 entry that names it.
func (c *checker) tables(f func(l1 entry, l2 []uint64) error) error {
	for i := int64(0); i < int64(c.h.L1Size); i += perL2 {
		at := int64(c.h.L1Offset) + i*8
		l1, err := readWords(c.r, at, min(perL2, int64(c.h.L1Size)-i))
		if err != nil {
			return err
		}
		for j, e := range l1 {
			if !c.sound.has(i + int64(j)) {
				continue
			}
			l2, err := readWords(c.r, int64(e&offsetMask), perL2)
			if err != nil {
				return err
			}
			if err := f(entry{at + int64(j)*8, e}, l2); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxSpans is how many compressed clusters are compared at a time, 16 bytes each.
const maxSpans = 1 << 20

// overlaps finds compressed clusters that have more in common than the sector in which one ends and the next begins. It
// takes them by their place in the file, as many at a time as memory has room for, and reads the tables again for more.
func (c *checker) overlaps() error {
	last := span{-sectorSize, 0}
	for from, more := int64(0), true; more; {
		w := window{from: from, to: c.size, spans: make([]span, 0, 1024)}
		if err := c.tables(func(_ entry, l2 []uint64) error { return c.fill(&w, l2) }); err != nil {
			return err
		}
		c.sorted(&w)
		for _, s := range w.spans {
			c.apart(last, s)
			last = s
		}
		if err := c.enough(); err != nil {
			return err
		}
		from, more = w.to, w.to < c.size
	}
	return nil
}

// window is the compressed clusters that begin in a part of the file.
type window struct {
	from, to int64
	spans    []span
}

// fill adds those of a table, and gives up the second half of the window when there are too many.
func (c *checker) fill(w *window, l2 []uint64) error {
	for _, e := range l2 {
		if e&isPacked == 0 {
			continue
		}
		if start, end := packedSpan(e); start >= w.from && start < w.to {
			w.spans = append(w.spans, span{start, end})
		}
	}
	if len(w.spans) <= maxSpans-perL2 {
		return nil
	}
	c.sorted(w)
	if half := maxSpans / 2; len(w.spans) > half {
		w.to = w.spans[half].start
		w.spans = w.spans[:half]
	}
	return c.enough()
}

// sorted orders the window. Clusters that begin at the same byte overlap, whatever else is found: one of them stays.
func (c *checker) sorted(w *window) {
	slices.SortFunc(w.spans, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	w.spans = slices.CompactFunc(w.spans, func(a, b span) bool {
		if a.start == b.start {
			c.overlap(a, b)
		}
		return a.start == b.start
	})
}

func (c *checker) apart(a, b span) {
	if b.start < a.end-sectorSize {
		c.overlap(a, b)
	}
}

func (c *checker) overlap(a, b span) {
	c.damage(b.start, "compressed clusters overlap: from byte %d to %d, and from %d on", a.start, a.end, b.start)
}
