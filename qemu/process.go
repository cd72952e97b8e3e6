package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pollEvery is how often the world is looked at while waiting for it.
const pollEvery = 50 * time.Millisecond

// alive says whether the recorded process still runs: same number, same command line, same folder. A number that
// went to another program is not it.
func (r *Running) alive() bool {
	if r == nil || r.PID <= 0 {
		return false
	}
	proc := filepath.Join("/proc", strconv.Itoa(r.PID))
	raw, err := os.ReadFile(filepath.Join(proc, "cmdline"))
	if err != nil || len(raw) == 0 { // empty: it ends, or has ended
		return false
	}
	argv := strings.Split(strings.TrimSuffix(string(raw), "\x00"), "\x00")
	cwd, err := os.Readlink(filepath.Join(proc, "cwd"))
	return err == nil && strings.TrimSuffix(cwd, " (deleted)") == r.Dir && slices.Equal(argv, r.Argv)
}

// gone says whether the process has ended and let go of its files and ports. It loses its command line earlier.
func (r *Running) gone() bool {
	if r.alive() {
		return false
	}
	proc := filepath.Join("/proc", strconv.Itoa(r.PID))
	if raw, err := os.ReadFile(filepath.Join(proc, "cmdline")); err != nil || len(raw) > 0 {
		return true // nobody, or somebody else
	}
	stat, err := os.ReadFile(filepath.Join(proc, "stat"))
	if err != nil {
		return true
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const state, threads = 0, 17 // proc_pid_stat(5), counted from behind the name
	return len(fields) > threads && (fields[state] == "Z" || fields[state] == "X") && len(fields[threads]) == 1 && fields[threads] <= "1"
}

// kill cuts the process's power and waits until it is gone. The handle is taken before the last look, so the number
// cannot be given to another program in between.
func (r *Running) kill(ctx context.Context) error {
	handle, err := os.FindProcess(r.PID)
	if err != nil {
		return fmt.Errorf("stopping process %d: %w", r.PID, err)
	}
	defer handle.Release()
	if !r.alive() {
		return waitFor(ctx, r.gone)
	}
	if err := handle.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping process %d: %w", r.PID, err)
	}
	return waitFor(ctx, r.gone)
}

// waitFor returns when cond holds or ctx is over.
func waitFor(ctx context.Context, cond func() bool) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !cond() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// start runs a process in a session of its own, so that it outlives this program, and waits until it is ready.
func start(ctx context.Context, p Process, dir string, ready probe) (*Running, error) {
	program := filepath.Base(p.Argv[0])
	log, err := os.OpenFile(filepath.Join(dir, fileLog), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	defer log.Close()
	cmd := exec.Command(p.Argv[0], p.Argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	r := &Running{PID: cmd.Process.Pid, Dir: dir, Argv: p.Argv}
	if err := answering(ctx, dir, ended, ready); err != nil {
		cmd.Process.Kill()
		return nil, fmt.Errorf("starting %s: %w%s", program, err, logTail(dir))
	}
	return r, nil
}

// startLimit is how long a process may take to be ready on a busy computer.
const startLimit = 60 * time.Second

// probe finds out whether the process in dir is ready.
type probe func(ctx context.Context, dir string) error

// greetMonitor is the probe of a QEMU.
func greetMonitor(ctx context.Context, dir string) error {
	m, err := dialMonitor(ctx, dir)
	if err == nil {
		m.close()
	}
	return err
}

// dialSwitch is the probe of the switch, which opens the uplink's socket last.
func dialSwitch(ctx context.Context, dir string) error {
	conn, err := dialIn(ctx, dir, sockUplink)
	if err == nil {
		conn.Close()
	}
	return err
}

func answering(ctx context.Context, dir string, ended <-chan error, ready probe) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := ready(ctx, dir)
		if err == nil {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("it ended at once (%v)", err)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer (%v): %w", err, ctx.Err())
		case <-tick.C:
		}
	}
}

// logTail is what the process itself said, for an error message.
func logTail(dir string) string {
	data, err := os.ReadFile(filepath.Join(dir, fileLog))
	data = bytes.TrimSpace(data)
	if err != nil || len(data) == 0 {
		return ""
	}
	const most = 2000
	if len(data) > most {
		data = data[len(data)-most:]
	}
	return "\nit said: " + string(data)
}
