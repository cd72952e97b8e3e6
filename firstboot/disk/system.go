package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// System is the machine's own file systems.
type System struct{}

// Mkdir makes one folder.
func (System) Mkdir(name string, mode fs.FileMode) error { return os.Mkdir(name, mode) }

// Create makes a new file in a folder.
func (System) Create(dir, pattern string) (File, error) { return os.CreateTemp(dir, pattern) }

// Rename replaces what has the name.
func (System) Rename(from, to string) error { return os.Rename(from, to) }

// Remove removes a file.
func (System) Remove(name string) error { return os.Remove(name) }

// Glob lists the paths that match.
func (System) Glob(pattern string) ([]string, error) { return filepath.Glob(pattern) }

// SyncDir makes the names in a folder durable. A file system that knows no such thing (EINVAL, see fsync(2); squashfs is
// one) is never written to, and has nothing to lose.
func (System) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
