package status

import (
	"bytes"
	"context"
	"io"
	"sync"
)

// waitingLines is how many lines wait for a console at most.
const waitingLines = 64

// Lines is a writer that never makes its caller wait: a line at a time goes to another writer, from a goroutine of its
// own. A console may be slow, and one that was stopped (XOFF, a paused terminal) takes nothing for as long as it likes.
// When too many lines wait the oldest are given up: the newest tell how things stand.
type Lines struct {
	out    io.Writer
	failed func(error)
	done   chan struct{}

	mu     sync.Mutex // never held while out is written to
	closed bool
	queue  chan []byte
}

// NewLines starts writing to out. failed hears of the first of several failures in a row; it may be nil.
func NewLines(out io.Writer, failed func(error)) *Lines {
	l := &Lines{out: out, failed: failed, done: make(chan struct{}), queue: make(chan []byte, waitingLines)}
	go l.run()
	return l
}

func (l *Lines) run() {
	defer close(l.done)
	failing := false
	for line := range l.queue {
		_, err := l.out.Write(line)
		if err != nil && !failing && l.failed != nil {
			l.failed(err)
		}
		failing = err != nil
	}
}

// Write queues one line and always goes well. After Close it does nothing.
func (l *Lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed {
		select {
		case l.queue <- bytes.Clone(line):
			return len(line), nil
		default:
		}
		select {
		case <-l.queue:
		default: // it was written meanwhile
		}
	}
	return len(line), nil
}

// Close waits until what is queued has been written, or for the context's end: then it gives the context's error, and
// the write that hangs is left to end with the process.
func (l *Lines) Close(ctx context.Context) error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.mu.Unlock()
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
