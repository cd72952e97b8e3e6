package qemu

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"slipway/internal/durable"

	"golang.org/x/sys/unix"
)

// State is what a cluster's folder remembers, in state.json.
type State struct {
	Cluster  string                  `json:"cluster"`
	Machines map[string]MachineState `json:"machines"`
	Switch   *Running                `json:"switch,omitempty"`  // of several nodes
	Network  *Running                `json:"network,omitempty"` // on the switch; state of former versions has none
}

// MachineState is one node's part.
type MachineState struct {
	Ports    Ports    `json:"ports"`
	Accel    Accel    `json:"accel"`              // of the last start
	Image    ImageID  `json:"image"`              // what the disk was made from
	Ignition string   `json:"ignition,omitempty"` // sha256 of the config when the disk was made: only the first boot reads it
	Process  *Running `json:"process,omitempty"`  // of the last start; it may have ended since
}

// ImageID tells a rebuilt image from the one that a disk was made from.
type ImageID struct {
	Path  string `json:"path"`
	Size  int64  `json:"size"`
	Mtime int64  `json:"mtime"` // ns
}

// Running names a process so that no other can be taken for it.
type Running struct {
	PID  int      `json:"pid"`
	Dir  string   `json:"dir"`  // its working directory, absolute
	Argv []string `json:"argv"` // its command line
}

const stateFile = "state.json"

// LoadState reads the state of the cluster whose folder is dir; of a cluster that never ran it is empty.
func LoadState(dir string) (State, error) {
	path := filepath.Join(dir, stateFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return State{Machines: map[string]MachineState{}}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("reading qemu state: %w", err)
	}
	st := State{}
	if err := json.Unmarshal(data, &st); err != nil {
		return State{}, fmt.Errorf("reading qemu state %q: %w\nhint: stop the machines by hand and delete %q", path, err, dir)
	}
	if st.Machines == nil {
		st.Machines = map[string]MachineState{}
	}
	return st, nil
}

// save replaces the state file in one step.
func (st State) save(dir string) error {
	data, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return fmt.Errorf("writing qemu state: %w", err)
	}
	if err := durable.Write(filepath.Join(dir, stateFile), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing qemu state: %w", err)
	}
	return nil
}

// lock keeps a second slipway out of dir until release is called.
func lock(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the state folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, BusyError{dir}
		}
		return nil, fmt.Errorf("locking %q: %w", dir, err)
	}
	return func() { f.Close() }, nil
}
