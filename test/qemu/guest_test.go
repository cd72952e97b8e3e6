//go:build qemu

package qemu_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Guest talks to the check agent in a node.
type Guest struct {
	dir  string // of the machine; its check.sock leads to the agent
	conn net.Conn
	in   *bufio.Reader
	last int // number of the last command
}

// commandLimit is how long one command may take in the guest. Emulated, a kubectl takes some seconds, and half a minute on a slow computer.
const commandLimit = 4 * time.Minute

// exitError is a command that ran and failed.
type exitError struct {
	code int
	out  string
}

func (e exitError) Error() string { return fmt.Sprintf("exit code %d: %s", e.code, tail(e.out, 20)) }

// Run runs a bash script in the guest as root and returns what it printed, stdout and stderr as they came. The
// error is an exitError when the script ran and failed.
func (g *Guest) Run(script string) (string, error) {
	out, err := g.exchange(script)
	if _, failed := err.(exitError); err != nil && !failed && g.conn != nil {
		g.conn.Close() // what is still in the line belongs to nobody
		g.conn = nil
	}
	return strings.TrimSpace(out), err
}

func (g *Guest) exchange(script string) (string, error) {
	if err := g.dial(); err != nil {
		return "", err
	}
	g.conn.SetDeadline(time.Now().Add(commandLimit + 30*time.Second))
	g.last++
	_, err := fmt.Fprintf(g.conn, "%d %d %s\n", g.last, int(commandLimit.Seconds()), base64.StdEncoding.EncodeToString([]byte(script)))
	if err != nil {
		return "", fmt.Errorf("asking the check agent: %w", err)
	}
	for {
		line, err := g.in.ReadString('\n')
		if err != nil {
			return "", fmt.Errorf("the check agent does not answer: %w", err)
		}
		if out, code, ok := g.parse(line); ok && code == 0 {
			return out, nil
		} else if ok {
			return out, exitError{code, out}
		}
	}
}

// parse reads an answer; ok is false for those to earlier commands.
func (g *Guest) parse(line string) (out string, code int, ok bool) {
	f := strings.Split(strings.TrimRight(line, "\n"), " ") // empty output leaves an empty third field
	if len(f) != 3 || f[0] != strconv.Itoa(g.last) {
		return "", 0, false
	}
	code, err := strconv.Atoi(f[1])
	data, err2 := base64.StdEncoding.DecodeString(f[2])
	return string(data), code, err == nil && err2 == nil
}

// dial connects through an open handle of the folder: a socket address has room for 107 bytes only.
func (g *Guest) dial() error {
	if g.conn != nil {
		return nil
	}
	d, err := os.Open(g.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	conn, err := net.Dial("unix", filepath.Join("/proc/self/fd", strconv.Itoa(int(d.Fd())), "check.sock"))
	if err != nil {
		return fmt.Errorf("dialling the check port: %w", err)
	}
	g.conn, g.in = conn, bufio.NewReader(conn)
	g.last = int(time.Now().Unix()%1e6) * 1000 // answers to an earlier connection carry other numbers
	return nil
}

// must runs a script that has to succeed.
func (g *Guest) must(t *testing.T, script string) string {
	t.Helper()
	out, err := g.Run(script)
	if err != nil {
		t.Fatalf("in the guest, %s\n%v", script, err)
	}
	return out
}

// mustFail runs a script that has to fail by itself, and returns what it printed.
func (g *Guest) mustFail(t *testing.T, script string) string {
	t.Helper()
	out, err := g.Run(script)
	if e, failed := err.(exitError); !failed || e.code == 127 {
		t.Fatalf("in the guest, this should have failed: %s\ngot %v\n%s", script, err, out)
	}
	return out
}

// eventually repeats a script until it succeeds and says what good wants.
func (g *Guest) eventually(t *testing.T, limit time.Duration, script string, good func(out string) bool) string {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(2 * time.Second) {
		out, err := g.Run(script)
		if err == nil && good(out) {
			return out
		}
		if time.Now().After(end) {
			t.Fatalf("in the guest, not so after %v: %s\n%v\n%s", limit, script, err, out)
		}
	}
}

// tail is the end of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	if len(all) > lines {
		all = append([]string{"..."}, all[len(all)-lines:]...)
	}
	return strings.Join(all, "\n")
}
