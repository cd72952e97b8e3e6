package zframe

import (
	"encoding/binary"
	mathbits "math/bits"
)

// The numbers of bits of the hashes. Both tables take 48 KiB, and clearing them a microsecond or two. Measured on 150 MiB of
// sources and programs, a bit less for either makes frames 0.2 to 0.3 % larger, a bit more 0.1 to 0.2 % smaller.
const (
	longBits  = 13 // of 8 bytes
	shortBits = 14 // of 5 bytes
)

const (
	minMatch = 4                   // bytes; what a match of 3 saves, its offset costs
	mostSeqs = MaxInput / minMatch // of one input, as each has a match
	block    = 16                  // bytes that are copied at once, which may be more than are asked for
)

// sequence is a run of literals and the match behind it.
type sequence struct {
	offset   uint32 // 1 to 3 are the last three offsets, a greater one is 3 more than it says, 3.1.1.5
	literals uint16
	match    uint16 // length less 3
}

// finder parses an input. As libzstd's level 3 does, it remembers for the 8 bytes and for the 5 bytes at each position
// where they were last, prefers the longer match, and takes the first that it finds.
//
// The tables hold positions. One that is not set says 0, which is a guess as good as any: what a table says is compared
// with the input. The arrays have room for every position of 16 bits, so that the compiler leaves out checks.
type finder struct {
	src   [MaxInput + block]byte
	lits  [MaxInput + block]byte
	long  [1 << longBits]uint16
	short [1 << shortBits]uint16
	seqs  [mostSeqs]sequence
	nLits int
	nSeqs int
}

// spread is 2 to the 64th divided by the golden ratio: times it, numbers that are close together get far apart in the top
// bits (Knuth, The Art of Computer Programming, volume 3, 6.4).
const spread = 0x9e3779b97f4a7c15

func hash8(v uint64) uint64 { return v * spread >> (64 - longBits) }
func hash5(v uint64) uint64 { return v << 24 * spread >> (64 - shortBits) }

func (f *finder) load(at int) uint64 {
	at &= MaxInput - 1
	return binary.LittleEndian.Uint64(f.src[at : at+8])
}

// parse returns the literals and sequences of src, good until the next call.
func (f *finder) parse(src []byte) ([]byte, []sequence) {
	copy(f.src[:], src)
	clear(f.long[:])
	clear(f.short[:])
	f.nLits, f.nSeqs = 0, 0
	rest := f.matches(len(src))
	f.nLits += copy(f.lits[f.nLits:], src[rest:])
	return f.lits[:f.nLits], f.seqs[:f.nSeqs]
}

// matches stores the sequences of the first n bytes of src, and returns where the last one ends. It reads nothing behind
// them, where the input before may have been longer.
func (f *finder) matches(n int) (end int) {
	rep, rep2 := 1, 4 // the last offset and the one before; these are a decoder's first, 3.1.1.5
	limit := n - 9    // the last position with 8 bytes, and 8 bytes one further
	for {
		at, from := f.search(max(end, 1), rep, limit)
		if at < 0 {
			return end
		}
		length := minMatch + f.common(from+minMatch, at+minMatch, n)
		for at > end && from > 0 && f.src[at-1] == f.src[from-1] {
			at, from, length = at-1, from-1, length+1
		}
		if offset := at - from; offset == rep && at > end {
			f.store(end, at, 1, length)
		} else {
			f.store(end, at, offset+3, length)
			rep, rep2 = offset, rep
		}
		if end = at + length; end > limit {
			return end
		}
		f.remember(at+2, end-2)
		for end <= limit && uint32(f.load(end)) == uint32(f.load(end-rep2)) {
			rep, rep2 = rep2, rep // which is what 1 means where no literals are
			length := minMatch + f.common(end+minMatch-rep, end+minMatch, n)
			f.store(end, end, 1, length)
			f.put(end)
			end += length
		}
	}
}

// search finds the next match of minMatch bytes or more from s to limit: what is at at repeats what is at from. Without
// one, at is -1. The farther it gets, the longer its steps: by a byte for each 256, as what has no match that far is
// often compressed already.
func (f *finder) search(s, rep, limit int) (at, from int) {
	for first := s; s <= limit; s += 1 + (s-first)>>8 {
		v := f.load(s)
		hl, hs := hash8(v), hash5(v)
		long, short := int(f.long[hl]), int(f.short[hs])
		f.long[hl], f.short[hs] = uint16(s), uint16(s)
		if uint32(v>>8) == uint32(f.load(s+1-rep)) {
			return s + 1, s + 1 - rep
		}
		if v == f.load(long) {
			return s, long
		}
		if uint32(v) == uint32(f.load(short)) {
			if long, ok := f.longer(s + 1); ok {
				return s + 1, long
			}
			return s, short
		}
	}
	return -1, 0
}

// longer looks for a match of 8 bytes at s.
func (f *finder) longer(s int) (from int, ok bool) {
	v := f.load(s)
	h := hash8(v)
	from = int(f.long[h])
	f.long[h] = uint16(s)
	return from, v == f.load(from)
}

// common is how many bytes at a, and at b behind it, are the same before n.
func (f *finder) common(a, b, n int) int {
	start := b
	for ; b+8 <= n; a, b = a+8, b+8 {
		if x := f.load(a) ^ f.load(b); x != 0 {
			return b - start + mathbits.TrailingZeros64(x)/8
		}
	}
	for b < n && f.src[a] == f.src[b] {
		a, b = a+1, b+1
	}
	return b - start
}

// store adds a sequence: literals up to at, and a match.
func (f *finder) store(literals, at, offset, length int) {
	if n := at - literals; n <= block {
		*(*[block]byte)(f.lits[f.nLits:]) = *(*[block]byte)(f.src[literals:])
	} else {
		copy(f.lits[f.nLits:], f.src[literals:at])
	}
	f.nLits += at - literals
	f.seqs[f.nSeqs] = sequence{uint32(offset), uint16(at - literals), uint16(length - 3)}
	f.nSeqs++
}

// remember puts places near both ends of a match into the tables: all of it would take longer than it saves.
func (f *finder) remember(a, b int) {
	f.put(a)
	f.long[hash8(f.load(b))] = uint16(b)
	f.short[hash5(f.load(b+1))] = uint16(b + 1)
}

func (f *finder) put(s int) {
	v := f.load(s)
	f.long[hash8(v)], f.short[hash5(v)] = uint16(s), uint16(s)
}
