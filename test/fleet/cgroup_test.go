//go:build fleet

package fleet_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// hierarchy is where the control groups are: each machine has one of its own at each start, or systemd in one would
// take the services of another for its own. The hierarchy is the host's, of version 2, mounted where only the fleet sees it.
const hierarchy = "/run/cgroup"

// cgroups holds those of this run: it is named after the process that the run began with.
var cgroups = hierarchy + "/" + cgroupPrefix + os.Getenv(inside)

const cgroupPrefix = "slipway-fleet-"

// prepareCgroups mounts the hierarchy and removes what a killed run left: control groups are no part of any namespace.
func prepareCgroups() error {
	if err := os.MkdirAll(hierarchy, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount("cgroup2", hierarchy, "cgroup2", 0, ""); err != nil {
		return fmt.Errorf("mounting the control groups: %w", err)
	}
	old, err := filepath.Glob(filepath.Join(hierarchy, cgroupPrefix+"*"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if events, _ := os.ReadFile(filepath.Join(path, "cgroup.events")); !strings.Contains(string(events), "populated 0") {
			continue // another fleet runs
		}
		if err := removeCgroup(path); err != nil {
			return err
		}
	}
	return os.Mkdir(cgroups, 0o755)
}

// removeCgroup removes a control group with all below it. It fails while a process is in one.
func removeCgroup(path string) error {
	var dirs []string
	err := filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, dir := range slices.Backward(dirs) {
		if err := syscall.Rmdir(dir); err != nil {
			return fmt.Errorf("removing %s: %w", dir, err)
		}
	}
	return err
}

func (n *node) cgroup() string { return filepath.Join(cgroups, n.name) }

// makeCgroup gives a machine that starts its control group, open.
func (n *node) makeCgroup() (*os.File, error) {
	if err := os.Mkdir(n.cgroup(), 0o755); err != nil {
		return nil, err
	}
	return os.Open(n.cgroup())
}
