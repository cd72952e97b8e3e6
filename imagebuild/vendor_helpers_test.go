package imagebuild

import (
	"crypto/sha256"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

func sha256Of(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }

// memoryFile is a file of a module archive.
type memoryFile struct{ name, content string }

func (f memoryFile) Path() string { return f.name }
func (f memoryFile) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(f.content)), nil
}
func (f memoryFile) Lstat() (os.FileInfo, error) { return memoryInfo(f), nil }

type memoryInfo memoryFile

func (i memoryInfo) Name() string     { return path.Base(i.name) }
func (i memoryInfo) Size() int64      { return int64(len(i.content)) }
func (memoryInfo) Mode() fs.FileMode  { return 0o644 }
func (memoryInfo) ModTime() time.Time { return time.Time{} }
func (memoryInfo) IsDir() bool        { return false }
func (memoryInfo) Sys() any           { return nil }
