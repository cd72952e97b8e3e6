package grain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// batchSize is how many bytes of the image a worker takes at a time: enough that handing over costs nothing, little
// enough that a machine of 64 cores needs under 100 MiB.
const batchSize = 256 << 10

// batch is a run of neighbouring grains, read and encoded by one worker.
type batch struct {
	first  int64         // index of its first grain
	count  int           // grains in it; 0 when the planner failed
	raw    []byte        // all its grains
	enc    [][]byte      // room for each grain's encoding
	grains []Grain       // the result
	err    error         // what ended the batch after its grains
	done   chan struct{} // gets one value when the result is there
}

// pipe is planner -> workers -> drain. The batches go round: free -> todo and order -> free. All channels hold all
// batches, so that only waiting for a free one, or for work, can block.
type pipe struct {
	src   Source
	size  int64 // of a grain
	per   int   // grains in a full batch
	free  chan *batch
	todo  chan *batch
	order chan *batch
	wg    sync.WaitGroup
}

func newPipe(src Source, grainSize, workers int) *pipe {
	n := 2*workers + 2
	p := &pipe{
		src: src, size: int64(grainSize), per: max(1, batchSize/grainSize),
		free: make(chan *batch, n), todo: make(chan *batch, n), order: make(chan *batch, n),
	}
	for range n {
		p.free <- &batch{done: make(chan struct{}, 1)}
	}
	return p
}

func (p *pipe) start(ctx context.Context, encoders []Encoder) {
	p.wg.Go(func() {
		defer close(p.todo)
		defer close(p.order)
		p.plan(ctx)
	})
	for _, encode := range encoders {
		p.wg.Go(func() {
			for b := range p.todo {
				if b.grains = b.grains[:0]; ctx.Err() == nil {
					p.work(b, encode)
				} else {
					b.err = ctx.Err()
				}
				b.done <- struct{}{}
			}
		})
	}
}

func (p *pipe) wait() { p.wg.Wait() }

// plan hands out all grains that touch an extent with data, in order, each once.
func (p *pipe) plan(ctx context.Context) {
	next := int64(0) // first grain not handed out
	for off := int64(0); ; {
		start, end, err := p.src.Data(off)
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil && (start < off || end <= start || end > p.src.Size()) {
			err = fmt.Errorf("extent from %d to %d in an image of %d bytes", start, end, p.src.Size())
		}
		if err != nil {
			p.hand(ctx, batch{err: fmt.Errorf("finding data at byte %d: %w", off, err)})
			return
		}
		stop := (end + p.size - 1) / p.size
		for next = max(next, start/p.size); next < stop; {
			count := int(min(int64(p.per), stop-next))
			if !p.hand(ctx, batch{first: next, count: count}) {
				return
			}
			next += int64(count)
		}
		off = end
	}
}

// hand passes on a free batch with job's values; false when the context has ended.
func (p *pipe) hand(ctx context.Context, job batch) bool {
	select {
	case b := <-p.free:
		b.first, b.count, b.err = job.first, job.count, job.err
		p.order <- b
		p.todo <- b
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// work reads a batch and encodes what is not zero.
func (p *pipe) work(b *batch, encode Encoder) {
	if b.count == 0 {
		return
	}
	b.alloc(int(p.size), p.per)
	off := b.first * p.size
	raw := b.raw[:int64(b.count)*p.size]
	n := min(int64(len(raw)), p.src.Size()-off)
	if b.err = readFull(p.src, raw[:n], off); b.err != nil {
		return
	}
	clear(raw[n:])
	for i := range b.count {
		g := Grain{Index: b.first + int64(i), Raw: raw[int64(i)*p.size : int64(i+1)*p.size : int64(i+1)*p.size]}
		if Zero(g.Raw) {
			continue
		}
		if encode != nil {
			if g.Encoded, b.err = encode(b.enc[i][:0], g.Raw); b.err != nil {
				b.err = fmt.Errorf("encoding grain at byte %d: %w", g.Index*p.size, b.err)
				return
			}
		}
		b.grains = append(b.grains, g)
	}
}

// alloc makes the buffers on first use. An encoding that outgrows its room, which no deflate or zstd of a grain does, is
// left to the garbage collector.
func (b *batch) alloc(size, per int) {
	if b.raw != nil {
		return
	}
	b.raw = make([]byte, size*per)
	b.enc = make([][]byte, per)
	room := size + size/64 + 128
	all := make([]byte, room*per)
	for i := range b.enc {
		b.enc[i] = all[i*room : i*room : (i+1)*room]
	}
}
