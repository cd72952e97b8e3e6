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
	tmp, err := stage(path, mode, fill)
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
	Name string // in the folder
	Data []byte
	Mode fs.FileMode
}

// WriteAll puts files into a folder, which must exist: none of them has its name before all of them are written and
// synced. Only a failing rename, which leaves nothing half-written, can end it between two of them.
func WriteAll(dir string, files []File) error {
	staged := make([]string, 0, len(files))
	defer func() {
		for _, tmp := range staged {
			os.Remove(tmp) // gone already when renamed
		}
	}()
	for _, f := range files {
		tmp, err := stage(filepath.Join(dir, f.Name), f.Mode, func(w *os.File) error {
			_, err := w.Write(f.Data)
			return err
		})
		if err != nil {
			return err
		}
		staged = append(staged, tmp)
	}
	for i, f := range files {
		if err := os.Rename(staged[i], filepath.Join(dir, f.Name)); err != nil {
			return err
		}
	}
	return SyncDir(dir)
}

// stage writes a synced file under a hidden name beside path, and returns that name.
func stage(path string, mode fs.FileMode, fill func(*os.File) error) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".part-*")
	if err != nil {
		return "", err
	}
	err = fill(f)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
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
