package verify

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"

	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/filesystem/squashfs"
)

// Entry is something in the root file system.
type Entry struct {
	Path     string // absolute
	Mode     fs.FileMode
	UID, GID uint32
	Size     int64  // bytes of a regular file
	Target   string // of a symbolic link
	tree     *rootTree
	opened   interface {
		Open() (filesystem.File, error)
	}
}

// maxSum is how large a file may be of which the digest is asked for, bytes: no program comes near.
const maxSum = 4 << 30

func (t *rootTree) entry(name string, d fs.DirEntry) (e Entry, err error) {
	defer caught(&err)
	info, err := d.Info()
	if err != nil {
		return e, err
	}
	e = Entry{Path: "/" + name, Mode: info.Mode() | special(d), tree: t}
	if stat, ok := info.Sys().(*squashfs.StatT); ok {
		e.UID, e.GID, e.Target = stat.UID, stat.GID, stat.LinkTarget
	}
	if d.Type().IsRegular() {
		e.Size = info.Size()
		e.opened, _ = d.(interface {
			Open() (filesystem.File, error)
		})
	}
	return e, nil
}

// special are the bits that go-diskfs reads and does not tell: what runs as another user matters more than most. Its field
// holds them as the disk has them, see inode(7).
func special(d fs.DirEntry) (mode fs.FileMode) {
	field := reflect.Indirect(reflect.ValueOf(d)).FieldByName("mode")
	if !field.CanUint() {
		return 0
	}
	for bit, means := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if field.Uint()&bit != 0 {
			mode |= means
		}
	}
	return mode
}

// Sum is the SHA-256 of a regular file's content, hex.
func (e Entry) Sum() (sum string, err error) {
	defer caught(&err)
	if e.opened == nil {
		return "", errors.New("no regular file")
	}
	if e.Size > maxSum {
		return "", fmt.Errorf("reading %s: %d bytes are more than %d", e.Path, e.Size, int64(maxSum))
	}
	e.tree.s.left = maxReads + int(e.Size/e.tree.s.block)
	f, err := e.opened.Open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(h, io.LimitReader(f, e.Size), make([]byte, e.tree.s.block))
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", e.Path, err)
	}
	if n != e.Size {
		return "", fmt.Errorf("reading %s: %d bytes of %d", e.Path, n, e.Size)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
