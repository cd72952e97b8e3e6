package qemu

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// cutLimit is how long a process may take to end once its power is cut.
const cutLimit = 15 * time.Second

// downer is one Down at work, with the folder locked.
type downer struct {
	dir string
	lab Lab
	req DownRequest
	st  *State
}

func (d downer) all(ctx context.Context, names []string) ([]Report, error) {
	d.pressAll(ctx, names)
	var reports []Report
	for _, name := range names {
		did, err := d.node(ctx, name)
		if err != nil {
			return reports, fmt.Errorf("stopping node %q: %w", name, err)
		}
		reports = append(reports, Report{Node: name, Did: did})
	}
	return reports, d.stopNetwork(ctx)
}

// pressAll presses every power button first, so that guests power off side by side. Whom it does not reach, node
// will cut.
func (d downer) pressAll(ctx context.Context, names []string) {
	if d.req.Hard {
		return
	}
	for _, name := range names {
		if p := d.st.Machines[name].Process; p.alive() {
			_ = tell(ctx, p.Dir, "system_powerdown")
		}
	}
}

// node stops one node and says how that went.
func (d downer) node(ctx context.Context, name string) (did string, err error) {
	ms := d.st.Machines[name]
	did = "not running"
	if ms.Process.alive() {
		if did, err = d.stop(ctx, ms.Process); err != nil {
			return "", err
		}
	}
	ms.Process = nil
	if !d.req.Delete {
		if _, known := d.st.Machines[name]; known {
			d.st.Machines[name] = ms
		}
		return did, nil
	}
	if err := os.RemoveAll(filepath.Join(d.dir, nodeDir(name))); err != nil {
		return "", fmt.Errorf("deleting its disk: %w", err)
	}
	delete(d.st.Machines, name)
	return did, nil
}

// stop waits for a guest whose button was pressed, then asks QEMU to end, then cuts.
func (d downer) stop(ctx context.Context, p *Running) (did string, err error) {
	if !d.req.Hard {
		wait, cancel := context.WithTimeout(ctx, d.req.Timeout)
		defer cancel()
		if waitFor(wait, p.gone) == nil {
			return "powered off", nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		_ = tell(ctx, p.Dir, "quit")
		soon, cancel := context.WithTimeout(ctx, cutLimit)
		defer cancel()
		if waitFor(soon, p.gone) == nil {
			return "cut: it did not power off in time", nil
		}
	}
	soon, cancel := context.WithTimeout(ctx, cutLimit)
	defer cancel()
	return "cut", p.kill(soon)
}

// stopNetwork ends the user network and the switch once no node needs them.
func (d downer) stopNetwork(ctx context.Context) error {
	for _, ms := range d.st.Machines {
		if ms.Process.alive() {
			return nil
		}
	}
	for _, shared := range []**Running{&d.st.Network, &d.st.Switch} {
		if (*shared).alive() {
			soon, cancel := context.WithTimeout(ctx, cutLimit)
			defer cancel()
			if err := (*shared).kill(soon); err != nil {
				return fmt.Errorf("stopping the network: %w", err)
			}
		}
		*shared = nil
	}
	return nil
}
