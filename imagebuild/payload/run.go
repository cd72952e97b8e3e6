package payload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
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

// Probe fills Host.Go and Host.GoSettings by asking the toolchain; environ is the environment to find it in. A missing
// toolchain is no error here: Plan says so for the items that need it.
func Probe(ctx context.Context, run Runner, environ []string, dir string) (Host, error) {
	vars := goVars()
	delete(vars, "GOENV") // the file with the user's settings: read here, and nowhere else
	var out bytes.Buffer
	args := append([]string{"go", "env", "-json", "GOVERSION"}, settings()...)
	err := run.Run(ctx, Cmd{Args: args, Dir: dir, Env: override(environ, vars), Stdout: &out, Stderr: io.Discard})
	if ctx.Err() != nil {
		return Host{}, ctx.Err()
	}
	if errors.Is(err, exec.ErrNotFound) {
		return Host{}, nil
	}
	said := map[string]string{}
	if err == nil {
		err = json.Unmarshal(out.Bytes(), &said)
	}
	if err != nil {
		return Host{}, fmt.Errorf("asking go for its version and settings: %w", err)
	}
	host := Host{Go: said["GOVERSION"]}
	for _, name := range settings() {
		if said[name] != "" {
			host.GoSettings = append(host.GoSettings, name+"="+said[name])
		}
	}
	return host, nil
}
