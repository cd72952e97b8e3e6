package qemu

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// monitor speaks QMP: https://www.qemu.org/docs/master/interop/qmp-spec.html
type monitor struct {
	conn net.Conn
	dec  *json.Decoder
}

// dialMonitor connects to the monitor of the machine in dir and negotiates.
func dialMonitor(ctx context.Context, dir string) (*monitor, error) {
	conn, err := dialIn(ctx, dir, sockQMP)
	if err != nil {
		return nil, fmt.Errorf("dialling qemu's monitor: %w", err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	m := &monitor{conn: conn, dec: json.NewDecoder(conn)}
	var greeting struct{ QMP *json.RawMessage }
	if err := m.dec.Decode(&greeting); err != nil || greeting.QMP == nil {
		m.close()
		return nil, fmt.Errorf("dialling qemu's monitor: no greeting: %v", err)
	}
	if err := m.execute("qmp_capabilities"); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

func (m *monitor) close() { m.conn.Close() }

// execute runs a command without arguments and waits for its answer; events in between are dropped.
func (m *monitor) execute(command string) error {
	if err := json.NewEncoder(m.conn).Encode(map[string]string{"execute": command}); err != nil {
		return fmt.Errorf("sending %q to qemu: %w", command, err)
	}
	for {
		var answer struct {
			Return *json.RawMessage
			Error  *struct{ Class, Desc string }
		}
		switch err := m.dec.Decode(&answer); {
		case err != nil:
			return fmt.Errorf("sending %q to qemu: %w", command, err)
		case answer.Error != nil:
			return fmt.Errorf("sending %q to qemu: %s", command, answer.Error.Desc)
		case answer.Return != nil:
			return nil
		}
	}
}

// tell opens a monitor, gives one command, and closes it.
func tell(ctx context.Context, dir, command string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	m, err := dialMonitor(ctx, dir)
	if err != nil {
		return err
	}
	defer m.close()
	return m.execute(command)
}

// dialIn connects to a unix socket in dir however long dir's path is: a socket address holds 107 bytes only, so it
// goes through an open handle of the folder.
func dialIn(ctx context.Context, dir, name string) (net.Conn, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	path := filepath.Join("/proc/self/fd", strconv.Itoa(int(d.Fd())), name)
	return (&net.Dialer{}).DialContext(ctx, "unix", path)
}
