package payload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Cmd is one program to run.
type Cmd struct {
	Args   []string // Args[0] is looked up in PATH
	Dir    string
	Env    []string // the whole environment
	Stdout io.Writer
	Stderr io.Writer
}

// Runner runs programs to their end.
type Runner interface {
	Run(ctx context.Context, cmd Cmd) error
}

// Exec runs programs for real. Cancelling the context interrupts the program and its children, then kills them.
type Exec struct{}

// Run implements Runner.
func (Exec) Run(ctx context.Context, cmd Cmd) error {
	c := exec.CommandContext(ctx, cmd.Args[0], cmd.Args[1:]...)
	c.Dir, c.Env, c.Stdout, c.Stderr = cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGINT) }
	c.WaitDelay = 10 * time.Second
	err := c.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Probe fills Host.Go by asking the toolchain; environ is the environment to find it in. A missing toolchain is no error
// here: Plan says so for the items that need it.
func Probe(ctx context.Context, run Runner, environ []string, dir string) (Host, error) {
	var out strings.Builder
	err := run.Run(ctx, Cmd{Args: []string{"go", "env", "GOVERSION"}, Dir: dir, Env: goEnv(environ, ""), Stdout: &out, Stderr: io.Discard})
	if ctx.Err() != nil {
		return Host{}, ctx.Err()
	}
	if err != nil && !errors.Is(err, exec.ErrNotFound) {
		return Host{}, fmt.Errorf("asking go for its version: %w", err)
	}
	return Host{Go: strings.TrimSpace(out.String())}, nil
}
