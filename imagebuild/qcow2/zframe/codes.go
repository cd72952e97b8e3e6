package zframe

import mathbits "math/bits"

// mostSymbols is more than any of the three alphabets of codes has; as it is a power of two, an index can be masked, and
// need not be checked.
const mostSymbols = 64

// A length is a code, and as many extra bits as the code has: how far it is above the least length of that code. These
// are the tables of 3.1.1.3.2.1.1, without the codes of lengths that no input here has. Of matches, lengths are less 3.
var (
	literalBits = [mostSymbols]uint8{16: 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	matchBits   = [mostSymbols]uint8{32: 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15}
)

// From these lengths on there is one code for each power of two.
const (
	literalPowers = 1 << 6 // code 25
	matchPowers   = 1 << 7 // code 43
)

// lengthCodes has the codes of the lengths below the powers.
type lengthCodes struct {
	literals [literalPowers]uint8
	matches  [matchPowers]uint8
}

func newLengthCodes() (c lengthCodes) {
	fillCodes(c.literals[:], literalBits[:])
	fillCodes(c.matches[:], matchBits[:])
	return c
}

// fillCodes finds the code of each length, of the number of extra bits of each code.
func fillCodes(codes, extra []uint8) {
	length := 0
	for code, n := range extra {
		for range 1 << n {
			if length == len(codes) {
				return
			}
			codes[length] = uint8(code)
			length++
		}
	}
}

func (c *lengthCodes) literal(n uint16) uint8 {
	if n < literalPowers {
		return c.literals[n]
	}
	return uint8(mathbits.Len16(n/literalPowers) + 24)
}

func (c *lengthCodes) match(n uint16) uint8 {
	if n < matchPowers {
		return c.matches[n]
	}
	return uint8(mathbits.Len16(n/matchPowers) + 42)
}

// offsetCode is also the number of an offset's extra bits.
func offsetCode(value uint32) uint8 { return uint8(mathbits.Len32(value) - 1) }
