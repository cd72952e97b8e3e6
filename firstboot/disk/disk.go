// Package disk makes and removes files so that a power cut at any moment leaves the old state or the new one, and what
// has been reported as done is still so afterwards.
//
// Start with Write and MakeAll; Settle comes first when a process starts. They work on a Disk, the few system calls that
// change a file system: System is the real one, and the test's loses everything that was not synced. POSIX promises no
// more: a file's bytes are safe after fsync of the file, its name after fsync of its folder.
package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// Disk is what changes a file system.
type Disk interface {
	Mkdir(name string, mode fs.FileMode) error
	Create(dir, pattern string) (File, error) // a new file, named as os.CreateTemp does
	Rename(from, to string) error
	Remove(name string) error
	SyncDir(name string) error
	Glob(pattern string) ([]string, error)
}

// File is one that is being written.
type File interface {
	Name() string
	Write([]byte) (int, error)
	Chmod(fs.FileMode) error
	Sync() error
	Close() error
}

// leftover is how files are named until they are whole.
const leftover = ".slipway-*"

// Write replaces a file: it writes beside it, syncs, renames over it and syncs the folder, which must exist.
func Write(d Disk, name string, data []byte, mode fs.FileMode) error {
	tmp, err := d.Create(filepath.Dir(name), leftover)
	if err != nil {
		return err
	}
	if err := fill(tmp, data, mode); err != nil {
		return errors.Join(err, d.Remove(tmp.Name()))
	}
	if err := d.Rename(tmp.Name(), name); err != nil {
		return errors.Join(err, d.Remove(tmp.Name()))
	}
	return d.SyncDir(filepath.Dir(name))
}

func fill(f File, data []byte, mode fs.FileMode) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// MakeAll makes a folder and those above it, each with its name in the one above.
func MakeAll(d Disk, dir string, mode fs.FileMode) error {
	above := filepath.Dir(dir)
	err := d.Mkdir(dir, mode)
	if errors.Is(err, fs.ErrNotExist) && above != dir {
		if err := MakeAll(d, above, mode); err != nil {
			return err
		}
		err = d.Mkdir(dir, mode)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return d.SyncDir(above)
}

// Remove removes a file; a missing one is no error.
func Remove(d Disk, name string) error {
	err := d.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(name))
}

// Rename gives a file another name in the same folder.
func Rename(d Disk, from, to string) error {
	if err := d.Rename(from, to); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(to))
}

// Settle makes sure of what another process left in folders when it was killed: half-written files go, and what is there
// to be read is on the disk, together with the folders' own names. Folders that do not exist are left out.
func Settle(d Disk, dirs ...string) error {
	synced := map[string]bool{}
	for _, dir := range dirs {
		if err := sweep(d, dir); err != nil {
			return err
		}
		for at := dir; !synced[at]; at = filepath.Dir(at) {
			synced[at] = true
			if err := d.SyncDir(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

func sweep(d Disk, dir string) error {
	found, err := d.Glob(filepath.Join(dir, leftover))
	if err != nil {
		return err
	}
	for _, name := range found {
		if err := d.Remove(name); err != nil {
			return err
		}
	}
	return nil
}
