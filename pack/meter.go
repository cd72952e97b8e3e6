package pack

import (
	"context"
	"errors"
	"io"
	"sync"

	"slipway/internal/grain"
)

// meter tells how much of an image's data was read.
type meter struct {
	grain.Source
	tell  func(done, total int64)
	total int64
	mu    sync.Mutex
	done  int64
}

// metered is src with progress, if anybody wants to hear it.
func metered(ctx context.Context, src grain.Source, tell func(done, total int64)) (grain.Source, error) {
	if tell == nil {
		return src, nil
	}
	m := &meter{Source: src, tell: tell}
	for off := int64(0); ; {
		start, end, err := src.Data(off)
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		m.total += end - start
		off = end
	}
}

func (m *meter) ReadAt(p []byte, off int64) (int, error) {
	n, err := m.Source.ReadAt(p, off)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = min(m.done+int64(n), m.total)
	m.tell(m.done, m.total)
	return n, err
}
