package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"slipway/internal/durable"
)

// Source fills one partition: it writes at offsets from the partition's start on. The partition reads as zeros before,
// so that zeros need not be written.
type Source func(w io.WriterAt) error

// Copy returns the source that copies size bytes of r.
func Copy(r io.ReaderAt, size int64) Source {
	return func(w io.WriterAt) error {
		from := struct{ io.Reader }{io.NewSectionReader(r, 0, size)}
		to := struct{ io.Writer }{io.NewOffsetWriter(w, 0)}
		n, err := io.CopyBuffer(to, from, make([]byte, 1<<20))
		if err == nil && n < size {
			err = fmt.Errorf("%w after %d of %d bytes", io.ErrUnexpectedEOF, n, size)
		}
		return err
	}
}

// partial is appended to an image's name until it is complete.
const partial = ".partial"

// Write makes the image p at path, each partition filled by the source of its name. The file is sparse. It appears
// at path when it is complete and synced; a failed or cancelled Write leaves nothing, and what was at path before.
func Write(ctx context.Context, path string, p Plan, sources map[string]Source) error {
	if err := writeImage(ctx, path, p, sources); err != nil {
		return fmt.Errorf("writing disk image %q: %w", path, errors.Join(err, ignoreMissing(os.Remove(path+partial))))
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func writeImage(ctx context.Context, path string, p Plan, sources map[string]Source) error {
	f, err := os.OpenFile(path+partial, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(p.Size); err != nil {
		return explain(err, p)
	}
	if err := fill(ctx, f, p, sources); err != nil {
		return explain(err, p)
	}
	if err := f.Sync(); err != nil {
		return explain(err, p)
	}
	if err := f.Close(); err != nil {
		return explain(err, p)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Rename(path+partial, path); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// explain adds what to do to a full disk's error.
func explain(err error, p Plan) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w\nhint: the image takes up to %d MiB; free some space or choose another output folder", err, p.Size>>20)
	}
	return err
}

// fill writes tables and partitions to w, which reads as zeros.
func fill(ctx context.Context, w io.WriterAt, p Plan, sources map[string]Source) error {
	for _, q := range p.Partitions {
		source, ok := sources[q.Name]
		if !ok {
			return fmt.Errorf("partition %q has no source", q.Name)
		}
		if err := source(&window{ctx, w, q.Start, q.Size}); err != nil {
			return fmt.Errorf("filling partition %q: %w", q.Name, err)
		}
	}
	if len(sources) != len(p.Partitions) {
		return fmt.Errorf("%d sources for %d partitions", len(sources), len(p.Partitions))
	}
	tables, err := p.tables()
	if err != nil {
		return err
	}
	for _, t := range tables {
		if _, err := w.WriteAt(t.data, t.at); err != nil {
			return fmt.Errorf("writing partition table: %w", err)
		}
	}
	return nil
}

const (
	holeSize   = 4096
	writeLimit = 4 << 20 // at most so much between two looks at the context
)

// window is one partition as a writer: bounded, cancellable, and leaving out blocks of zeros.
type window struct {
	ctx         context.Context
	w           io.WriterAt
	start, size int64
}

// WriteAt implements io.WriterAt.
func (x *window) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off > x.size || int64(len(p)) > x.size-off {
		return 0, fmt.Errorf("%d bytes at %d do not fit into the %d bytes of the partition", len(p), off, x.size)
	}
	for done := 0; done < len(p); {
		if err := x.ctx.Err(); err != nil {
			return done, err
		}
		skip, data := nextRun(p[done:], off+int64(done))
		done += skip
		n, err := x.w.WriteAt(p[done:done+data], x.start+off+int64(done))
		done += n
		if err != nil {
			return done, err
		}
	}
	return len(p), nil
}

// nextRun returns the length of the zeros at p's front and of the data after them, in blocks of holeSize as counted
// from the partition's start. Part of a block counts as a block.
func nextRun(p []byte, off int64) (skip, data int) {
	for skip < len(p) {
		n := block(len(p)-skip, off+int64(skip))
		if !isZero(p[skip : skip+n]) {
			break
		}
		skip += n
	}
	for data < writeLimit && skip+data < len(p) {
		at := skip + data
		n := block(len(p)-at, off+int64(at))
		if isZero(p[at : at+n]) {
			break
		}
		data += n
	}
	return skip, data
}

// isZero reports whether p, which is not empty, is zeros only.
func isZero(p []byte) bool { return p[0] == 0 && bytes.Equal(p[:len(p)-1], p[1:]) }

// block returns how many of the left bytes at off belong to one block.
func block(left int, off int64) int { return min(left, int(holeSize-off%holeSize)) }
