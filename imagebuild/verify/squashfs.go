package verify

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/filesystem/squashfs"
)

// Limits of what is read of a root file system: go-diskfs believes every size that it finds, and who made the image also
// made its hash tree.
const (
	maxReads  = 4 << 10  // of the disk, for one folder or file
	maxMeta   = 8 << 10  // bytes of a block of a table
	maxBlock  = 1 << 20  // bytes of a block of a file
	maxFile   = 16 << 20 // bytes of a file to be looked into; the largest is the kernel's index of modules
	maxFolder = 64       // folders within each other
	maxFiles  = 500_000  // of all folders, which may list each other
	maxCache  = 16 << 20 // bytes of blocks that go-diskfs keeps
	maxParts  = 64 << 10 // fragment blocks, whose table it loads when it opens the file system
)

// rootTree is a root file system that cannot make its reader take more than a little memory.
type rootTree struct {
	fs *squashfs.FileSystem
	s  *storage
}

// openSquashfs reads the file system at the start of r.
func openSquashfs(r *io.SectionReader) (tree *rootTree, err error) {
	defer caught(&err)
	s := &storage{SectionReader: r, left: maxReads}
	if err := s.checkSuperblock(); err != nil {
		return nil, err
	}
	found, err := squashfs.Read(s, r.Size(), 0, 0)
	if err != nil {
		return nil, fmt.Errorf("reading squashfs: %w", err)
	}
	found.SetCacheSize(maxCache)
	return &rootTree{found, s}, nil
}

// caught turns a panic of go-diskfs, which indexes by what it reads, into what is wrong with the file system.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("reading squashfs: it is damaged: %v", p)
	}
}

// begin gives the next call its number of reads, and reads once, so that no walk in cached blocks outlasts its context.
func (t *rootTree) begin() error {
	t.s.left = maxReads
	_, err := t.s.ReadAt(make([]byte, 1), 0)
	return err
}

// Open reads a file at once, as reading may panic, too.
func (t *rootTree) Open(name string) (fs.File, error) {
	b, info, err := t.read(name)
	if err != nil {
		return nil, err
	}
	return file{bytes.NewReader(b), info}, nil
}

// file is a file that was read.
type file struct {
	*bytes.Reader
	info fs.FileInfo
}

func (f file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (file) Close() error                 { return nil }

func (t *rootTree) read(name string) (b []byte, info fs.FileInfo, err error) {
	defer caught(&err)
	if err := t.begin(); err != nil {
		return nil, nil, err
	}
	f, err := t.fs.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, nil, err
	}
	if info.Size() > maxFile {
		return nil, nil, fmt.Errorf("opening %q: %d bytes are more than %d", name, info.Size(), maxFile)
	}
	b, err = io.ReadAll(f)
	return b, info, err
}

func (t *rootTree) Stat(name string) (info fs.FileInfo, err error) {
	defer caught(&err)
	if err := t.begin(); err != nil {
		return nil, err
	}
	return t.fs.Stat(name)
}

// ReadDir refuses folders that are nested without an end, as they are if one lists itself.
func (t *rootTree) ReadDir(name string) (entries []fs.DirEntry, err error) {
	defer caught(&err)
	if strings.Count(name, "/") > maxFolder {
		return nil, fmt.Errorf("reading squashfs: folders are nested deeper than %d", maxFolder)
	}
	if err := t.begin(); err != nil {
		return nil, err
	}
	return t.fs.ReadDir(name)
}

// Lstat is Stat, which follows no link.
func (t *rootTree) Lstat(name string) (fs.FileInfo, error) { return t.Stat(name) }

// ReadLink is where a symbolic link leads.
func (t *rootTree) ReadLink(name string) (target string, err error) {
	defer caught(&err)
	entries, err := t.ReadDir(path.Dir(name))
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if link, ok := e.(interface{ Readlink() (string, error) }); ok && e.Name() == path.Base(name) {
			return link.Readlink()
		}
	}
	return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrNotExist}
}

func (t *rootTree) ReadFile(name string) ([]byte, error) {
	b, _, err := t.read(name)
	return b, err
}

// storage is a part of an image as go-diskfs wants it. Only reading works, not for ever, and no block unpacks to more than
// a block.
type storage struct {
	*io.SectionReader
	left    int // reads
	packing uint16
	block   int64 // bytes of a file's
	table   int64 // where a table's block begins, whose two bytes of header were read last; 0: none
	raw     bool  // that block is not packed
}

var _ backend.Storage = &storage{}

func (*storage) Close() error                            { return nil }
func (*storage) Path() string                            { return "" }
func (*storage) Stat() (fs.FileInfo, error)              { return nil, backend.ErrNotSuitable }
func (*storage) Sys() (*os.File, error)                  { return nil, backend.ErrNotSuitable }
func (*storage) Writable() (backend.WritableFile, error) { return nil, backend.ErrIncorrectOpenMode }

func (s *storage) ReadAt(p []byte, off int64) (int, error) {
	if s.left--; s.left < 0 {
		return 0, fmt.Errorf("reading squashfs: one folder or file takes more than %d reads", maxReads)
	}
	if off < 0 || off >= s.Size() { // before p is looked at: its length may be anything
		return 0, io.EOF
	}
	n, err := s.SectionReader.ReadAt(p, off)
	table := s.table == off
	if s.table = 0; len(p) == 2 {
		s.table, s.raw = off+2, p[1]&0x80 != 0
		return n, err
	}
	limit, size := s.block, int64(n)
	if table {
		limit = maxMeta
	}
	if !table || !s.raw {
		size = unpackedSize(s.packing, p[:n], limit)
	}
	if size > limit {
		return 0, fmt.Errorf("reading squashfs: the block at byte %d has more than %d bytes", off, limit)
	}
	return n, err
}

// superblock is the first 96 bytes: Linux, fs/squashfs/squashfs_fs.h.
type superblock struct {
	Magic                              [4]byte
	Inodes, Time, BlockSize, Fragments uint32
	Packing, BlockLog, Flags, IDs      uint16
	Major, Minor                       uint16
	Root, Used                         uint64
	Tables                             [6]uint64
}

// checkSuperblock looks at the numbers that go-diskfs takes memory by.
func (s *storage) checkSuperblock() error {
	var b superblock
	if err := binary.Read(io.NewSectionReader(s.SectionReader, 0, s.Size()), binary.LittleEndian, &b); err != nil {
		return fmt.Errorf("reading squashfs: %w", err)
	}
	switch {
	case string(b.Magic[:]) != "hsqs":
		return fmt.Errorf("the file system is not squashfs: it begins with %x", b.Magic)
	case b.BlockSize < 4<<10 || b.BlockSize > maxBlock || b.BlockSize != 1<<(b.BlockLog&31):
		return fmt.Errorf("reading squashfs: blocks of %d bytes, 2 to the power of %d", b.BlockSize, b.BlockLog)
	case b.Packing != packedGzip && b.Packing != packedZstd:
		return fmt.Errorf("reading squashfs: compression %d: gzip and zstd can be read", b.Packing)
	case b.Fragments > maxParts:
		return fmt.Errorf("reading squashfs: %d fragment blocks, and %d can be read", b.Fragments, maxParts)
	case b.Used > uint64(s.Size()):
		return fmt.Errorf("reading squashfs: %d bytes in a partition of %d", b.Used, s.Size())
	}
	s.packing, s.block = b.Packing, int64(b.BlockSize)
	return nil
}
