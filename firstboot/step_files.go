package firstboot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

const (
	unitDir      = "/run/systemd/system/"
	manifestPath = "/var/lib/slipway/files.json" // paths that slipwayd wrote, so that it can take them back
	reloadMarker = runDir + "/reload"            // units that systemd may have read were touched, and it may not know yet
)

// target is one file that must be so.
type target struct {
	path    string
	mode    fs.FileMode
	content []byte
	unit    bool
}

// targets are the rendered files and units.
func (n *machine) targets() []target {
	var all []target
	for _, f := range n.out.Files {
		all = append(all, target{f.Path, f.Mode, f.Content, false})
	}
	for _, u := range n.out.Units {
		all = append(all, target{unitDir + u.Name, 0o644, u.Content, true})
	}
	return all
}

// manifest is the list of what was written, sorted.
func (n *machine) manifest() ([]string, error) {
	data, err := n.FS.ReadFile(manifestPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var paths []string
	if err := json.Unmarshal(data, &paths); err != nil {
		return nil, fmt.Errorf("reading %s: %w", manifestPath, err)
	}
	return paths, nil
}

func (n *machine) writeManifest(paths []string) error {
	slices.Sort(paths)
	data, err := json.MarshalIndent(slices.Compact(paths), "", "  ")
	if err != nil {
		return err
	}
	return n.write(manifestPath, append(data, '\n'), 0o644)
}

func (n *machine) observeFiles(context.Context) (Finding, error) {
	var want []string
	for _, t := range n.targets() {
		want = append(want, t.path)
		same, err := n.matches(t.path, t.content, t.mode)
		if err != nil {
			return Finding{}, fmt.Errorf("looking at files: %w", err)
		}
		if !same {
			return Need(t.path + " to be written"), nil
		}
	}
	slices.Sort(want)
	have, err := n.manifest()
	if err != nil {
		return Finding{}, err
	}
	if !slices.Equal(have, want) {
		return Need("stale files to be removed"), nil
	}
	pending, err := n.exists(reloadMarker)
	if err == nil && pending {
		return Need("systemd to read its units"), nil
	}
	return OK(), err
}

// actFiles writes what differs and removes what earlier versions wrote. The manifest always names at least what is on
// disk, so that nothing is left behind when power fails in between.
func (n *machine) actFiles(ctx context.Context) error {
	before, err := n.manifest()
	if err != nil {
		n.log("forgetting which files were written: %v", err)
	}
	var want []string
	for _, t := range n.targets() {
		want = append(want, t.path)
	}
	if err := n.writeManifest(slices.Concat(before, want)); err != nil {
		return fmt.Errorf("writing manifest: %w", err)
	}
	for _, t := range n.targets() {
		if err := n.place(t); err != nil {
			return fmt.Errorf("writing %s: %w", t.path, err)
		}
	}
	for _, path := range before {
		if slices.Contains(want, path) {
			continue
		}
		if err := n.removeStale(path); err != nil {
			return fmt.Errorf("removing stale file: %w", err)
		}
	}
	if err := n.writeManifest(want); err != nil {
		return fmt.Errorf("writing manifest: %w", err)
	}
	return n.reload(ctx)
}

// place writes a file. A unit that was not there, as each at a boot, systemd reads when it is first asked for it: to read all units
// again takes it a third of a second, and an emulated one a minute.
func (n *machine) place(t target) error {
	same, err := n.matches(t.path, t.content, t.mode)
	if err != nil || same {
		return err
	}
	if t.unit {
		if there, err := n.exists(t.path); err != nil {
			return err
		} else if there {
			if err := n.markReload(); err != nil {
				return err
			}
		}
	}
	return n.write(t.path, t.content, t.mode)
}

func (n *machine) removeStale(path string) error {
	if strings.HasPrefix(path, unitDir) {
		if err := n.markReload(); err != nil {
			return err
		}
	}
	return n.FS.Remove(path)
}

// markReload remembers, before a unit is touched, that systemd must be told.
func (n *machine) markReload() error {
	marked, err := n.exists(reloadMarker)
	if err != nil || marked {
		return err
	}
	return n.write(reloadMarker, nil, 0o644)
}

func (n *machine) reload(ctx context.Context) error {
	pending, err := n.exists(reloadMarker)
	if err != nil || !pending {
		return err
	}
	if err := n.change(ctx, "daemon-reload"); err != nil {
		return err
	}
	return n.FS.Remove(reloadMarker)
}
