package pack

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"slipway/imagebuild/qcow2"
	"slipway/internal/grain"
)

// piece is how much of a disk is read or compared at a time.
const piece = 1 << 20

// mostFindings is how many pieces that do not decode are named.
const mostFindings = 20

// decode reads all data of a qcow2's disk: its check looks at tables only, and what is in no partition nobody else
// reads. That of a VMDK has decoded every grain.
func (r *Report) decode(ctx context.Context, content grain.Source) {
	if _, ok := content.(*qcow2.Image); !ok {
		return
	}
	src := &forgiving{Source: content}
	if err := grain.Each(ctx, src, grain.Options{Size: 64 << 10}, func(grain.Grain) error { return nil }); err != nil {
		r.find(0, "disk", err.Error())
	}
	src.sort()
	for i, b := range src.bad {
		if i == mostFindings {
			r.find(b.at, "disk", fmt.Sprintf("and %d more places from here on cannot be read", src.count-i))
			break
		}
		r.find(b.at, "disk", b.err.Error())
	}
}

// forgiving is a disk that reads as zeros where it cannot be read. It counts these places, and keeps the first ones.
type forgiving struct {
	grain.Source
	mu    sync.Mutex
	bad   []unreadable
	count int
}

type unreadable struct {
	at  int64
	err error
}

func (f *forgiving) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.Source.ReadAt(p, off)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	if f.bad = append(f.bad, unreadable{off + int64(n), err}); len(f.bad) > 4*mostFindings {
		f.sort()
	}
	clear(p[n:])
	return len(p), nil
}

// sort puts what is kept in order, as the readers on several cores are not, and leaves what is named and one more.
func (f *forgiving) sort() {
	slices.SortFunc(f.bad, func(a, b unreadable) int { return cmp.Compare(a.at, b.at) })
	f.bad = f.bad[:min(len(f.bad), mostFindings+1)]
}

// Compare adds a finding if the disk in the file r is not that of raw. What one has beyond the end of the other must be
// zero. Holes that both have are not read. An error is about raw, or that ctx ended.
func (r *Report) Compare(ctx context.Context, file io.ReaderAt, size int64, raw grain.Source) error {
	content, err := Content(ctx, file, size)
	if err != nil {
		return nil // it is among the findings already
	}
	for off := int64(0); ; off += piece {
		if off, err = nextData(off, content, raw); errors.Is(err, io.EOF) {
			return nil
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return fmt.Errorf("comparing the disk with the raw image: %w", err)
		}
		if same, err := r.samePiece(content, raw, off); !same || err != nil {
			return err
		}
	}
}

// samePiece compares one piece and adds a finding if it differs.
func (r *Report) samePiece(content, raw grain.Source, off int64) (bool, error) {
	a, b := make([]byte, piece), make([]byte, piece)
	if err := readFull(raw, b, off); err != nil {
		return false, fmt.Errorf("reading the raw image: %w", err)
	}
	if err := readFull(content, a, off); err != nil {
		r.find(off, "disk", fmt.Sprintf("it cannot be compared with the raw image: %v", err))
		return false, nil
	}
	if i := firstDifference(a, b); i >= 0 {
		r.find(off+int64(i), "disk", "from here on it is not that of the raw image")
		return false, nil
	}
	return true, nil
}

// firstDifference is the index of the first byte in which a and b, of one length, differ; -1 if there is none.
func firstDifference(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	i := 0
	for a[i] == b[i] {
		i++
	}
	return i
}

// nextData is the first byte, at or after off, that is not in a hole of both disks.
func nextData(off int64, one, two grain.Source) (int64, error) {
	a, _, err := one.Data(off)
	b, _, err2 := two.Data(off)
	switch {
	case errors.Is(err, io.EOF):
		return b, err2
	case errors.Is(err2, io.EOF):
		return a, err
	}
	return min(a, b), errors.Join(err, err2)
}

// readFull reads len(p) bytes; past the end there are zeros.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	clear(p[n:])
	return nil
}
