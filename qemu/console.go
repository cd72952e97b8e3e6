package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// followEvery is how often a log is looked at for more.
const followEvery = 200 * time.Millisecond

// PrintSerial copies a node's serial log to w; with follow it goes on until ctx is over or the machine is off. It
// notices when a fresh disk has brought a new log.
func (m Manager) PrintSerial(ctx context.Context, name string, w io.Writer, follow bool) error {
	var offset int64
	for {
		s, err := m.NodeStatus(name)
		if err != nil {
			return err
		}
		if offset, err = copyFrom(s.Serial, offset, w); err != nil {
			return fmt.Errorf("reading the console of node %q: %w", name, err)
		}
		if !follow || !s.Running {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(followEvery):
		}
	}
}

// copyFrom copies what a growing file has after offset, all of it when the file has become shorter.
func copyFrom(path string, offset int64, w io.Writer) (int64, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return offset, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() < offset {
		offset = 0
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return offset, err
	}
	n, err := io.Copy(w, f)
	return offset + n, err
}

// escapeByte is Ctrl-], which detaches from a console.
const escapeByte = 0x1d

// Attach joins in and out to the node's serial line until in ends or holds Ctrl-], the machine goes off, or ctx is
// over. One at a time: QEMU keeps a second one waiting.
func (m Manager) Attach(ctx context.Context, name string, in io.Reader, out io.Writer) error {
	s, err := m.NodeStatus(name)
	if err != nil {
		return err
	}
	if !s.Running {
		return inputf("attaching to node %q: it is not running\nhint: slipway qemu up %s", name, name)
	}
	conn, err := dialIn(ctx, s.Dir, sockConsole)
	if err != nil {
		return fmt.Errorf("attaching to node %q: %w", name, err)
	}
	done, shown := make(chan error, 2), make(chan struct{})
	defer func() { // nobody writes to out any more when this returns
		conn.Close()
		<-shown
	}()
	go func() {
		defer close(shown)
		_, err := io.Copy(out, conn)
		done <- err
	}()
	go func() { done <- copyUntilEscape(conn, in) }()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err = <-done:
	}
	if err != nil {
		return fmt.Errorf("attached to node %q: %w", name, err)
	}
	return nil
}

func copyUntilEscape(w io.Writer, r io.Reader) error {
	buf := make([]byte, 256)
	for {
		n, err := r.Read(buf)
		for i := range n {
			if buf[i] == escapeByte {
				n, err = i, io.EOF
				break
			}
		}
		if _, werr := w.Write(buf[:n]); werr != nil {
			return werr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
