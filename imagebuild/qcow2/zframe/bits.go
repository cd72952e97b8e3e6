package zframe

import "encoding/binary"

// bits gathers what a bitstream gets next, the first bit lowest. It is passed by value, so that it stays in registers.
type bits struct {
	acc uint64
	n   uint // bits in acc, less than 64
}

// add adds the low n bits of v. There must be room for them.
func (b bits) add(v uint64, n uint) bits {
	return bits{b.acc | v&(1<<(n&63)-1)<<(b.n&63), b.n + n}
}

// flush stores the whole bytes at at, where there must be room for 8, and returns where the next one goes. At most 7
// bits are left.
func (b bits) flush(out []byte, at int) (bits, int) {
	binary.LittleEndian.PutUint64(out[at:], b.acc)
	whole := b.n &^ 7
	return bits{b.acc >> (whole & 63), b.n & 7}, at + int(whole>>3)
}

// close adds the bit by which a decoder, which starts at the end, knows the last bit, and returns the stream's length.
func (b bits) close(out []byte, at int) int {
	b, at = b.add(1, 1).flush(out, at)
	if b.n > 0 {
		at++ // flush has stored them
	}
	return at
}

// spill appends the whole bytes.
func (b bits) spill(dst []byte) ([]byte, bits) {
	for ; b.n >= 8; b = (bits{b.acc >> 8, b.n - 8}) {
		dst = append(dst, byte(b.acc))
	}
	return dst, b
}
