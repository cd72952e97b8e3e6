package initrd

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// writeArchive writes files as the kernel unpacks them: cpio's "newc" in one frame of zstd. The same files give the same
// bytes. https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
func writeArchive(w io.Writer, files []file, epoch int64) error {
	// One worker: with more of them the bytes are their own. The kernel takes windows up to 128 MiB.
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	var archive cpio
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	made := map[string]bool{".": true}
	for _, f := range files {
		archive.folders(path.Dir(f.name), made, epoch)
		archive.entry(f.name, regular|uint32(f.mode.Perm()), epoch, f.data)
	}
	archive.entry("TRAILER!!!", 0, 0, nil)
	if _, err := z.Write(archive.Bytes()); err != nil {
		return err
	}
	return z.Close()
}

// Types of files in a mode.
const (
	regular = 0o100000
	folder  = 0o040000
)

// cpio is an archive in memory.
type cpio struct {
	bytes.Buffer
	count uint32
}

// folders adds a folder and those above it, once.
func (c *cpio) folders(dir string, made map[string]bool, epoch int64) {
	if made[dir] {
		return
	}
	c.folders(path.Dir(dir), made, epoch)
	made[dir] = true
	c.entry(dir, folder|0o755, epoch, nil)
}

func (c *cpio) entry(name string, mode uint32, epoch int64, data []byte) {
	links := uint32(1)
	if mode&folder != 0 && mode&regular != regular {
		links = 2
	}
	c.count++ // inodes: two files with one would be one file
	c.WriteString("070701")
	for _, field := range []uint32{c.count, mode, 0, 0, links, uint32(epoch), uint32(len(data)), 0, 0, 0, 0, uint32(len(name) + 1), 0} {
		fmt.Fprintf(c, "%08x", field)
	}
	c.WriteString(name + "\x00")
	c.pad()
	c.Write(data)
	c.pad()
}

// pad fills up to a multiple of four bytes.
func (c *cpio) pad() { c.Write(make([]byte, -c.Len()&3)) }
