package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"slipway/imagebuild/stage"
)

// replace gives fill an empty file and puts it in the place of out when fill succeeds. Until then it has a hidden name
// beside out, which a second run finds locked, and takes over if the first was killed.
func replace(out string, force bool, fill func(*os.File) error) error {
	if err := free(out, force); err != nil {
		return err
	}
	w, err := claim(filepath.Join(filepath.Dir(out), "."+filepath.Base(out)+".part"))
	if err != nil {
		return friendly(err)
	}
	defer w.Close()
	if err := fill(w); err != nil {
		os.Remove(w.Name())
		return friendly(err)
	}
	if err := place(w, out, force); err != nil {
		os.Remove(w.Name())
		return friendly(err)
	}
	return nil
}

// push asks for a file to be written to its disk while its digest is made, so that the sync that place does has less to
// wait for. An error of the disk is told by that sync.
func push(w *os.File) { _ = unix.SyncFileRange(int(w.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE) }

// place gives the finished file its name, once it would survive a power cut.
func place(w *os.File, out string, force bool) error {
	if err := w.Sync(); err != nil {
		return err
	}
	if err := free(out, force); err != nil { // somebody else may have made it meanwhile
		return err
	}
	if err := os.Rename(w.Name(), out); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(out))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// free refuses to replace what is there.
func free(out string, force bool) error {
	st, err := os.Lstat(out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return inputError{err}
	case st.Mode()&fs.ModeSymlink != 0:
		return inputError{fmt.Errorf("%q is a symbolic link\nhint: name the file itself", out)}
	case !st.Mode().IsRegular():
		return inputError{fmt.Errorf("%q is no regular file", out)}
	case !force:
		return inputError{fmt.Errorf("%q exists\nhint: --force replaces it", out)}
	}
	return nil
}

// claim opens and locks a file for this process alone, and empties it. Between opening and locking, its last owner may
// have renamed or removed it: then it is somebody else's, and a new one is made.
func claim(name string) (*os.File, error) {
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
		if err != nil {
			return nil, theirs(fmt.Errorf("making a file: %w", err))
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EWOULDBLOCK):
			err = &stage.BusyError{Path: name}
		case err != nil:
			err = fmt.Errorf("locking %q: %w", name, err)
		case mine(f):
			if err = f.Truncate(0); err == nil {
				return f, nil
			}
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
}

func mine(f *os.File) bool {
	a, err := f.Stat()
	b, err2 := os.Lstat(f.Name())
	return err == nil && err2 == nil && os.SameFile(a, b)
}

// theirs marks what is wrong with a name or with the rights to it: the user chose it.
func theirs(err error) error {
	causes := []error{fs.ErrNotExist, fs.ErrPermission, syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EROFS}
	if slices.ContainsFunc(causes, func(c error) bool { return errors.Is(err, c) }) {
		return inputError{err}
	}
	return err
}

// friendly adds the way out of errors that a person meets often.
func friendly(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w\nhint: free space there, or choose another folder; nothing half-written was left. An OVA takes twice its size meanwhile", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w\nhint: is the folder yours to write?", err)
	}
	return err
}
