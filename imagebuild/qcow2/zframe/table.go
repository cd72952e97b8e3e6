package zframe

import mathbits "math/bits"

// mostLog is that of the largest table of sequences, 3.1.1.3.2.1.
const mostLog = 9

// table encodes symbols by finite state entropy, 4.1. A state is from 1<<log to twice that; of a symbol and the state,
// the table gives bits to write, and the next state. The zero table is right for a single symbol, which takes no bits.
type table struct {
	log     uint8
	steps   [mostSymbols]step
	next    [1 << mostLog]uint16 // the states that stand for each symbol, ascending; symbol after symbol
	symbols [1 << mostLog]uint8  // what each state stands for, while the table is built
}

// step is what a symbol does to a state.
type step struct {
	bits uint32 // added to the state, gives the number of bits to write, in the upper half
	find int32  // added to what is left of the state, gives the index in next
}

func (t *table) build(d distribution) {
	t.log = d.log
	t.spread(d)
	from := 0
	var place [mostSymbols]int
	for s, share := range d.shares {
		n := states(share)
		t.steps[s], place[s] = newStep(n, from, d.log), from
		from += n
	}
	for i, s := range t.symbols[:1<<d.log] {
		p := &place[s&(mostSymbols-1)]
		t.next[*p&(1<<mostLog-1)] = uint16(1<<d.log + i)
		*p++
	}
}

// newStep is for a symbol of n states, the first of them at from in next. Bits are taken off a state until n to 2n-1 is
// left, which says which of the n comes next: that is most bits, or, from the states below n<<most, one less.
func newStep(n, from int, log uint8) step {
	if n == 0 {
		return step{}
	}
	most := uint32(log) + 1 - uint32(mathbits.Len(uint(n-1)))
	return step{bits: most<<16 - uint32(n)<<most, find: int32(from - n)}
}

// spread gives each state a symbol, 4.1.1: the rarest get the last ones, the others take turns in wide steps.
func (t *table) spread(d distribution) {
	size := 1 << d.log
	end := size
	for s, share := range d.shares {
		if share == less {
			end--
			t.symbols[end] = uint8(s)
		}
	}
	at, wide := 0, size>>1+size>>3+3
	for s, share := range d.shares {
		for range share {
			t.symbols[at&(1<<mostLog-1)] = uint8(s)
			for at = (at + wide) & (size - 1); at >= end; {
				at = (at + wide) & (size - 1)
			}
		}
	}
}

// first is the state that stands for the last symbol, which nothing precedes in the stream: the first of its states.
func (t *table) first(s uint8) uint32 {
	p := t.steps[s&(mostSymbols-1)]
	n := (p.bits + 1<<15) >> 16
	return uint32(t.next[(int32((n<<16-p.bits)>>n)+p.find)&(1<<mostLog-1)])
}

// encode adds the bits of a symbol, and returns the next state.
func (t *table) encode(b bits, state uint32, s uint8) (bits, uint32) {
	p := t.steps[s&(mostSymbols-1)]
	n := (state + p.bits) >> 16
	return b.add(uint64(state), uint(n)), uint32(t.next[(int32(state>>(n&31))+p.find)&(1<<mostLog-1)])
}

// end adds the last state, which a decoder begins with.
func (t *table) end(b bits, state uint32) bits { return b.add(uint64(state), uint(t.log)) }
