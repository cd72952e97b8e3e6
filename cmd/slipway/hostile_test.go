package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway/internal/testtool"
	"slipway/pack/packtest"
)

// mostMemory is what verify and pack take of any file, bytes; the test's own program with all that it links is in it.
const mostMemory = 256 << 20

// patience is after how long a run is interrupted.
const patience = 2 * time.Second

// measurement is of a run of slipway.
type measurement struct {
	Code        int
	Output      string
	Memory      int64 // bytes, at the most
	Interrupted bool
	Took        time.Duration
}

// measured runs slipway with its own arguments, interrupts it when patience ends, and prints a measurement. It is a
// program of its own because a child's peak of memory begins with that of its parent. A limit of 1 GiB ends what would
// take the machine with it.
func measured() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", `ulimit -d 1048576 && exec slipway "$@"`, "sh"}, os.Args[1:]...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second // then it is killed
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err := cmd.Run()
	m := measurement{Output: out.String(), Interrupted: ctx.Err() != nil, Took: time.Since(began)}
	if cmd.ProcessState == nil {
		m.Code, m.Output = -1, fmt.Sprint(err)
	} else {
		m.Code = cmd.ProcessState.ExitCode()
		m.Memory = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	}
	if err := json.NewEncoder(os.Stdout).Encode(m); err != nil {
		os.Exit(1)
	}
}

// TestHostileFiles verifies and packs files that claim to be huge. Each run either ends by itself, with findings or an
// error, or is interrupted and ends at once; none takes more than a constant of memory.
func TestHostileFiles(t *testing.T) {
	if testing.Short() {
		testtool.Missing(t, "-short leaves out minutes of reading")
	}
	for _, f := range packtest.Files() {
		t.Run(f.Name, func(t *testing.T) {
			dir := t.TempDir()
			path, err := f.Write(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{
				{"verify", path},
				{"pack", path, "-o", filepath.Join(dir, "x.qcow2"), "--quiet"},
				{"pack", path, "-o", filepath.Join(dir, "x.vmdk"), "--quiet", "--force"},
			} {
				hostile(t, args)
				os.Remove(filepath.Join(dir, "x.qcow2"))
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*.part")); len(left) > 0 {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

func hostile(t *testing.T, args []string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "measured", args...).Output()
	var m measurement
	if err := errors.Join(err, json.Unmarshal(out, &m)); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	t.Logf("%s: exit code %d, %d MiB, %s, %d bytes said", args[0], m.Code, m.Memory>>20, m.Took.Round(time.Millisecond), len(m.Output))
	codes := []int{exitFailed, exitInput}
	if args[0] == "pack" {
		codes = append(codes, exitOK) // a disk of holes is one
	}
	if m.Interrupted {
		codes = []int{exitCanceled}
	}
	if !slices.Contains(codes, m.Code) || strings.Contains(m.Output, "goroutine ") {
		t.Errorf("%q: exit code %d, interrupted %t:\n%.2000s", args, m.Code, m.Interrupted, m.Output)
	}
	if m.Memory > mostMemory {
		t.Errorf("%q: %d MiB of memory", args, m.Memory>>20)
	}
	if len(m.Output) > 100_000 {
		t.Errorf("%q says %d bytes", args, len(m.Output))
	}
}
