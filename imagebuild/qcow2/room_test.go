package qcow2

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRoomGivesEachByteOnce takes many places of random size, and compares with what they are.
func TestRoomGivesEachByteOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		var x room
		var taken []span
		var data int64
		for range 2000 {
			n, at := int64(clusterSize), int64(0)
			if r.IntN(3) == 0 {
				at = x.clusters(1)
			} else {
				n = 1 + r.Int64N(clusterSize)
				at = x.bytes(n)
			}
			taken = append(taken, span{at, at + n})
			data += n
		}
		verifyRoom(t, &x, taken)
		if x.end > data+data/20 {
			t.Errorf("%d bytes for %d", x.end, data)
		}
	}
}

func verifyRoom(t *testing.T, x *room, taken []span) {
	t.Helper()
	slices.SortFunc(taken, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	refs := make([]uint16, x.end/clusterSize)
	for i, s := range taken {
		if i > 0 && s.start < taken[i-1].end || s.end > x.end {
			t.Fatalf("%v after %v, file of %d bytes", s, taken[i-1], x.end)
		}
		for c := s.start / clusterSize; c <= (s.end-1)/clusterSize; c++ {
			refs[c]++
		}
	}
	if !slices.Equal(refs, x.refs) {
		t.Error("reference counts differ")
	}
}
