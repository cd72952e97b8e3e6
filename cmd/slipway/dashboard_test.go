package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pty is a terminal of a test: what is written to keys is pressed on it, screen is what was drawn.
type pty struct {
	keys, tty *os.File

	mu    sync.Mutex
	drawn bytes.Buffer
}

// newPTY opens a pseudo-terminal (pty(7)).
func newPTY(t *testing.T) *pty {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &pty{keys: keys, tty: tty}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := keys.Read(buf)
			p.mu.Lock()
			p.drawn.Write(buf[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		tty.Close()
		keys.Close()
	})
	return p
}

func (p *pty) resize(t *testing.T, columns, rows uint16) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(p.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows}); err != nil {
		t.Fatal(err)
	}
}

// state is the terminal's own: whether keys are lines, and so on.
func (p *pty) state(t *testing.T) unix.Termios {
	t.Helper()
	s, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *s
}

// waitFor waits until something is drawn, and forgets what was drawn until then.
func (p *pty) waitFor(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		p.mu.Lock()
		drawn := p.drawn.String()
		if strings.Contains(drawn, text) {
			p.drawn.Reset()
		}
		p.mu.Unlock()
		if strings.Contains(drawn, text) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%q is not drawn:\n%q", text, drawn)
		}
	}
}

// TestDashboard draws on a real terminal, follows its size, ends with a key, and gives the terminal back as it was.
func TestDashboard(t *testing.T) {
	spec, addr, node := lookLab(t)
	t.Setenv("TERM", "xterm")
	for name, end := range map[string]func(*pty, context.CancelFunc){
		"q":      func(p *pty, _ context.CancelFunc) { p.keys.WriteString("xq") },
		"Ctrl-C": func(p *pty, _ context.CancelFunc) { p.keys.WriteString("\x03") },
		"killed": func(_ *pty, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			node.set(etcdWaits)
			p := newPTY(t)
			p.resize(t, 100, 30)
			before := p.state(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			code := make(chan int, 1)
			go func() {
				code <- run(ctx, []string{"status", "-f", spec, "n1", "--address", addr, "--watch"}, p.tty, p.tty, p.tty)
			}()
			p.waitFor(t, otherScreen)
			p.waitFor(t, "2 of 3 etcd nodes")
			if p.state(t) == before {
				t.Error("keys are not read as they are pressed")
			}
			p.resize(t, 20, 30)
			syscall.Kill(os.Getpid(), syscall.SIGWINCH)
			p.waitFor(t, "0 of 1 nodes serve …")
			end(p, cancel)
			want := exitOK
			if name == "killed" {
				want = exitCanceled
			}
			if got := <-code; got != want {
				t.Errorf("exit %d", got)
			}
			p.waitFor(t, ownScreen)
			if after := p.state(t); after != before {
				t.Errorf("the terminal was left as %+v, and it was %+v", after, before)
			}
		})
	}
}

// TestWatchPlain: without a terminal each change is a line.
func TestWatchPlain(t *testing.T) {
	spec, addr, node := lookLab(t)
	node.set(etcdWaits)
	ctx, cancel := context.WithTimeout(t.Context(), 2*watchPause+watchPause/2)
	defer cancel()
	time.AfterFunc(watchPause/2, func() {
		served := etcdWaits
		served.Serving = true
		node.set(served)
	})
	var out bytes.Buffer
	run(ctx, []string{"status", "-f", spec, "n1", "--address", addr, "--watch"}, strings.NewReader(""), &out, &bytes.Buffer{})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], "Z n1: etcd waiting, waiting for 2 of 3 etcd nodes: first; hint") || !strings.HasSuffix(lines[1], "Z n1: serving") {
		t.Errorf("%q", lines)
	}
}
