package zframe

import (
	"errors"

	"github.com/klauspost/compress/huff0"
)

// Kinds of literals sections, 3.1.1.3.1.1.
const (
	rawLiterals        = 0
	rleLiterals        = 1
	compressedLiterals = 2
)

// fourStreams is the number of literals from which on they are in four streams, which decoders take at once. Of fewer,
// a short header holds both sizes.
const fourStreams = 1 << 10

// appendLiterals appends the literals section, 3.1.1.3.1: Huffman-coded if that is shorter.
func (e *Encoder) appendLiterals(dst, literals []byte) []byte {
	if len(literals) == 0 {
		return appendPlainHeader(dst, rawLiterals, 0)
	}
	compress := huff0.Compress4X
	if len(literals) < fourStreams {
		compress = huff0.Compress1X
	}
	packed, _, err := compress(literals, &e.huffman)
	switch {
	case errors.Is(err, huff0.ErrUseRLE):
		return append(appendPlainHeader(dst, rleLiterals, len(literals)), literals[0])
	case err != nil: // it would not be shorter
		return append(appendPlainHeader(dst, rawLiterals, len(literals)), literals...)
	}
	return append(appendPackedHeader(dst, len(literals), len(packed)), packed...)
}

// appendPlainHeader appends the header of n raw or equal literals: the kind in 2 bits, the size's format in 1 or 2, and
// n in 5, 12 or 20.
func appendPlainHeader(dst []byte, kind, n int) []byte {
	switch {
	case n < 1<<5:
		return append(dst, byte(kind|n<<3))
	case n < 1<<12:
		v := kind | 1<<2 | n<<4
		return append(dst, byte(v), byte(v>>8))
	}
	v := kind | 3<<2 | n<<4
	return append(dst, byte(v), byte(v>>8), byte(v>>16))
}

// appendPackedHeader appends the header of n literals in packed bytes: the kind in 2 bits, the sizes' format in 2, and
// both sizes in 10, 14 or 18 each.
func appendPackedHeader(dst []byte, n, packed int) []byte {
	switch {
	case n < fourStreams:
		v := compressedLiterals | n<<4 | packed<<14
		return append(dst, byte(v), byte(v>>8), byte(v>>16))
	case n < 1<<14:
		v := compressedLiterals | 2<<2 | n<<4 | packed<<18
		return append(dst, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
	}
	v := compressedLiterals | 3<<2 | uint64(n)<<4 | uint64(packed)<<22
	return append(dst, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32))
}
