package kmod

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// unpackKernel returns the decompressed vmlinux inside a bzImage.
func unpackKernel(r io.ReaderAt) (io.ReadCloser, error) {
	head := make([]byte, 0x250)
	if _, err := r.ReadAt(head, 0); err != nil {
		return nil, fmt.Errorf("reading setup header: %w", err)
	}
	if string(head[0x202:0x206]) != "HdrS" || binary.LittleEndian.Uint16(head[0x206:]) < 0x208 {
		return nil, errors.New("not a bzImage of boot protocol 2.08 or later")
	}
	setup := int64(head[0x1f1]) // sectors after the first; 0 means 4
	if setup == 0 {
		setup = 4
	}
	at := (setup+1)*512 + int64(binary.LittleEndian.Uint32(head[0x248:]))
	size := int64(binary.LittleEndian.Uint32(head[0x24c:]))
	const trailer = 4 // the unpacked size, which gzip has anyway as its own trailer
	payload := io.NewSectionReader(r, at, size)
	if magic := peek(payload); !bytes.HasPrefix(magic, []byte("\x1f\x8b")) {
		payload = io.NewSectionReader(r, at, max(0, size-trailer))
	}
	return unpack(payload)
}

func peek(r io.ReaderAt) []byte {
	magic := make([]byte, 8)
	n, _ := r.ReadAt(magic, 0)
	return magic[:n]
}

// unpackModule returns the decompressed content of a .ko, .ko.gz, .ko.xz or .ko.zst file.
func unpackModule(r io.ReaderAt) (io.ReadCloser, error) {
	whole := io.NewSectionReader(r, 0, 1<<40)
	if bytes.HasPrefix(peek(r), []byte("\x7fELF")) {
		return io.NopCloser(whole), nil
	}
	return unpack(whole)
}

const maxWindow = 128 << 20 // the kernel's build uses zstd -22, whose window is that

// unpack tells the compression by its magic.
func unpack(r *io.SectionReader) (io.ReadCloser, error) {
	in := bufio.NewReaderSize(r, 1<<18)
	switch magic := peek(r); {
	case bytes.HasPrefix(magic, []byte("\x28\xb5\x2f\xfd")):
		d, err := zstd.NewReader(in, zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case bytes.HasPrefix(magic, []byte("\xfd7zXZ\x00")):
		d, err := xz.NewReader(in)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(d), nil
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		return gzip.NewReader(in)
	default:
		return nil, fmt.Errorf("compression %x is unknown; zstd, xz and gzip are known", magic)
	}
}
