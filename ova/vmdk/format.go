package vmdk

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

const (
	sector          = 512
	grainSize       = 64 << 10
	grainSectors    = grainSize / sector
	tableEntries    = 512                       // grains in a grain table
	tableSectors    = tableEntries * 4 / sector // of one grain table
	tableSpan       = tableEntries * grainSectors
	descriptorStart = 1
	descriptorSize  = 20
	directoryStart  = descriptorStart + descriptorSize
	footerOverhead  = 128 // where grains start if the tables come after them

	version    = 3
	flags      = flagNewline | flagCompressed | flagMarkers
	deflate    = 1          // the only compression there is
	atEnd      = ^uint64(0) // directory offset of a header whose footer knows better
	maxSectors = 62 << 31   // 62 TiB, the largest disk of vSphere
	maxFile    = 1<<32 - 1  // sectors that a table entry can name
	align      = 1 << 20    // of the capacity, bytes
	magic      = "KDMV"     // little endian for "VMDK"
	newlines   = "\n \r\n"  // a transfer in text mode changes these
)

// Flags of the header.
const (
	flagNewline    = 1 << 0 // newlines are set
	flagZeroGrain  = 1 << 2 // table entry 1 is a grain of zeros
	flagCompressed = 1 << 16
	flagMarkers    = 1 << 17
)

// header is the first sector, and the footer.
type header struct {
	Magic            [4]byte
	Version          uint32
	Flags            uint32
	Capacity         uint64 // this and all places and sizes below: in sectors
	GrainSize        uint64
	DescriptorOffset uint64
	DescriptorSize   uint64
	TableEntries     uint32
	RedundantOffset  uint64
	DirectoryOffset  uint64
	Overhead         uint64 // where the grains start
	Unclean          uint8
	Newlines         [4]byte
	Compression      uint16
	_                [433]byte
}

// Types of a marker whose length is 0.
const (
	markEnd       = 0
	markTable     = 1
	markDirectory = 2
	markFooter    = 3
)

// markerSize is the bytes of a grain's marker; its data follows directly.
const markerSize = 12

// marker is the start of a sector that says what comes: a grain if Length is not 0, else Type of it.
type marker struct {
	Value  uint64 // of a grain: its first sector on the disk; else how many sectors follow
	Length uint32 // of a grain's data, bytes
	Type   uint32 // only if Length is 0
}

// Capacity is the size, in bytes, of the disk that an image of size bytes becomes.
func Capacity(size int64) int64 { return (size + align - 1) / align * align }

// tables is how many grain tables a disk of some sectors has.
func tables(capacity uint64) uint64 { return ceil(capacity, tableSpan) }

// directorySectors is the room that the directory takes.
func directorySectors(tables uint64) uint64 { return ceil(tables*4, sector) }

func ceil(n, unit uint64) uint64 { return (n + unit - 1) / unit }

// newHeader is the header of a file with its tables at the front.
func newHeader(capacity uint64) header {
	n := tables(capacity)
	h := header{
		Version: version, Flags: flags, Capacity: capacity, GrainSize: grainSectors,
		DescriptorOffset: descriptorStart, DescriptorSize: descriptorSize, TableEntries: tableEntries,
		DirectoryOffset: directoryStart, Overhead: directoryStart + directorySectors(n) + n*tableSectors,
		Compression: deflate,
	}
	copy(h.Magic[:], magic)
	copy(h.Newlines[:], newlines)
	return h
}

// newFooter is the header of a file with its tables after the grains; the header itself has [atEnd] for the directory.
func newFooter(capacity, directory uint64) header {
	h := newHeader(capacity)
	h.DirectoryOffset, h.Overhead = directory, footerOverhead
	return h
}

func (h header) encode() ([]byte, error) {
	b, err := binary.Append(nil, binary.LittleEndian, h)
	if err != nil {
		return nil, fmt.Errorf("encoding VMDK header: %w", err)
	}
	return b, nil
}

func decodeHeader(b []byte) (header, error) {
	var h header
	if _, err := binary.Decode(b, binary.LittleEndian, &h); err != nil {
		return h, fmt.Errorf("decoding VMDK header: %w", err)
	}
	if !bytes.Equal(h.Magic[:], []byte(magic)) {
		return h, fmt.Errorf("decoding VMDK header: it starts with %q, not %q", h.Magic[:], magic)
	}
	return h, nil
}

func decodeMarker(b []byte) marker {
	return marker{
		Value:  binary.LittleEndian.Uint64(b),
		Length: binary.LittleEndian.Uint32(b[8:]),
		Type:   binary.LittleEndian.Uint32(b[12:]),
	}
}

// entry is the i-th number of a directory or table.
func entry(table []byte, i int) uint64 { return uint64(binary.LittleEndian.Uint32(table[4*i:])) }
