// Package packtest makes files that nobody packs by accident: small ones that claim to be huge, tables that all point to
// one place, sizes without end. What reads disks must come through all of them in little memory, and can be stopped.
//
// Start with Write. The files are sparse: some are a TiB long and take a few blocks.
package packtest

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
	tib = 1 << 40
)

// File is a hostile file.
type File struct {
	Name  string
	write func(f *os.File) error
}

// Files are all of them, by format.
func Files() []File { return slices.Concat(qcow2s(), vmdks(), disks(), archives()) }

// Write makes f in a folder and returns its path.
func (f File) Write(folder string) (string, error) {
	path := filepath.Join(folder, f.Name)
	w, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer w.Close()
	if err := f.write(w); err != nil {
		return "", fmt.Errorf("making %q: %w", f.Name, err)
	}
	return path, nil
}

// part is bytes at an offset of a file.
type part struct {
	at   int64
	data []byte
}

// put writes parts of a file of size bytes; the rest stays a hole.
func put(f *os.File, size int64, parts ...part) error {
	for _, p := range parts {
		if _, err := f.WriteAt(p.data, p.at); err != nil {
			return err
		}
	}
	return f.Truncate(size)
}

// words are n big-endian numbers.
func words(n int, value func(i int) uint64) []byte {
	b := make([]byte, 0, 8*n)
	for i := range n {
		b = binary.BigEndian.AppendUint64(b, value(i))
	}
	return b
}

// numbers are n little-endian numbers of 32 bits.
func numbers(n int, value func(i int) uint32) []byte {
	b := make([]byte, 0, 4*n)
	for i := range n {
		b = binary.LittleEndian.AppendUint32(b, value(i))
	}
	return b
}

// join are the encoded values, one after the other.
func join(order binary.AppendByteOrder, values ...any) []byte {
	var b []byte
	for _, v := range values {
		switch v := v.(type) {
		case string:
			b = append(b, v...)
		case uint16:
			b = order.AppendUint16(b, v)
		case uint32:
			b = order.AppendUint32(b, v)
		case uint64:
			b = order.AppendUint64(b, v)
		}
	}
	return b
}

func zeros(n int) string { return strings.Repeat("\x00", n) }
