package payload

import (
	"context"
	"fmt"
	"io"
	"time"
)

// bounds are what a download may cost at most; zero fields are the defaults. Its digest is known but its size is not, and
// a server may send anything.
type bounds struct {
	download int64         // bytes, as they come
	unpacked int64         // bytes of all members of an archive
	program  int64         // bytes of one program
	patience time.Duration // with a server that sends nothing
	time     time.Duration // of one download
}

// defaults fits the largest that there is, Kubernetes' server archive of 0.4 GB, with room for a slow line.
func defaults() bounds {
	return bounds{download: 4 << 30, unpacked: 16 << 30, program: 1 << 30, patience: time.Minute, time: 2 * time.Hour}
}

func (b bounds) orDefaults() bounds {
	if b == (bounds{}) {
		return defaults()
	}
	return b
}

// capped reads at most left bytes; more is an error and no silent end.
type capped struct {
	r    io.Reader
	left int64
	what string
	most int64
}

func atMost(r io.Reader, most int64, what string) *capped {
	return &capped{r: r, left: most, most: most, what: what}
}

func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:max(c.left+1, 0)]
	}
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		n, c.left = max(n-1, 0), -1 // and so at every further call
		err = fmt.Errorf("%s has more than %d MiB, the most that is taken", c.what, c.most>>20)
	}
	return n, err
}

// patient is a context for one download: it ends when nothing came for a while, or after all of the time it may take.
// progress is to be called when something came.
func (b bounds) patient(ctx context.Context) (_ context.Context, progress func(), cancel func()) {
	ctx, stop := context.WithTimeoutCause(ctx, b.time, fmt.Errorf("it took longer than %v", b.time))
	ctx, give := context.WithCancelCause(ctx)
	timer := time.AfterFunc(b.patience, func() { give(fmt.Errorf("nothing came for %v", b.patience)) })
	return ctx, func() { timer.Reset(b.patience) }, func() { timer.Stop(); give(nil); stop() }
}
