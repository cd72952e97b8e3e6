package firstboot

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"
)

// UnixSockets is the real Sockets, below a prefix.
type UnixSockets Prefix

const (
	socketTime = 5 * time.Second
	mostToHear = 1 << 20 // bytes
)

// Ask connects, says the line, and listens until the other side hangs up.
func (u UnixSockets) Ask(ctx context.Context, socket, line string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, socketTime)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", Prefix(u).path(socket))
	if err != nil {
		return "", err // names the socket
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return "", fmt.Errorf("asking at %s: %w", socket, err)
	}
	said, err := io.ReadAll(io.LimitReader(conn, mostToHear))
	if ctx.Err() != nil {
		err = ctx.Err() // which closed the connection
	}
	if err != nil {
		return "", fmt.Errorf("listening to %s: %w", socket, err)
	}
	return string(said), nil
}
