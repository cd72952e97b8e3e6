package qcow2

import "slices"

// room gives out places in the file, which only grows, and counts the references to each host cluster.
type room struct {
	end  int64    // of the file, whole clusters
	gaps []span   // rests of clusters that compressed data began, the smallest first
	refs []uint16 // of each host cluster: 32 MiB for a file of 1 TiB
}

type span struct{ start, end int64 }

// maxGaps keeps the search short; the smallest rest is given up for it.
const maxGaps = 64

// clusters are n new ones.
func (r *room) clusters(n int64) int64 {
	start := r.end
	r.end += n * clusterSize
	for range n {
		r.refs = append(r.refs, 1)
	}
	return start
}

// bytes is a place for n bytes of compressed data, at most a cluster: the tightest gap that holds them, else the gap
// before the end of the file and what it needs of a new cluster behind it, else a new cluster.
func (r *room) bytes(n int64) int64 {
	i := slices.IndexFunc(r.gaps, func(g span) bool { return g.end-g.start >= n })
	last := slices.IndexFunc(r.gaps, func(g span) bool { return g.end == r.end })
	switch {
	case i >= 0:
	case last >= 0:
		i = last
		r.grow()
		r.gaps[i].end = r.end
	default:
		i = len(r.gaps)
		r.grow()
		r.gaps = append(r.gaps, span{r.end - clusterSize, r.end})
	}
	g := r.gaps[i]
	r.gaps = slices.Delete(r.gaps, i, i+1)
	for c := g.start / clusterSize; c <= (g.start+n-1)/clusterSize; c++ {
		r.refs[c]++
	}
	r.keep(span{g.start + n, g.end})
	return g.start
}

// grow adds a cluster that nothing refers to yet.
func (r *room) grow() {
	r.end += clusterSize
	r.refs = append(r.refs, 0)
}

func (r *room) keep(g span) {
	if g.start == g.end {
		return
	}
	i, _ := slices.BinarySearchFunc(r.gaps, g.end-g.start, func(h span, n int64) int { return int(h.end - h.start - n) })
	r.gaps = slices.Insert(r.gaps, i, g)
	if len(r.gaps) > maxGaps {
		r.gaps = slices.Delete(r.gaps, 0, 1)
	}
}
