// Package esp writes and reads EFI system partitions: FAT32 file systems with a handful of files.
//
// Start with [Write], which writes one in a single pass without touching free space, and [Read], which lists one
// and checks it. The package does not change an existing file system, and knows only ASCII names.
//
// Format: Microsoft's "FAT: General Overview of On-Disk Format" (fatgen103), sections on BPB, FAT and long names.
package esp

import (
	"fmt"
	"io"
	"time"
)

// Options fix everything about a file system that is not a file.
type Options struct {
	Size     int64     // bytes, a multiple of 512; at least 33 MiB, or it cannot be FAT32
	Label    string    // up to 11 upper-case characters
	VolumeID uint32    // derived, never random
	Time     time.Time // of every file and folder, 1980 to 2107, stored in UTC
}

// File is one file to write. Folders are made as needed.
type File struct {
	Path string // slash-separated: EFI/BOOT/BOOTX64.EFI
	Data io.ReaderAt
	Size int64 // bytes
}

const (
	sectorSize      = 512
	reservedSectors = 32
	infoSector      = 1
	backupSector    = 6
	fatCount        = 2
	rootCluster     = 2
	minClusters     = 65525 // fewer would be read as FAT16
	maxPerCluster   = 8     // sectors
	endOfChain      = 0x0fffffff
	mediaDisk       = 0xf8
)

// geometry is where things lie, in sectors.
type geometry struct {
	sectors    uint32
	perCluster uint32
	fatSectors uint32 // of one FAT
	clusters   uint32
}

// newGeometry picks the largest clusters, up to 4 KiB, with which size bytes are still FAT32.
func newGeometry(size int64) (geometry, error) {
	if size%sectorSize != 0 || size/sectorSize > 1<<32-1 {
		return geometry{}, fmt.Errorf("size of %d bytes is not a multiple of %d below 2 TiB", size, sectorSize)
	}
	for per := uint32(maxPerCluster); per > 0; per /= 2 {
		g := geometry{sectors: uint32(size / sectorSize), perCluster: per}
		entries := max(int64(g.sectors)-reservedSectors, 0)/int64(per) + rootCluster // at most; a FAT slightly too long does no harm
		g.fatSectors = uint32((entries*4 + sectorSize - 1) / sectorSize)
		if data := int64(g.sectors) - int64(g.dataStart()); data > 0 {
			g.clusters = uint32(data) / per
		}
		if g.clusters >= minClusters+16 { // some readers are off by a few at the border
			return g, nil
		}
	}
	return geometry{}, fmt.Errorf("size of %d bytes is too small for FAT32: it takes 33 MiB", size)
}

func (g geometry) dataStart() uint32 { return reservedSectors + fatCount*g.fatSectors }

func (g geometry) clusterSize() int64 { return int64(g.perCluster) * sectorSize }

// offset returns the byte at which cluster n starts.
func (g geometry) offset(n uint32) int64 {
	return int64(g.dataStart())*sectorSize + int64(n-rootCluster)*g.clusterSize()
}

// clustersFor returns how many clusters hold size bytes.
func (g geometry) clustersFor(size int64) int64 {
	return (size + g.clusterSize() - 1) / g.clusterSize()
}

// bootSector is sector 0 and its backup.
type bootSector struct {
	Jump              [3]byte
	OEM               [8]byte
	BytesPerSector    uint16
	SectorsPerCluster uint8
	ReservedSectors   uint16
	FATs              uint8
	RootEntries       uint16
	Sectors16         uint16
	Media             uint8
	FATSectors16      uint16
	SectorsPerTrack   uint16
	Heads             uint16
	HiddenSectors     uint32
	Sectors           uint32
	FATSectors        uint32
	Flags             uint16
	Version           uint16
	RootCluster       uint32
	InfoSector        uint16
	BackupSector      uint16
	_                 [12]byte
	Drive             uint8
	_                 uint8
	Extended          uint8
	VolumeID          uint32
	Label             [11]byte
	Type              [8]byte
	_                 [420]byte
	Signature         uint16
}

func newBootSector(g geometry, o Options) bootSector {
	return bootSector{
		Jump: [3]byte{0xeb, 0x58, 0x90}, OEM: fixed8("SLIPWAY"), BytesPerSector: sectorSize,
		SectorsPerCluster: uint8(g.perCluster), ReservedSectors: reservedSectors, FATs: fatCount, Media: mediaDisk,
		SectorsPerTrack: 63, Heads: 255, Sectors: g.sectors, FATSectors: g.fatSectors,
		RootCluster: rootCluster, InfoSector: infoSector, BackupSector: backupSector,
		Drive: 0x80, Extended: 0x29, VolumeID: o.VolumeID, Label: label(o.Label), Type: fixed8("FAT32"), Signature: 0xaa55,
	}
}

// geometry returns the layout that a boot sector describes, or why this package cannot read it.
func (b bootSector) geometry() (geometry, error) {
	g := geometry{sectors: b.Sectors, perCluster: uint32(b.SectorsPerCluster), fatSectors: b.FATSectors}
	switch {
	case b.Signature != 0xaa55 || b.Sectors16 != 0 || b.FATSectors16 != 0 || b.FATSectors == 0:
		return g, fmt.Errorf("boot sector is not FAT32's")
	case b.BytesPerSector != sectorSize || b.ReservedSectors != reservedSectors || b.FATs != fatCount || b.RootCluster != rootCluster:
		return g, fmt.Errorf("boot sector has %d-byte sectors, %d reserved, %d FATs, root at cluster %d; want %d, %d, %d, %d",
			b.BytesPerSector, b.ReservedSectors, b.FATs, b.RootCluster, sectorSize, reservedSectors, fatCount, rootCluster)
	case g.perCluster == 0 || int64(g.fatSectors)*fatCount+reservedSectors >= int64(g.sectors):
		return g, fmt.Errorf("boot sector leaves no room for data")
	}
	g.clusters = (g.sectors - g.dataStart()) / g.perCluster
	if g.clusters > maxClusters {
		return g, fmt.Errorf("%d clusters are more than the %d that can be read", g.clusters, maxClusters)
	}
	if int64(g.clusters)+rootCluster > int64(g.fatSectors)*sectorSize/4 {
		return g, fmt.Errorf("FAT of %d sectors is too short for %d clusters", g.fatSectors, g.clusters)
	}
	return g, nil
}

func fixed8(s string) (out [8]byte) {
	copy(out[:], s+"        ")
	return out
}

func label(s string) (out [11]byte) {
	copy(out[:], s+"           ")
	return out
}

// infoBlock is the FSInfo sector.
type infoBlock struct {
	Lead   uint32
	_      [480]byte
	Struct uint32
	Free   uint32
	Next   uint32
	_      [12]byte
	Trail  uint32
}

func newInfoBlock(free, next uint32) infoBlock {
	return infoBlock{Lead: 0x41615252, Struct: 0x61417272, Free: free, Next: next, Trail: 0xaa550000}
}
