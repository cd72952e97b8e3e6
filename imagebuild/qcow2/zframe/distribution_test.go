package zframe

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestCodes compares with lines of the tables in 3.1.1.3.2.1.1: the least length of a code, and the greatest.
func TestCodes(t *testing.T) {
	c := newLengthCodes()
	for _, want := range []struct{ code, least, most int }{
		{0, 0, 0}, {15, 15, 15}, {16, 16, 17}, {19, 22, 23}, {20, 24, 27}, {23, 40, 47}, {24, 48, 63}, {25, 64, 127}, {26, 128, 255},
		{33, 16384, 32767}, {34, 32768, 65535},
	} {
		for _, n := range []int{want.least, want.most} {
			if got := c.literal(uint16(n)); int(got) != want.code || n-want.least >= 1<<literalBits[got] || want.least%(1<<literalBits[got]) != 0 {
				t.Errorf("%d literals: code %d, want %d", n, got, want.code)
			}
		}
	}
	for _, want := range []struct{ code, least, most int }{
		{0, 3, 3}, {31, 34, 34}, {32, 35, 36}, {35, 41, 42}, {36, 43, 46}, {38, 51, 58}, {40, 67, 82}, {41, 83, 98}, {42, 99, 130},
		{43, 131, 258}, {44, 259, 514}, {50, 16387, 32770}, {51, 32771, 65538},
	} {
		for _, n := range []int{want.least, want.most} {
			if got := c.match(uint16(n - 3)); int(got) != want.code || n-want.least >= 1<<matchBits[got] || (want.least-3)%(1<<matchBits[got]) != 0 {
				t.Errorf("match of %d: code %d, want %d", n, got, want.code)
			}
		}
	}
}

// TestPredefined adds up the tables that were copied from the RFC.
func TestPredefined(t *testing.T) {
	for name, d := range map[string]distribution{"literals": {literalShares[:], 6}, "offsets": {offsetShares[:], 5}, "matches": {matchShares[:], 6}} {
		if sum := total(d); sum != 1<<d.log {
			t.Errorf("%s: %d states", name, sum)
		}
	}
}

func total(d distribution) (sum int) {
	for _, n := range d.shares {
		sum += states(n)
	}
	return sum
}

// TestNormalize makes shares of random counts: all that occurs has one, nothing else has, and they add up.
func TestNormalize(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 20000 {
		counts := make([]uint32, 2+r.IntN(51))
		n, steep := 0, 1+r.IntN(14)
		for i := range counts {
			counts[i] = uint32(r.IntN(1 << r.IntN(steep)))
			if i == 0 || i == len(counts)-1 {
				counts[i]++
			}
			n += int(counts[i])
		}
		d := distribution{make([]int16, len(counts)), logFor(n, uint8(len(counts)-1), mostLog)}
		d.normalize(counts, n)
		if total(d) != 1<<d.log || d.log > mostLog {
			t.Fatalf("%v of %v: %d states, log %d", d.shares, counts, total(d), d.log)
		}
		for i, c := range counts {
			if (c == 0) != (d.shares[i] == 0) || d.shares[i] < less {
				t.Fatalf("%v of %v", d.shares, counts)
			}
		}
	}
}

func TestShare(t *testing.T) {
	for part, want := range map[uint64]int16{0: 0, 1: less, 99: less, 100: 1, 141: 1, 142: 2, 244: 2, 245: 3, 900: 9} {
		if got := share(part, 100); got != want {
			t.Errorf("%d of 100: %d, want %d", part, got, want)
		}
	}
}

// TestTakesShorterTable has codes for which each mode is the shortest.
func TestTakesShorterTable(t *testing.T) {
	for want, counts := range map[byte][]uint32{
		rleMode:        {0, 0, 900},
		ownMode:        {0, 4000, 3, 0, 0, 0, 0, 0, 100},
		predefinedMode: {4, 3, 2, 2, 2, 2},
	} {
		f := newField(9, distribution{literalShares[:], 6})
		n := 0
		for _, c := range counts {
			n += int(c)
		}
		copy(f.counts[:], counts)
		if out, mode := f.choose(nil, n); mode != want || (mode == predefinedMode) != (len(out) == 0) {
			t.Errorf("%v: mode %d, %s, want %d", counts, mode, fmt.Sprintf("% x", out), want)
		}
	}
}
