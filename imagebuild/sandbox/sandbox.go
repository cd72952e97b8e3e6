// Package sandbox runs the shell scripts that need a root user and mounts of their own: unpacking packages, packing.
//
// Start with New and (*Sandbox).Run. Every script runs in a fresh mount, PID and network namespace, so its mounts are
// gone when it ends, however it ends, and it can reach no network. A normal user gets a user namespace with the
// subordinate ids of /etc/subuid; root needs none. It confines accidents, not attackers.
package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Sandbox knows how to enter the namespaces.
type Sandbox struct {
	root bool
	user string
	env  []string
}

// New returns a sandbox for a process with effective user id euid; env is the environment that scripts get.
func New(euid int, env []string) *Sandbox {
	return &Sandbox{root: euid == 0, user: fmt.Sprintf("user %d", euid), env: env}
}

// User names whom the files belong to that scripts make: a tree that one user made is of no use to another.
func (s *Sandbox) User() string { return s.user }

// Probe reports, with the way out, when this host does not let the process enter the namespaces.
func (s *Sandbox) Probe(ctx context.Context) error {
	err := s.Run(ctx, Script{Name: "probing for namespaces", Text: "chown 1:1 \"$1\"", Args: []string{"/dev/null"}, Probe: true})
	if err == nil {
		return nil
	}
	if s.root {
		return fmt.Errorf("entering a mount namespace as root: %w\nhint: inside a container, give it CAP_SYS_ADMIN", err)
	}
	return fmt.Errorf("building as a normal user needs user namespaces with subordinate ids: %w\n"+
		"hint: install uidmap, give your user a range in /etc/subuid and /etc/subgid, or run as root", err)
}

// Script is one shell script (sh -eu) with positional arguments.
type Script struct {
	Name   string // "unpacking packages": for errors
	Text   string
	Args   []string // $1, $2 ...
	Stdin  io.Reader
	Output io.Writer // what it prints, both streams; the tail is in the error as well
	Probe  bool      // only enter the namespaces and do nothing
}

// Run runs the script to its end; cancelling ctx kills all it started.
func (s *Sandbox) Run(ctx context.Context, sc Script) error {
	text := "umask 022\n" + sc.Text // whatever the user's is: modes are bytes of an image, too
	if sc.Probe {
		text = "true"
	}
	argv := append(s.enter(), "/bin/sh", "-euc", text, "slipway")
	cmd := exec.CommandContext(ctx, argv[0], append(argv[1:], sc.Args...)...)
	cmd.Env = s.env
	cmd.Stdin = sc.Stdin
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var tail tailBuffer
	cmd.Stdout = &tail
	if sc.Output != nil {
		cmd.Stdout = io.MultiWriter(&tail, sc.Output)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s: %w\n%s", sc.Name, cause(err, tail.String()), tail.String())
	}
	return nil
}

// cause recognises a full disk: a script's exit status alone hides it.
func cause(err error, output string) error {
	if strings.Contains(output, "No space left on device") {
		return fmt.Errorf("%w: %w", err, syscall.ENOSPC)
	}
	return err
}

// RemoveAll removes a directory whose files may belong to ids that only the sandbox maps. Scripts leave their mounts
// and work files to it: a mount made in a user namespace cannot always be taken down by hand, but goes with the namespace.
func (s *Sandbox) RemoveAll(ctx context.Context, dir string) error {
	return s.Run(ctx, Script{Name: "removing " + dir, Text: `rm -rf -- "$1"`, Args: []string{dir}})
}

func (s *Sandbox) enter() []string {
	argv := []string{"unshare"}
	if !s.root {
		argv = append(argv, "--user", "--map-root-user", "--map-auto")
	}
	return append(argv, "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child=SIGKILL", "--")
}

// tailBuffer keeps the last lines that a script printed.
type tailBuffer struct{ buf bytes.Buffer }

const tailBytes = 16 << 10

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.buf.Write(p)
	if extra := t.buf.Len() - tailBytes; extra > 0 {
		t.buf.Next(extra)
	}
	return len(p), nil
}

// String returns at most the last 15 lines, indented.
func (t *tailBuffer) String() string {
	lines := strings.Split(strings.TrimRight(t.buf.String(), "\n"), "\n")
	if len(lines) > 15 {
		lines = lines[len(lines)-15:]
	}
	return "  | " + strings.Join(lines, "\n  | ")
}
