// Package durable writes files that are there whole or not at all, also after a power cut, and reads them back for
// their digest. Start with Write, or Fill for what does not fit into memory.
//
// It does not lock: two writers of one path both succeed, and the last one's file stays.
package durable

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Write makes path a file of this content and mode. Until it is whole and synced, the old file stays; the folder must
// exist.
func Write(path string, data []byte, mode fs.FileMode) error {
	return Fill(path, mode, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}

// Fill makes path a file of this mode with what fill writes. It has a hidden name beside path until fill is done and
// its bytes are synced; if anything fails, it is removed and the old file stays.
func Fill(path string, mode fs.FileMode, fill func(*os.File) error) error {
	tmp, err := stage(path, mode, true, fill)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return SyncDir(filepath.Dir(path))
}

// File is one of several that WriteAll writes.
type File struct {
	Name string // in the folder, whose own folders must exist
	Mode fs.FileMode
	Fill func(io.Writer) error
}

// Content fills a file with bytes.
func Content(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}

// many is how many files are better synced as their file system than one by one, which costs each of them a commit.
const many = 64

// WriteAll puts files into a folder, which must exist: none of them has its name before all of them are written and
// synced. Only a failing rename, which leaves nothing half-written, can end it between two of them.
func WriteAll(dir string, files []File) error {
	staged := make([]string, 0, len(files))
	defer func() {
		for _, tmp := range staged {
			os.Remove(tmp) // gone already when renamed
		}
	}()
	one := len(files) < many
	for _, f := range files {
		tmp, err := stage(filepath.Join(dir, f.Name), f.Mode, one, func(w *os.File) error { return f.Fill(w) })
		if err != nil {
			return err
		}
		staged = append(staged, tmp)
	}
	if !one {
		if err := syncFS(dir); err != nil {
			return err
		}
	}
	folders := map[string]bool{}
	for i, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := os.Rename(staged[i], path); err != nil {
			return err
		}
		folders[filepath.Dir(path)] = true
	}
	if !one {
		return syncFS(dir)
	}
	for folder := range folders {
		if err := SyncDir(folder); err != nil {
			return err
		}
	}
	return nil
}

// syncFS makes all that was written to a folder's file system durable.
func syncFS(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
}

// stage writes a file under a hidden name beside path, and returns that name.
func stage(path string, mode fs.FileMode, sync bool, fill func(*os.File) error) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".part-*")
	if err != nil {
		return "", err
	}
	err = fill(f)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Digest is the SHA-256 of a file, in hex.
func Digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
