package verify

import (
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/filesystem/squashfs"
)

// openSquashfs reads the file system at the start of r.
func openSquashfs(r *io.SectionReader) (fs.FS, error) {
	head := make([]byte, 4)
	if _, err := r.ReadAt(head, 0); err != nil || string(head) != "hsqs" {
		return nil, fmt.Errorf("the file system is not squashfs: it begins with %x", head)
	}
	tree, err := squashfs.Read(storage{r}, r.Size(), 0, 0)
	if err != nil {
		return nil, fmt.Errorf("reading squashfs: %w", err)
	}
	return tree, nil
}

// storage is a part of an image as go-diskfs wants it: only reading works.
type storage struct{ *io.SectionReader }

var _ backend.Storage = storage{}

func (storage) Close() error                            { return nil }
func (storage) Path() string                            { return "" }
func (storage) Stat() (fs.FileInfo, error)              { return nil, backend.ErrNotSuitable }
func (storage) Sys() (*os.File, error)                  { return nil, backend.ErrNotSuitable }
func (storage) Writable() (backend.WritableFile, error) { return nil, backend.ErrIncorrectOpenMode }
