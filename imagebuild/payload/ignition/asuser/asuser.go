// Package as_user makes files and folders as another user would, in that user's home: a symlink that the user put there
// leads nowhere that the user may not write. Start with OpenFile.
//
// It is compiled into Ignition in the place of a package of that name which does so in C.
package as_user

import (
	"fmt"
	"os"
	"os/user"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// OpenFile is os.OpenFile as u.
func OpenFile(u *user.User, name string, flags int, perm uint32) (f *os.File, err error) {
	asErr := as(u, func() { f, err = os.OpenFile(name, flags, os.FileMode(perm)) })
	if asErr != nil {
		return nil, asErr
	}
	return f, err
}

// MkdirAll is os.MkdirAll as u.
func MkdirAll(u *user.User, path string, perm uint32) (err error) {
	if asErr := as(u, func() { err = os.MkdirAll(path, os.FileMode(perm)) }); asErr != nil {
		return asErr
	}
	return err
}

// as does what it is given in a thread that has u's rights on files and a umask of its own. The thread ends with it: it
// is never unlocked, so nothing else ever runs there.
func as(u *user.User, do func()) error {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return fmt.Errorf("invalid uid: %w", err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return fmt.Errorf("invalid gid: %w", err)
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := become(uid, gid)
		if err == nil {
			do()
		}
		done <- err
	}()
	return <-done
}

// become gives up root's rights on files, of this thread only: with the file system user id go the capabilities.
func become(uid, gid int) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("leaving the umask of other threads: %w", err)
	}
	unix.Umask(0o077)
	unix.SetfsgidRetGid(gid) // these two tell only what was before: ask what is
	unix.SetfsuidRetUid(uid)
	nowGID, _ := unix.SetfsgidRetGid(-1)
	nowUID, _ := unix.SetfsuidRetUid(-1)
	if nowGID != gid || nowUID != uid {
		return fmt.Errorf("becoming user %d of group %d: %w", uid, gid, unix.EPERM)
	}
	return nil
}
