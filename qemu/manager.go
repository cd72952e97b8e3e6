package qemu

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Manager runs the machines of one cluster out of one folder.
type Manager struct {
	Dir string // the cluster's folder, absolute; made when it is missing
	Lab Lab
}

// Report says what was done with one node.
type Report struct {
	Node  string
	Did   string // "started", "powered on", "already running", "powered off", "cut", "not running"
	Ports Ports
	Accel Accel
	Note  string // something that the user should know
}

// UpRequest says what to switch on.
type UpRequest struct {
	Artefacts Artefacts
	Host      Host
	Options   Options
	Nodes     []string         // empty: all
	Fresh     bool             // new disks
	Fixed     map[string]Ports // ports that the user chose; a zero is free
}

// Up switches nodes on. A running one is left alone, a stopped one goes on with the disk that it has.
func (m Manager) Up(ctx context.Context, req UpRequest) ([]Report, error) {
	if err := m.Check(req); err != nil {
		return nil, err
	}
	names, _ := m.choose(req.Nodes)
	if err := checkVersion(req.Host.Version, req.Host.Accel, len(m.Lab.Machines)); err != nil {
		return nil, err
	}
	var reports []Report
	err := m.locked(func(dir string, st *State) (err error) {
		up := upper{dir: dir, lab: m.Lab, req: req, st: st}
		reports, err = up.all(ctx, names)
		return err
	})
	return reports, err
}

// Check finds mistakes in a request without looking at req.Host, before anything slow is done.
func (m Manager) Check(req UpRequest) error {
	names, err := m.choose(req.Nodes)
	if err != nil {
		return err
	}
	return checkArtefacts(req.Artefacts, names, m.Lab.DiskSize)
}

// DownRequest says what to switch off, and how.
type DownRequest struct {
	Nodes   []string      // empty: all
	Hard    bool          // cut the power
	Delete  bool          // and forget the disks
	Timeout time.Duration // for a guest to power off by itself, then its power is cut
}

// Down switches nodes off.
func (m Manager) Down(ctx context.Context, req DownRequest) ([]Report, error) {
	names, err := m.choose(req.Nodes)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(m.Dir); os.IsNotExist(err) {
		var none []Report
		for _, name := range names {
			none = append(none, Report{Node: name, Did: "not running"})
		}
		return none, nil
	}
	var reports []Report
	err = m.locked(func(dir string, st *State) error {
		d := downer{dir: dir, lab: m.Lab, req: req, st: st}
		reports, err = d.all(ctx, names)
		return err
	})
	return reports, err
}

// locked runs f with the folder locked and its state loaded, and saves the state even when f fails: what runs must
// never be forgotten.
func (m Manager) locked(f func(dir string, st *State) error) error {
	release, err := lock(m.Dir)
	if err != nil {
		return err
	}
	defer release()
	dir, err := filepath.EvalSymlinks(m.Dir) // as /proc shows it
	if err != nil {
		return fmt.Errorf("finding the state folder: %w", err)
	}
	st, err := LoadState(dir)
	if err != nil {
		return err
	}
	st.Cluster = m.Lab.Cluster
	err = f(dir, &st)
	if saveErr := st.save(dir); err == nil {
		err = saveErr
	}
	return err
}

// choose checks the user's node names; none means all.
func (m Manager) choose(names []string) ([]string, error) {
	if len(names) == 0 {
		return m.Lab.names(), nil
	}
	for _, name := range names {
		if _, ok := m.Lab.machine(name); !ok {
			return nil, errNoNode(name, m.Lab.names())
		}
	}
	return names, nil
}

// checkArtefacts finds out before any work whether the image and all configs are there.
func checkArtefacts(art Artefacts, names []string, diskSize int64) error {
	info, err := os.Stat(art.Image)
	if err != nil {
		return errNoImage(art.Image)
	}
	if info.Size() > diskSize {
		return errImageTooLarge(art.Image, info.Size(), diskSize)
	}
	for _, name := range names {
		if !isFile(art.Ignition[name]) {
			return errNoIgnition(name, art.Ignition[name])
		}
	}
	return nil
}

// Status is one line of a table.
type Status struct {
	Node    string `json:"node"`
	Running bool   `json:"running"`
	Disk    bool   `json:"disk"` // it has one: `up` goes on with it
	PID     int    `json:"pid,omitempty"`
	Accel   Accel  `json:"accel,omitempty"`
	Ports   Ports  `json:"ports"`
	Dir     string `json:"dir"`
	Serial  string `json:"serial"` // path of the serial log
}

// Status looks at all nodes; it needs no lock.
func (m Manager) Status() ([]Status, error) {
	dir := m.Dir
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	st, err := LoadState(dir)
	if err != nil {
		return nil, err
	}
	var all []Status
	for _, name := range m.Lab.names() {
		ms, nd := st.Machines[name], filepath.Join(dir, nodeDir(name))
		s := Status{Node: name, Running: ms.Process.alive(), Disk: isFile(filepath.Join(nd, fileDisk)),
			Ports: ms.Ports, Dir: nd, Serial: filepath.Join(nd, fileSerial)}
		if s.Running {
			s.PID, s.Accel = ms.Process.PID, ms.Accel
		}
		all = append(all, s)
	}
	return all, nil
}

// NodeStatus is the line of one node.
func (m Manager) NodeStatus(name string) (Status, error) {
	all, err := m.Status()
	if err != nil {
		return Status{}, err
	}
	for _, s := range all {
		if s.Node == name {
			return s, nil
		}
	}
	return Status{}, errNoNode(name, m.Lab.names())
}
