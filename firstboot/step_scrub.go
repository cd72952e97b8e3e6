package firstboot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// What Ignition or a provisioning tool may have left. fw_cfg is not among them: the guest cannot change it, and its
// file in /sys is the superuser's alone.
var (
	// alwaysScrub are configs whatever they hold.
	alwaysScrub = []string{
		"/run/ignition.json", "/run/ignition/*.ign", "/run/ignition/*.json",
		"/etc/ignition/*.ign", "/etc/ignition/*.json", "/etc/ignition.json", "/boot/ignition/*", "/config.ign",
		"/root/*.ign", "/var/lib/ignition/*.ign", "/var/lib/ignition/*.json", "/var/tmp/*.ign",
	}
	// scrubIfSecret are kept as long as they hold no config: a result report is of use to people.
	scrubIfSecret = []string{"/run/ignition/*", "/etc/.ignition-result.json", "/var/lib/ignition/*"}
)

// leftovers lists the files that must go.
func (n *machine) leftovers() ([]string, error) {
	var found []string
	for _, pattern := range alwaysScrub {
		names, err := n.FS.Glob(pattern)
		if err != nil {
			return nil, err
		}
		found = append(found, names...)
	}
	for _, pattern := range scrubIfSecret {
		names, err := n.FS.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			secret, err := n.holdsConfig(name)
			if err != nil {
				return nil, err
			}
			if secret {
				found = append(found, name)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func (n *machine) holdsConfig(name string) (bool, error) {
	info, err := n.FS.Stat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	data, err := n.FS.ReadFile(name)
	return bytes.Contains(data, []byte("PRIVATE KEY")) || bytes.Contains(data, []byte("data:")) || bytes.Contains(data, []byte(`"storage"`)), err
}

func (n *machine) observeScrub(ctx context.Context) (Finding, error) {
	files, err := n.leftovers()
	if err != nil {
		return Finding{}, fmt.Errorf("looking for leftover configs: %w", err)
	}
	if len(files) > 0 {
		return Need(files[0] + " to be removed"), nil
	}
	vars, err := n.guestVars(ctx)
	if err != nil {
		return Finding{}, err
	}
	if len(vars) > 0 {
		return Need(vars[0] + " to be cleared"), nil
	}
	return OK(), nil
}

func (n *machine) actScrub(ctx context.Context) error {
	files, err := n.leftovers()
	if err != nil {
		return fmt.Errorf("looking for leftover configs: %w", err)
	}
	for _, name := range files {
		if err := n.FS.Remove(name); err != nil {
			return fmt.Errorf("removing leftover config: %w", err)
		}
	}
	vars, err := n.guestVars(ctx)
	if err != nil {
		return err
	}
	for _, name := range vars {
		if _, err := n.Run.Run(ctx, rpctool, "info-set "+name+" "+guestCleared[name]); err != nil {
			return fmt.Errorf("clearing %s: %w", name, err)
		}
	}
	return nil
}

const rpctool = "vmware-rpctool"

// guestCleared is what takes the place of a config in a VMware virtual machine: a guest can neither delete a variable
// nor empty it. The values are those that Ignition itself writes: "{}" in base64.
var guestCleared = map[string]string{
	"guestinfo.ignition.config.data":          "e30K",
	"guestinfo.ignition.config.data.encoding": "base64",
	"guestinfo.ovfEnv":                        "<Environment/>",
}

// guestVars lists the VMware variables that still hold a config, sorted; none on other machines.
func (n *machine) guestVars(ctx context.Context) ([]string, error) {
	vendor, err := n.FS.ReadFile("/sys/class/dmi/id/sys_vendor")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("asking for the machine's vendor: %w", err)
	}
	if strings.TrimSpace(string(vendor)) != "VMware, Inc." {
		return nil, nil
	}
	var found []string
	data, err := n.guestVar(ctx, "guestinfo.ignition.config.data")
	if err != nil {
		return nil, err
	}
	if data != "" && data != guestCleared["guestinfo.ignition.config.data"] {
		found = append(found, "guestinfo.ignition.config.data", "guestinfo.ignition.config.data.encoding")
	}
	ovf, err := n.guestVar(ctx, "guestinfo.ovfEnv")
	if err != nil {
		return nil, err
	}
	if strings.Contains(ovf, "guestinfo.ignition.config") {
		found = append(found, "guestinfo.ovfEnv")
	}
	return found, nil
}

// guestVar reads a variable. The tool fails with "No value found" for one that was never set; its output may be a
// secret and is never part of an error.
func (n *machine) guestVar(ctx context.Context, name string) (string, error) {
	out, err := n.Run.Run(ctx, rpctool, "info-get "+name)
	if err != nil && strings.Contains(err.Error(), "No value found") {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", name, err)
	}
	return strings.TrimSpace(out), nil
}
