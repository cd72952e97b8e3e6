package firstboot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// MkdirAll makes a folder and those above it.
func (p Prefix) MkdirAll(name string, mode fs.FileMode) error { return os.MkdirAll(p.path(name), mode) }

// Remove removes a file and makes that durable.
func (p Prefix) Remove(name string) error {
	err := os.Remove(p.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(p.path(name)))
}

// WriteFile writes beside the file, syncs, renames over it and syncs the folder: after a power cut there is the old
// file or the new one.
func (p Prefix) WriteFile(name string, data []byte, mode fs.FileMode) error {
	target := p.path(name)
	tmp, err := os.CreateTemp(filepath.Dir(target), ".slipway-*")
	if err != nil {
		return err
	}
	if err := writeTemp(tmp, data, mode); err != nil {
		os.Remove(tmp.Name())
		return err
	}
	if err := os.Rename(tmp.Name(), target); err != nil {
		os.Remove(tmp.Name())
		return err
	}
	return syncDir(filepath.Dir(target))
}

func writeTemp(f *os.File, data []byte, mode fs.FileMode) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
