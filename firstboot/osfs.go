package firstboot

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/firstboot/disk"
)

// Prefix is the real FS: every path is looked up below it. It trusts the tree, symbolic links included.
type Prefix string

func (p Prefix) path(name string) string { return filepath.Join(string(p), name) }

// ReadFile reads a whole file.
func (p Prefix) ReadFile(name string) ([]byte, error) { return os.ReadFile(p.path(name)) }

// Stat describes a file or a link itself.
func (p Prefix) Stat(name string) (fs.FileInfo, error) { return os.Lstat(p.path(name)) }

// Glob lists the paths that match, sorted, without the prefix.
func (p Prefix) Glob(pattern string) ([]string, error) {
	found, err := filepath.Glob(p.path(pattern))
	if err != nil {
		return nil, fmt.Errorf("listing %q: %w", pattern, err)
	}
	for i, f := range found {
		found[i] = "/" + strings.TrimPrefix(strings.TrimPrefix(f, filepath.Clean(string(p))), "/")
	}
	slices.Sort(found)
	return found, nil
}

// MkdirAll makes a folder and those above it, durably.
func (p Prefix) MkdirAll(name string, mode fs.FileMode) error {
	return disk.MakeAll(disk.System{}, p.path(name), mode)
}

// Remove removes a file and makes that durable.
func (p Prefix) Remove(name string) error { return disk.Remove(disk.System{}, p.path(name)) }

// Rename gives a file another name in its folder, durably.
func (p Prefix) Rename(from, to string) error {
	return disk.Rename(disk.System{}, p.path(from), p.path(to))
}

// WriteFile replaces a file: after a power cut there is the old one or the new one.
func (p Prefix) WriteFile(name string, data []byte, mode fs.FileMode) error {
	return disk.Write(disk.System{}, p.path(name), data, mode)
}

// Settle makes durable what a process before this one left in folders, and removes what it did not finish.
func (p Prefix) Settle(dirs ...string) error {
	for i, dir := range dirs {
		dirs[i] = p.path(dir)
	}
	if err := disk.Settle(disk.System{}, dirs...); err != nil {
		return fmt.Errorf("settling what is on the disk: %w", err)
	}
	return nil
}
