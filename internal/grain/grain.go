// Package grain reads a disk image piece by piece, past its holes, and encodes the pieces on many cores, in order and in
// bounded memory. Formats that store a disk as compressed grains (VMDK) or clusters (qcow2) are written on top of it.
//
// Start with File or ReaderAt, then Each. Zero and Compressible are the two quick questions about a grain that spare an
// encoder its work. The package knows no format and writes nothing.
package grain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
)

// Source is a disk image that tells where it has data. ReadAt is called from many goroutines at once, Data from one.
type Source interface {
	io.ReaderAt
	Size() int64
	// Data gives the next extent [start, end) with data at or after off; io.EOF when only a hole is left.
	Data(off int64) (start, end int64, err error)
}

// Encoder turns one grain into what is stored; it may append to dst, which is empty. It is used by one goroutine.
type Encoder func(dst, grain []byte) ([]byte, error)

// Options of Each.
type Options struct {
	Size       int                     // of a grain, bytes
	Workers    int                     // 0: one a core
	NewEncoder func() (Encoder, error) // called once a worker; nil: Encoded stays nil
}

// Grain is a piece that is not all zero.
type Grain struct {
	Index   int64  // its offset is Index*Options.Size
	Raw     []byte // as read, the last one padded with zeros to the full size
	Encoded []byte
}

// Each gives emit every grain that is not all zero, in ascending order; emit is called from one goroutine, the caller's,
// and must not keep the slices. It returns emit's first error as it is, the context's error when that ends first, or
// what went wrong at which byte of the image; every grain before that byte was emitted. When it returns, nothing of it
// runs any more.
//
// Memory: about 1.3 MiB and one encoder a worker (more if a grain has more than 256 KiB), whatever the image's size.
func Each(ctx context.Context, src Source, o Options, emit func(Grain) error) error {
	if o.Size <= 0 || src.Size() < 0 {
		return fmt.Errorf("reading image: %d bytes in grains of %d bytes", src.Size(), o.Size)
	}
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	encoders, err := newEncoders(workers, o.NewEncoder)
	if err != nil {
		return fmt.Errorf("preparing encoder: %w", err)
	}
	inner, cancel := context.WithCancel(ctx)
	p := newPipe(src, o.Size, workers)
	p.start(inner, encoders)
	defer p.wait()
	defer cancel()
	return p.drain(ctx, emit)
}

func newEncoders(n int, newEncoder func() (Encoder, error)) ([]Encoder, error) {
	all := make([]Encoder, n)
	if newEncoder == nil {
		return all, nil
	}
	for i := range all {
		var err error
		if all[i], err = newEncoder(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// drain emits the batches in the order in which the planner made them.
func (p *pipe) drain(ctx context.Context, emit func(Grain) error) error {
	for b := range p.order {
		select {
		case <-b.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		for _, g := range b.grains {
			if err := emit(g); err != nil {
				return err
			}
		}
		if b.err != nil {
			return b.err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		p.free <- b
	}
	return ctx.Err()
}

// readFull reads len(p) bytes at off: an image that has fewer is not what its size promised.
func readFull(src Source, p []byte, off int64) error {
	n, err := src.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		err = fmt.Errorf("the image ends after %d of its %d bytes: %w", off+int64(n), src.Size(), io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("reading image at byte %d: %w", off, err)
}
