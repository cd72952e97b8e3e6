package qemu

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"slipway/internal/durable"
)

// upper is one Up at work, with the folder locked.
type upper struct {
	dir string
	lab Lab
	req UpRequest
	st  *State
}

func (u upper) all(ctx context.Context, names []string) ([]Report, error) {
	if err := u.checkDisks(names); err != nil {
		return nil, err
	}
	if err := u.assignPorts(); err != nil {
		return nil, err
	}
	procs, err := u.plan()
	if err != nil {
		return nil, err
	}
	var reports []Report
	for _, p := range procs {
		switch {
		case p.Dir == switchDir:
			err = u.startSwitch(ctx, p)
		case p.Dir == networkDir:
			err = u.startNetwork(ctx, p)
		case slices.Contains(names, p.Name):
			var r Report
			if r, err = u.node(ctx, p); err == nil {
				reports = append(reports, r)
			}
		}
		if err != nil {
			return reports, err
		}
	}
	return reports, nil
}

// checkDisks refuses, before anything starts, disks that no longer fit the image and new ones under a running guest.
func (u upper) checkDisks(names []string) error {
	id, err := imageID(u.req.Artefacts.Image)
	if err != nil {
		return err
	}
	for _, name := range names {
		ms := u.st.Machines[name]
		switch running := ms.Process.alive(); {
		case running && u.req.Fresh:
			return errFresh(name)
		case running || u.req.Fresh || !isFile(filepath.Join(u.dir, nodeDir(name), fileDisk)):
		case ms.Image != id:
			return errImageChanged(name)
		}
	}
	return nil
}

// plan is Plan with the ports of all nodes that have any.
func (u upper) plan() ([]Process, error) {
	ports := map[string]Ports{}
	for name, ms := range u.st.Machines {
		ports[name] = ms.Ports
	}
	return Plan(u.lab, u.req.Artefacts, u.req.Host, ports, u.req.Options)
}

// startSwitch starts what joins several nodes, unless it runs. One that runs with another command line goes first: it
// has no socket for a node that is new in the spec, or is the hub of former versions, which holds the ports of the user
// network. Nodes that run plug themselves in again.
func (u upper) startSwitch(ctx context.Context, p Process) (err error) {
	if u.st.Switch.alive() {
		if slices.Equal(u.st.Switch.Argv, p.Argv) {
			return nil
		}
		soon, cancel := context.WithTimeout(ctx, cutLimit)
		defer cancel()
		if err := u.st.Switch.kill(soon); err != nil {
			return fmt.Errorf("stopping the former switch: %w", err)
		}
	}
	if u.st.Switch, err = u.startShared(ctx, p, dialSwitch); err != nil {
		return fmt.Errorf("starting the switch: %w", err)
	}
	return nil
}

// startNetwork starts the user network of several nodes, unless it runs.
func (u upper) startNetwork(ctx context.Context, p Process) (err error) {
	if u.st.Network.alive() {
		return nil
	}
	if u.st.Network, err = u.startShared(ctx, p, greetMonitor); err != nil {
		return fmt.Errorf("starting the network: %w", err)
	}
	return nil
}

func (u upper) startShared(ctx context.Context, p Process, ready probe) (*Running, error) {
	dir := filepath.Join(u.dir, p.Dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return start(ctx, p, dir, ready)
}

// node switches one node on.
func (u upper) node(ctx context.Context, p Process) (Report, error) {
	ms := u.st.Machines[p.Name]
	if ms.Process.alive() {
		return Report{Node: p.Name, Did: "already running", Ports: ms.Ports, Accel: ms.Accel}, nil
	}
	dir := filepath.Join(u.dir, p.Dir)
	report := Report{Node: p.Name, Did: "powered on", Ports: ms.Ports, Accel: u.req.Host.Accel}
	digest, err := durable.Digest(u.req.Artefacts.Ignition[p.Name])
	if err != nil {
		return report, err
	}
	if u.req.Fresh || !isFile(filepath.Join(dir, fileDisk)) {
		report.Did = "started"
		if ms.Image, err = u.makeDisk(ctx, p, dir); err != nil {
			return report, err
		}
		ms.Ignition = digest
	} else if ms.Ignition != digest {
		report.Note = "its config has changed, but only the first boot of a disk reads it; `slipway qemu up --fresh` starts over"
	}
	u.st.Machines[p.Name] = ms
	if err := markPowerOn(filepath.Join(dir, fileSerial)); err != nil {
		return report, fmt.Errorf("starting node %q: %w", p.Name, err)
	}
	if ms.Process, err = start(ctx, p, dir, greetMonitor); err != nil {
		return report, fmt.Errorf("starting node %q: %w", p.Name, err)
	}
	ms.Accel = u.req.Host.Accel
	u.st.Machines[p.Name] = ms
	return report, nil
}

// makeDisk gives the node an empty folder, its own UEFI variables and a disk on top of the image. The disk comes
// last: as long as it is missing, the next Up starts over.
func (u upper) makeDisk(ctx context.Context, p Process, dir string) (ImageID, error) {
	if err := os.RemoveAll(dir); err != nil {
		return ImageID{}, fmt.Errorf("making the disk of node %q: %w", p.Name, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return ImageID{}, fmt.Errorf("making the disk of node %q: %w", p.Name, err)
	}
	id, err := imageID(u.req.Artefacts.Image)
	if err != nil {
		return ImageID{}, err
	}
	if err := copyFile(u.req.Host.Vars, filepath.Join(dir, fileVars)); err != nil {
		return ImageID{}, fmt.Errorf("making the disk of node %q: %w", p.Name, err)
	}
	cmd := exec.CommandContext(ctx, p.Disk[0], p.Disk[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		os.Remove(filepath.Join(dir, fileDisk))
		return ImageID{}, fmt.Errorf("making the disk of node %q: %w\n%s said: %s", p.Name, err, ToolImg, strings.TrimSpace(string(out)))
	}
	return id, nil
}

// PowerMark is the line in a serial log before each power-on: what stands above it is of an earlier one.
const PowerMark = "slipway-qemu: power on"

func markPowerOn(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString("\n" + PowerMark + "\n"); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func imageID(path string) (ImageID, error) {
	info, err := os.Stat(path)
	if err != nil {
		return ImageID{}, fmt.Errorf("reading the image: %w", err)
	}
	return ImageID{Path: path, Size: info.Size(), Mtime: info.ModTime().UnixNano()}, nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
