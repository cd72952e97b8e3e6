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

// Probe fills Host.Go and Host.CC by asking the tools; environ is the environment to find them in. A missing tool is
// no error here: Plan and Build say what is needed for the items that need it.
func Probe(ctx context.Context, run Runner, environ []string, dir string) (Host, error) {
	ask := func(args ...string) (string, error) {
		var out strings.Builder
		err := run.Run(ctx, Cmd{Args: args, Dir: dir, Env: goEnv(environ, false, ""), Stdout: &out, Stderr: io.Discard})
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err != nil && !errors.Is(err, exec.ErrNotFound) {
			return "", fmt.Errorf("asking %s for its version: %w", args[0], err)
		}
		first, _, _ := strings.Cut(strings.TrimSpace(out.String()), "\n")
		return first, nil
	}
	goVersion, err := ask("go", "env", "GOVERSION")
	if err != nil {
		return Host{}, err
	}
	cc, err := ask("gcc", "--version")
	if err != nil {
		return Host{}, err
	}
	blkid, _ := ask("pkg-config", "--modversion", "blkid") // no answer: the build says that it is missing
	return Host{Go: goVersion, CC: strings.TrimSpace(cc + "; libblkid " + blkid)}, ctx.Err()
}
