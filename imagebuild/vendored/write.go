package vendored

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"slipway/imagebuild/stage"
)

// Source is a file that belongs into a folder, and where it comes from: Data, From or Fill.
type Source struct {
	Path   string
	What   string
	SHA256 string // "" where it is not known before
	Data   []byte
	From   string                                       // a file to copy
	Fill   func(ctx context.Context, file string) error // makes the file
	Verify func(file string) error                      // of a file that was not in the folder before; may be nil
}

// Written is what Write did.
type Written struct {
	Dir         string `json:"folder"`
	SHA256      string `json:"sha256"` // of the index, and so of all
	Files       int    `json:"files"`
	Bytes       int64  `json:"bytes"`
	Copied      int    `json:"copied"` // files that were not there before
	CopiedBytes int64  `json:"copiedBytes"`
	Removed     int    `json:"removed"` // files that nothing needs any more
}

// Writing is what Write needs besides the files.
type Writing struct {
	Locks stage.Locker
	Note  func(text string) // hears how far it is; may be nil
}

// Write makes dir a folder of exactly these files, or leaves it as it was. What is there and whole already is kept, without
// a copy where the file system has links. index has no Files: they are filled in.
func Write(ctx context.Context, dir string, index Index, sources []Source, w Writing) (*Written, error) {
	dir, err := place(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, fmt.Errorf("making the vendor folder: %w", stage.Friendly(err))
	}
	unlock, err := w.Locks.Lock(ctx, beside(dir, "lock"))
	if err != nil {
		return nil, stage.Friendly(err)
	}
	defer unlock()
	old, err := oldFolder(dir)
	if err != nil {
		return nil, err
	}
	s := staging{dir: beside(dir, "part"), old: old, note: w.Note, result: Written{Dir: dir}}
	if err := os.RemoveAll(s.dir); err != nil { // of a run that was killed
		return nil, err
	}
	defer os.RemoveAll(s.dir)
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the vendor folder: %w", stage.Friendly(err))
	}
	if err := s.fill(ctx, index, sources); err != nil {
		return nil, stage.Friendly(err)
	}
	if old != nil && old.Digest == s.result.SHA256 && s.result.Copied == 0 {
		return &s.result, nil // nothing is new
	}
	if err := replace(s.dir, dir); err != nil {
		return nil, stage.Friendly(err)
	}
	return &s.result, nil
}

// place is where the folder really is, or will be.
func place(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real, nil
	}
	return abs, nil
}

// beside names a hidden neighbour of the folder.
func beside(dir, ending string) string {
	return filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+"."+ending)
}

// oldFolder opens what is there; nil if nothing is. Somebody else's folder, or file in ours, is not ours to replace.
func oldFolder(dir string) (*Folder, error) {
	if err := recoverOld(dir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, &NotOursError{Dir: dir, Problem: err.Error()}
	}
	if _, err = os.Lstat(filepath.Join(dir, IndexName)); errors.Is(err, fs.ErrNotExist) {
		return nil, &NotOursError{Dir: dir, Problem: "it is there and has no " + IndexName}
	}
	old, err := Open(dir)
	if err != nil {
		return nil, &NotOursError{Dir: dir, Problem: "its " + IndexName + " cannot be read"}
	}
	others, err := old.unnamed()
	if err == nil && len(others) > 0 {
		err = &NotOursError{Dir: dir, Problem: "it has files that are not ours: " + others[0].String()}
	}
	return old, err
}

// NotOursError: where the folder is to be, there is something else.
type NotOursError struct{ Dir, Problem string }

func (e *NotOursError) Error() string {
	return fmt.Sprintf("writing the vendor folder %q: %s\nhint: name a folder that is empty, not there yet, or was filled by slipway vendor", e.Dir, e.Problem)
}

// ExitCode makes it wrong input.
func (*NotOursError) ExitCode() int { return 2 }
