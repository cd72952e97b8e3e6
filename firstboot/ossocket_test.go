package firstboot

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// TestUnixSockets: what the other side says is heard to its end, and one that says nothing does not hold up its caller.
func TestUnixSockets(t *testing.T) {
	root := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(root, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			if line, _ := bufio.NewReader(conn).ReadString('\n'); line != "silence\n" {
				io.WriteString(conn, "you said "+line)
				conn.Close()
			}
		}
	}()
	sockets := UnixSockets(root)
	if got, err := sockets.Ask(t.Context(), "/s", "show stat"); got != "you said show stat\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := sockets.Ask(ctx, "/s", "silence"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if _, err := sockets.Ask(t.Context(), "/nobody", "x"); err == nil {
		t.Error("nobody answered")
	}
}
