package grain

import "bytes"

// Zero says whether p has no byte but zeros. It compares p with itself one byte on, which runs at the speed of memory.
func Zero(p []byte) bool {
	return len(p) == 0 || p[0] == 0 && bytes.Equal(p[1:], p[:len(p)-1])
}

const (
	stretch   = 512 // bytes looked at in one go
	stretches = 16  // spread over a grain
)

// Compressible guesses, at a small part of the cost of trying, whether deflate or zstd would make p smaller by more than
// about a hundredth. It looks at 8 KiB of a larger p: at how unevenly byte values are used, and for repeated strings.
// Data that is compressed or encrypted already gives false; for a short p the answer is always true.
func Compressible(p []byte) bool {
	if len(p) < stretch*stretches {
		return true
	}
	var count [256]int32
	var seen [1 << 13]uint32 // the last 4 bytes with this hash; collisions only miss repeats
	repeats := 0
	step := (len(p) - stretch) / (stretches - 1)
	for i := range stretches {
		s := p[i*step : i*step+stretch]
		for j := 0; j+4 <= len(s); j++ {
			count[s[j]]++
			v := uint32(s[j]) | uint32(s[j+1])<<8 | uint32(s[j+2])<<16 | uint32(s[j+3])<<24
			h := v * 2654435761 >> 19
			if seen[h] == v {
				repeats++
			}
			seen[h] = v
		}
		if repeats > maxRepeats {
			return true
		}
	}
	return uneven(&count)
}

const (
	looked = stretches * (stretch - 3)
	// Random bytes repeat a string of four once in a hundred grains; this many repeats save about a hundredth.
	maxRepeats = looked / 128
	// evenSquares is what the squares of 256 equal counts add up to, plus what chance adds.
	evenSquares = looked*looked/256 + looked
)

// uneven says whether byte values are used so unevenly that coding them by frequency saves over about a hundredth.
// The squares' excess over evenness, relative, is about 2 ln 2 * (8 - entropy in bits): 0.08 bits a byte make 0.11.
func uneven(count *[256]int32) bool {
	squares := 0
	for _, n := range count {
		squares += int(n) * int(n)
	}
	return squares > evenSquares+evenSquares/9
}
