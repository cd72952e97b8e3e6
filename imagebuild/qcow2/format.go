// Package qcow2 writes, reads and checks disk images in QEMU's format qcow2, version 3, with compressed clusters.
//
// Start with [Write], which makes an image in one pass and in bounded memory, on all cores; [Open], which gives the disk
// that an image holds; and [Check], which says what is wrong with an image's structure. All three know the kind of image
// that Slipway makes and that qemu-img makes by default: clusters of 64 KiB and reference counts of 16 bits. Snapshots,
// backing files, encryption, bitmaps, external data and extended tables are refused by name.
//
// Format: docs/interop/qcow2.rst in QEMU's sources.
package qcow2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Compression is how clusters are compressed; the numbers are those of the file format.
type Compression uint8

const (
	Zlib Compression = 0 // raw deflate, RFC 1951, which every reader of the format knows
	Zstd Compression = 1 // one frame a cluster, RFC 8878; QEMU 5.1 or later
)

func (c Compression) String() string {
	switch c {
	case Zlib:
		return "zlib"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("compression %d", uint8(c))
}

const (
	clusterBits   = 16
	clusterSize   = 1 << clusterBits
	sectorSize    = 512
	refcountOrder = 4                     // 16 bits
	perL2         = clusterSize / 8       // entries of an L2 table
	l2Span        = perL2 * clusterSize   // bytes of disk behind one L2 table: 512 MiB
	perBlock      = clusterSize / 2       // entries of a refcount block: 2 GiB of file
	maxL1         = (32 << 20) / 8        // QEMU's limit of an L1 table, in entries
	maxDisk       = maxL1 * int64(l2Span) // 2 PiB
)

// Bits of L1 and L2 entries.
const (
	copied      = 1 << 63                // the cluster's reference count is exactly 1
	isPacked    = 1 << 62                // L2: the cluster is compressed
	readsZero   = 1                      // L2: the cluster reads as zeros, allocated or not
	offsetMask  = 1<<56 - 1<<9           // where a table or a plain cluster is
	packedBits  = 62 - (clusterBits - 8) // of a compressed cluster's offset, which need not be aligned; its sectors are above
	packedMask  = 1<<packedBits - 1
	extraShift  = packedBits
	extraMask   = 1<<(62-packedBits) - 1
	l1Reserved  = ^uint64(copied | offsetMask)
	l2Reserved  = ^uint64(copied | offsetMask | readsZero)
	tableOffset = ^uint64(1<<9 - 1) // in the refcount table
)

// packedEntry is the L2 entry of n compressed bytes at off: the offset, and how many sectors follow the first one.
func packedEntry(off, n int64) uint64 {
	extra := (off+n-1)/sectorSize - off/sectorSize
	return isPacked | uint64(extra)<<extraShift | uint64(off)
}

// packedSpan is the part of the file that an L2 entry gives a compressed cluster: from its first byte to a sector's end.
func packedSpan(entry uint64) (start, end int64) {
	start = int64(entry & packedMask)
	return start, (start/sectorSize + int64(entry>>extraShift&extraMask) + 1) * sectorSize
}

// header is the first bytes of the file, big-endian. The last two fields are there when Length says so.
type header struct {
	Magic            [4]byte
	Version          uint32
	BackingOffset    uint64
	BackingSize      uint32
	ClusterBits      uint32
	Size             uint64 // of the disk, bytes
	Crypt            uint32
	L1Size           uint32 // entries
	L1Offset         uint64
	RefTableOffset   uint64
	RefTableClusters uint32
	Snapshots        uint32
	SnapshotsOffset  uint64
	Incompatible     uint64
	Compatible       uint64
	Autoclear        uint64
	RefcountOrder    uint32
	Length           uint32 // of the header, bytes
	Compression      Compression
	Padding          [7]byte
}

const (
	shortHeader = 104 // without the compression type, which then is zlib
	longHeader  = 112

	dirtyBit        = 1 << 0
	corruptBit      = 1 << 1
	externalBit     = 1 << 2
	compressionBit  = 1 << 3
	extendedL2Bit   = 1 << 4
	lazyRefcountBit = 1 << 0 // of the compatible features
)

func newHeader(size int64, c Compression) header {
	h := header{
		Magic: [4]byte{'Q', 'F', 'I', 0xfb}, Version: 3, ClusterBits: clusterBits, Size: uint64(size),
		L1Size: uint32(l1Entries(size)), L1Offset: clusterSize, RefcountOrder: refcountOrder, Length: shortHeader,
	}
	if c != Zlib {
		h.Compression, h.Incompatible, h.Length = c, compressionBit, longHeader
	}
	return h
}

// l1Entries is how many L2 tables cover a disk.
func l1Entries(size int64) int64 { return ceil(size, l2Span) }

func ceil(n, unit int64) int64 { return (n + unit - 1) / unit }

func (h header) encode() ([]byte, error) {
	b, err := binary.Append(nil, binary.BigEndian, h)
	if err != nil {
		return nil, fmt.Errorf("encoding header: %w", err)
	}
	return b[:h.Length], nil
}

func decodeHeader(r io.ReaderAt) (header, error) {
	var h header
	b := make([]byte, longHeader)
	if n, err := r.ReadAt(b, 0); n < shortHeader {
		return h, fmt.Errorf("reading header: %d bytes: %w", n, noEOF(err))
	}
	if _, err := binary.Decode(b, binary.BigEndian, &h); err != nil {
		return h, fmt.Errorf("decoding header: %w", err)
	}
	if h.Length < longHeader {
		h.Compression, h.Padding = Zlib, [7]byte{} // what is there belongs to a header extension
	}
	return h, h.supported()
}

// supported refuses what this package does not read, by name.
func (h header) supported() error {
	known := uint64(compressionBit)
	for _, c := range []struct {
		bad  bool
		text string
	}{
		{h.Magic != [4]byte{'Q', 'F', 'I', 0xfb}, "byte 0: not a qcow2 image"},
		{h.Version != 3, fmt.Sprintf("byte 4: version %d, want 3", h.Version)},
		{h.BackingOffset != 0 || h.BackingSize != 0, "byte 8: a backing file holds a part of the disk"},
		{h.ClusterBits != clusterBits, fmt.Sprintf("byte 20: cluster bits are %d, want %d", h.ClusterBits, clusterBits)},
		{h.Size > uint64(maxDisk), fmt.Sprintf("byte 24: a disk of %d bytes is too large", h.Size)},
		{h.Size%sectorSize != 0, fmt.Sprintf("byte 24: a disk of %d bytes is not of whole sectors", h.Size)},
		{h.Crypt != 0, fmt.Sprintf("byte 32: encrypted by method %d", h.Crypt)},
		{h.L1Size > maxL1, fmt.Sprintf("byte 36: L1 table of %d entries is too large", h.L1Size)},
		{int64(h.L1Size) < l1Entries(int64(h.Size)), fmt.Sprintf("byte 36: L1 table of %d entries is too small for %d bytes", h.L1Size, h.Size)},
		{h.Snapshots != 0, fmt.Sprintf("byte 60: %d snapshots", h.Snapshots)},
		{h.Incompatible&dirtyBit != 0, "byte 72: marked dirty: it was not closed"},
		{h.Incompatible&corruptBit != 0, "byte 72: marked corrupt"},
		{h.Incompatible&externalBit != 0, "byte 72: the data is in another file"},
		{h.Incompatible&extendedL2Bit != 0, "byte 72: extended L2 tables"},
		{h.Incompatible&^known != 0, fmt.Sprintf("byte 72: unknown features %#x", h.Incompatible&^known)},
		{h.Compatible&^lazyRefcountBit != 0, fmt.Sprintf("byte 80: unknown features %#x", h.Compatible&^lazyRefcountBit)},
		{h.Autoclear != 0, fmt.Sprintf("byte 88: bitmaps or other features %#x", h.Autoclear)},
		{h.RefcountOrder != refcountOrder, fmt.Sprintf("byte 96: refcount order is %d, want %d", h.RefcountOrder, refcountOrder)},
		{h.Length != shortHeader && h.Length != longHeader, fmt.Sprintf("byte 100: header of %d bytes", h.Length)},
		{h.Compression > Zstd, fmt.Sprintf("byte 104: unknown %s", h.Compression)},
		{h.Padding != [7]byte{}, "byte 105: the padding is not zero"},
		{(h.Compression != Zlib) != (h.Incompatible&compressionBit != 0), "byte 104: compression type and feature bit do not agree"},
	} {
		if c.bad {
			return errors.New(c.text)
		}
	}
	return nil
}
