package distro

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Facts are where a distribution has what an image needs, as paths in the tree without a leading slash.
type Facts struct {
	Suffix    string // of an archive file: .deb
	Snapshots string // how the URL of a mirror of an earlier day looks, for a hint

	Modules    string   // folder with a folder for each kernel
	Kernel     string   // the kernel's image; VERSION stands for its version
	Stub       string   // systemd's EFI stub
	BootLoader string   // systemd-boot
	Database   string   // the package database
	ShipsAt    string   // where the image has it: it is a fact about the image, not state
	Leftovers  []string // names and patterns below ShipsAt that do not ship
	Purge      string   // shell commands that remove the packages $purge from the tree in the working directory
	CABundle   string   // the certificates that TLS clients trust, in one file
	Network    Network  // who configures the network
	Units      []string // units that an image starts besides Slipway's own: network, names, time, guest tools
}

// Network is a network configurator, as /etc knows it.
type Network string

// Networkd is the only one that Slipway writes configuration for.
const Networkd Network = "systemd-networkd"

// KernelImage is the path of a version's kernel.
func (f Facts) KernelImage(version string) string {
	return strings.ReplaceAll(f.Kernel, "VERSION", version)
}

// Check holds the facts about a tree against the tree, so that a release that moved something is named before anything
// is built on it.
func (f Facts) Check(tree, kernel string) error {
	paths := []string{f.KernelImage(kernel), f.Stub, f.BootLoader, f.Database, f.CABundle}
	for _, u := range f.Units {
		paths = append(paths, "usr/lib/systemd/system/"+u)
	}
	var missing []string
	for _, p := range paths {
		if _, err := os.Lstat(filepath.Join(tree, p)); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, "/"+p)
		} else if err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("checking the tree: the distribution has no %s", strings.Join(missing, ", "))
	}
	return nil
}
