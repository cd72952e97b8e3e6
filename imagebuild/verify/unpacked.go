package verify

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// Compression of a squashfs, as its superblock has it.
const (
	packedGzip = 1
	packedZstd = 6
)

// unpackedSize is how many bytes a block unpacks to, if it looks like a packed one; past limit it stops to count.
// go-diskfs unpacks into as much memory as it takes, and four bytes of zstd can stand for 128 KiB.
func unpackedSize(packing uint16, b []byte, limit int64) int64 {
	switch {
	case packing == packedZstd && bytes.HasPrefix(b, []byte("\x28\xb5\x2f\xfd")):
		return zstdSize(b, limit)
	case packing == packedGzip && len(b) > 2 && b[0] == 0x78:
		return zlibSize(b, limit)
	}
	return 0
}

func zlibSize(b []byte, limit int64) int64 {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return 0
	}
	defer z.Close()
	n, _ := io.Copy(io.Discard, io.LimitReader(z, limit+1)) // go-diskfs will meet the same error
	return n
}

func zstdSize(b []byte, limit int64) int64 {
	z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return 0
	}
	defer z.Close()
	n, err := io.Copy(io.Discard, io.LimitReader(z, limit+1))
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return limit + 1 // no block needs that
	}
	return n
}
