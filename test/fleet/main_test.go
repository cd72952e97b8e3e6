//go:build fleet

package fleet_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// inside is set in the environment of the test that lives in its own namespaces, to the number of the process outside.
const inside = "SLIPWAY_FLEET_INSIDE"

// TestMain starts the test again as the first process of namespaces of its own. When it ends, in whatever way, the kernel
// kills what it left running, and mounts, network cards and addresses go with their namespaces.
func TestMain(m *testing.M) {
	if os.Getenv(inside) == "" {
		os.Exit(enter())
	}
	if err := prepare(); err != nil {
		fmt.Fprintf(os.Stderr, "preparing the fleet's namespaces: %v\n", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := removeCgroup(cgroups); err != nil {
		fmt.Fprintf(os.Stderr, "removing the fleet's control groups: %v\n", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func enter() int {
	if os.Getuid() != 0 {
		fmt.Println("test/fleet makes mounts, network namespaces and containers, so it needs root: nothing was tested")
		if os.Getenv("CI") == "" {
			return 0
		}
		return 1
	}
	im, err := newImage()
	if err == nil {
		err = im.build()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	runtime.LockOSThread() // the child is told of the death of the thread that made it
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", inside, os.Getpid()))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	}
	fmt.Fprintf(os.Stderr, "test/fleet: %v\n", err)
	return 1
}

// prepare makes the namespaces ready: nothing that is mounted here is seen outside, /proc and /sys show what is inside.
func prepare() error {
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"none", "/", "", syscall.MS_REC | syscall.MS_PRIVATE},
		{"proc", "/proc", "proc", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC},
		{"tmpfs", "/run", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV},
	} {
		if err := syscall.Mount(m.source, m.target, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", m.target, err)
		}
	}
	if err := prepareCgroups(); err != nil {
		return err
	}
	for _, line := range [][]string{
		{"ip", "link", "set", "lo", "up"},
		{"ip", "link", "add", bridge, "type", "bridge"},
		{"ip", "address", "add", gateway + "/24", "dev", bridge},
		{"ip", "link", "set", bridge, "up"},
	} {
		if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", line, err, out)
		}
	}
	return nil
}
