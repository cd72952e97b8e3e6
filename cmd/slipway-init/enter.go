package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Enter moves into dir as switch_root(8) does. The old root is memory, which is given back.
func (*machine) Enter(dir string) error {
	old, err := os.OpenRoot("/")
	if err != nil {
		return err
	}
	defer old.Close()
	for _, at := range []string{"/dev", "/proc", "/sys", "/run"} {
		if err := unix.Mount(at, dir+at, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("moving %s into the root: %w", at, err)
		}
	}
	if err := unix.Chdir(dir); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("moving the root to /: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	return empty(old)
}

// empty removes what an initrd was unpacked to, and nothing from any other file system.
func empty(old *os.Root) error {
	dir, err := old.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &fs); err != nil {
		return err
	}
	if fs.Type != unix.RAMFS_MAGIC && fs.Type != unix.TMPFS_MAGIC {
		return nil
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		old.RemoveAll(name) // what stays costs memory, and nothing else
	}
	return nil
}
