package zframe

import mathbits "math/bits"

// less marks a symbol that is rarer than one state of a table: it gets one, at the table's end, 4.1.1.
const less = -1

// distribution says how many of the 1<<log states of a table each symbol has.
type distribution struct {
	shares []int16
	log    uint8
}

// The predefined ones, 3.1.1.3.2.2.
var (
	literalShares = [...]int16{4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1,
		less, less, less, less}
	offsetShares = [...]int16{1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, less, less, less, less, less}
	matchShares  = [...]int16{1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, less, less, less, less, less, less, less}
)

// states is how many of a table's states a share has.
func states(share int16) int {
	if share == less {
		return 1
	}
	return int(share)
}

// logFor is a good log for n symbols of which last is the greatest. Larger tables are more exact, and longer to describe:
// as in libzstd there are at most a quarter as many states as n, but no fewer than it can take to tell symbols apart.
func logFor(n int, last, most uint8) uint8 {
	const least = 5 // 4.1.1
	log := min(int(most), mathbits.Len(uint(n-1))-3)
	enough := min(mathbits.Len(uint(n)), mathbits.Len8(last)+1)
	return uint8(max(log, enough, least))
}

// normalize fills in the shares for counts that add up to n. What rounding leaves is the most frequent symbol's, to which
// it matters least.
func (d distribution) normalize(counts []uint32, n int) {
	left := 1 << d.log
	for i, c := range counts {
		d.shares[i] = share(uint64(c)<<d.log, uint64(n))
		left -= states(d.shares[i])
	}
	for ; left < 0; left++ {
		d.shares[largest(d.shares)]--
	}
	d.shares[largest(d.shares)] += int16(left)
}

// share rounds part/whole at the geometric mean of its neighbours: a share costs by its logarithm.
func share(part, whole uint64) int16 {
	low := part / whole
	switch {
	case part == 0:
		return 0
	case low == 0:
		return less
	case part*part > low*(low+1)*whole*whole: // below 1<<60: counts are below 1<<14, shares below 1<<10
		return int16(low + 1)
	}
	return int16(low)
}

func largest(shares []int16) (at int) {
	for i, n := range shares {
		if n > shares[at] {
			at = i
		}
	}
	return at
}

// cost is about how many bits so many of the symbols take. One with n states takes one of two numbers of bits; the mean
// over all states is log less log2 n, where log2 is a straight line between powers of two.
func (d distribution) cost(counts []uint32) int {
	const point = 8 // binary digits of a bit
	sum := 0
	for i, c := range counts {
		if c > 0 {
			n := states(d.shares[i])
			whole := mathbits.Len(uint(n)) - 1
			sum += int(c) * ((int(d.log)-whole+1)<<point - n<<point>>whole)
		}
	}
	return sum>>point + int(d.log)
}

// describe appends the description by which a decoder knows the shares, 4.1.1: each in as many bits as what is left for
// it needs, and after a 0 how many more follow, in twos.
func (d distribution) describe(dst []byte) []byte {
	b := bits{}.add(uint64(d.log-5), 4)
	left := 1<<d.log + 1
	for i := 0; left > 1; i++ {
		b = b.addShare(int(d.shares[i])+1, left)
		left -= states(d.shares[i])
		if d.shares[i] == 0 {
			zeros := 0
			for ; d.shares[i+1] == 0; i++ {
				zeros++
			}
			for ; zeros >= 3; zeros -= 3 {
				dst, b = b.add(3, 2).spill(dst)
			}
			b = b.add(uint64(zeros), 2)
		}
		dst, b = b.spill(dst)
	}
	if b.n > 0 {
		dst = append(dst, byte(b.acc))
	}
	return dst
}

// addShare adds a v of 0 to left. Where left+1 is no power of two, the smallest take a bit less, and the largest their
// place among those with all bits.
func (b bits) addShare(v, left int) bits {
	n := mathbits.Len(uint(left))
	short := 1<<n - 1 - left // so many are shorter
	switch {
	case v < short:
		return b.add(uint64(v), uint(n-1))
	case v >= 1<<(n-1):
		v += short
	}
	return b.add(uint64(v), uint(n))
}
