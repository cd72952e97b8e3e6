package vendored

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"slipway/internal/durable"
)

// replace puts the new folder where the old one is. Where the file system cannot exchange them, the old one has another name
// for a moment; recoverOld takes it back.
func replace(part, dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return errors.Join(os.Rename(part, dir), durable.SyncDir(filepath.Dir(dir)))
	}
	err := unix.Renameat2(unix.AT_FDCWD, part, unix.AT_FDCWD, dir, unix.RENAME_EXCHANGE)
	if err == nil {
		return durable.SyncDir(filepath.Dir(dir)) // what was the old one is removed as the staging folder
	}
	if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV) {
		return fmt.Errorf("replacing %s: %w\nhint: a mount point cannot be replaced: name a folder in it", dir, err)
	}
	away := beside(dir, "old")
	if err := os.Rename(dir, away); err != nil {
		return err
	}
	if err := os.Rename(part, dir); err != nil {
		return errors.Join(err, os.Rename(away, dir))
	}
	return errors.Join(durable.SyncDir(filepath.Dir(dir)), os.RemoveAll(away))
}

// recoverOld ends what a run did not that was killed while it replaced the folder.
func recoverOld(dir string) error {
	away := beside(dir, "old")
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.Rename(away, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return os.RemoveAll(away)
}
