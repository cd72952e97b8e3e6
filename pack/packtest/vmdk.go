package packtest

import (
	"encoding/binary"
	"os"
)

// Of VMDK: VMware, Virtual Disk Format 5.0. A sector has 512 bytes, a grain table 512 entries.
const (
	sector  = 512
	atEnd   = ^uint64(0)
	markers = 0x30001
)

// vmdkHeader is of a disk of n grain tables, with grains of that many sectors.
func vmdkHeader(n, grain int, directory, overhead uint64) []byte {
	return join(binary.LittleEndian, "KDMV", uint32(3), uint32(markers), uint64(n)*512*uint64(grain), uint64(grain), uint64(1), uint64(20),
		uint32(512), uint64(0), directory, overhead, "\x00\n \r\n", uint16(1), zeros(433))
}

// tables is a file with a directory of n tables, of which some are there, behind it; then there is a grain of noise.
func tables(name string, n, there, grain int, directory func(first uint32, i int) uint32, entry func(noise uint32, i int) uint32) File {
	return File{name, func(f *os.File) error {
		first := 21 + uint32(4*n+sector-1)/sector
		noise := first + uint32(there)*4
		all := numbers(there*512, func(i int) uint32 { return entry(noise, i) })
		marker := join(binary.LittleEndian, uint64(0), uint32(400), "\x78\x01"+zeros(300))
		return put(f, int64(noise+2)*sector, part{0, vmdkHeader(n, grain, 21, uint64(noise))},
			part{21 * sector, numbers(n, func(i int) uint32 { return directory(first, i) })},
			part{int64(first) * sector, all}, part{int64(noise) * sector, marker})
	}}
}

func vmdks() []File {
	one := func(first uint32, _ int) uint32 { return first }
	each := func(first uint32, i int) uint32 { return first + uint32(i)*4 }
	noise := func(noise uint32, _ int) uint32 { return noise }
	return []File{
		tables("16 million grains in 192 KiB.vmdk", 32<<10, 1, 128, one, noise),
		tables("one table for 62 TiB.vmdk", 2_031_616, 1, 128, one, noise),
		tables("one table for 62 TiB in small grains.vmdk", 31_000_000, 1, 8, one, noise),
		tables("one grain for all.vmdk", 2048, 2048, 128, each, noise),
		tables("grains of 1 MiB past the end.vmdk", 512, 512, 2048, each, func(_ uint32, i int) uint32 { return 1<<31 + uint32(i) }),
		tables("grains in the tables.vmdk", 512, 512, 128, each, func(_ uint32, i int) uint32 { return uint32(i) }),
		{"62 TiB of holes.vmdk", func(f *os.File) error {
			const n = 2_031_616
			return put(f, 8*gib, part{0, vmdkHeader(n, 128, 21, 21+n/128+4*n)})
		}},
		{"markers without end.vmdk", func(f *os.File) error {
			mark := append(join(binary.LittleEndian, uint64(4), uint32(0), uint32(1), zeros(sector-16)), zeros(4*sector)...)
			parts := []part{{0, vmdkHeader(1024, 128, atEnd, 128)}}
			for i := range int64(20_000) {
				parts = append(parts, part{(128 + 5*i) * sector, mark})
			}
			return put(f, (128+5*20_000+2)*sector, append(parts, part{(128 + 5*20_000) * sector, vmdkHeader(1024, 128, 200, 128)})...)
		}},
	}
}
