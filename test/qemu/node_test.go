//go:build qemu

package qemu_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Time limits: three or four times what a slow idle computer with two cores needs to emulate it.
const (
	bootLimit  = 6 * time.Minute  // power-on to the first status line
	serveLimit = 24 * time.Minute // power-on to serving
)

// node is the one machine of the test cluster.
type node struct {
	Guest
	lab  *lab
	out  string // the output folder in use
	name string
}

// machine is what `slipway qemu status --json` says of a node.
type machine struct {
	Node    string
	Running bool
	PID     int
	Dir     string
	Serial  string
	Ports   struct{ API, Peer int }
}

// status is the node's own status document, as far as tests look at it.
type status struct {
	Node, Step, State, WaitingFor, LastError string
	Formed, Serving                          bool
	Steps                                    []struct{ Name, State string }
}

// reached says whether a step has begun.
func (s status) reached(step string) bool {
	for _, st := range s.Steps {
		if st.Name == step {
			return st.State == "working" || st.State == "failed" || st.State == "done"
		}
	}
	return false
}

func (s status) done(step string) bool {
	for _, st := range s.Steps {
		if st.Name == step {
			return st.State == "done"
		}
	}
	return false
}

// newNode is a machine that is off and without a disk; when the test ends, it is off again.
func newNode(t *testing.T, l *lab, out string) *node {
	t.Helper()
	n := &node{lab: l, out: out, name: "n1"}
	n.down(t, "--hard", "--delete")
	t.Cleanup(func() {
		if t.Failed() {
			n.explain(t)
		}
		n.down(t, "--hard")
	})
	return n
}

func (n *node) qemu(t *testing.T, verb string, flags ...string) string {
	t.Helper()
	args := append([]string{"qemu", verb, "-f", n.lab.spec, "-o", n.out}, flags...)
	return n.lab.slipway(t, args...)
}

// up switches the machine on.
func (n *node) up(t *testing.T, flags ...string) {
	t.Helper()
	n.qemu(t, "up", flags...)
	n.dir = n.machine(t).Dir
}

// down switches the machine off and returns how that went.
func (n *node) down(t *testing.T, flags ...string) string {
	t.Helper()
	if n.conn != nil {
		n.conn.Close()
		n.conn = nil
	}
	return n.qemu(t, "down", flags...)
}

func (n *node) machine(t *testing.T) machine {
	t.Helper()
	var all []machine
	if err := json.Unmarshal([]byte(n.qemu(t, "status", "--json")), &all); err != nil || len(all) != 1 {
		t.Fatalf("reading slipway qemu status: %v, %d machines", err, len(all))
	}
	return all[0]
}

// serial is what the node has written since it was switched on last.
func (n *node) serial(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(n.dir, "serial.log"))
	if err != nil {
		t.Fatal(err)
	}
	mark := []byte("slipway-qemu: power on")
	return string(data[max(0, bytes.LastIndex(data, mark)):])
}

// waitSerial waits for a line on the console and returns the match.
func (n *node) waitSerial(t *testing.T, limit time.Duration, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if found := re.FindString(n.serial(t)); found != "" {
			return found
		}
	}
	t.Fatalf("no %q on the console after %v", pattern, limit)
	return ""
}

// statuses are all status documents since power-on.
func (n *node) statuses(t *testing.T) []status {
	t.Helper()
	var all []status
	for _, line := range strings.Split(n.serial(t), "\n") {
		_, text, found := strings.Cut(line, "slipway-status: ")
		var s status
		if found && json.NewDecoder(strings.NewReader(text)).Decode(&s) == nil {
			all = append(all, s)
		}
	}
	return all
}

// WaitStatus waits for a status on the console that good likes.
func (n *node) WaitStatus(t *testing.T, limit time.Duration, what string, good func(status) bool) status {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		for _, s := range n.statuses(t) {
			if good(s) {
				return s
			}
		}
	}
	t.Fatalf("the node was not %s after %v", what, limit)
	return status{}
}

// waitServing waits as an operator does.
func (n *node) waitServing(t *testing.T) {
	t.Helper()
	n.lab.slipway(t, "wait", "-f", n.lab.spec, "--qemu", n.out, "--timeout", serveLimit.String())
}

// statusAnswers asks the node over its network, as an operator does. It may still form.
func (n *node) statusAnswers(t *testing.T) {
	t.Helper()
	var all []status
	out := n.lab.slipway(t, "status", "-f", n.lab.spec, "--qemu", n.out, "--json")
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 || !all[0].done("etcd") {
		t.Errorf("slipway status: %v\n%s", err, out)
	}
}

// explain shows what the machine last said.
func (n *node) explain(t *testing.T) {
	if data, err := os.ReadFile(filepath.Join(n.dir, "serial.log")); err == nil {
		t.Logf("end of the serial console:\n%s", tail(string(data), 60))
	}
	if data, err := os.ReadFile(filepath.Join(n.dir, "qemu.log")); err == nil && len(data) > 0 {
		t.Logf("qemu said:\n%s", tail(string(data), 20))
	}
	if out, err := n.Run(diagnosis); err == nil {
		t.Logf("in the guest:\n%s", out)
	} else {
		t.Logf("the guest does not tell: %v", err)
	}
}

// diagnosis is what somebody would ask a node first that does not get on.
const diagnosis = `
systemctl --no-pager --failed
` + kubectl + `get nodes,pods -A -o wide
crictl ps -a
journalctl -b --no-pager -u kubelet -u containerd | grep -E 'E[0-9]{4}|level=(error|fatal)|rror' | tail -n 30
for c in $(crictl ps -a -q | head -n 3); do crictl logs --tail 15 $c; done
journalctl -b --no-pager -p warning -n 40`

// slipway runs the binary in the lab's folder; it must succeed. Stdout is returned, stderr shown on failure.
func (l *lab) slipway(t *testing.T, args ...string) string {
	t.Helper()
	out, err := l.run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (l *lab) run(ctx context.Context, args ...string) (string, error) {
	ctx = context.WithoutCancel(ctx) // a cleanup has no live context, and still must switch machines off
	cmd := exec.CommandContext(ctx, filepath.Join(l.bin, "slipway"), args...)
	cmd.Dir = l.dir
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if args[0] == "build" { // takes minutes: show that it goes on
		cmd.Stderr = io.MultiWriter(&errOut, os.Stderr)
	}
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("slipway %s: %w\n%s", strings.Join(args, " "), err, tail(errOut.String(), 40))
	}
	return out.String(), nil
}
