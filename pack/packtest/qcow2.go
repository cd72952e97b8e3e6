package packtest

import (
	"encoding/binary"
	"os"
)

// Of qcow2: docs/interop/qcow2.rst in QEMU's sources.
const (
	cluster = 64 * kib
	perL2   = cluster / 8
	copied  = 1 << 63
	packed  = 1 << 62
)

// qcow2Header is of a disk with n L1 entries of 512 MiB each; the L1 table is the second cluster.
func qcow2Header(n int, refTable, refClusters int64) []byte {
	return join(binary.BigEndian, "QFI\xfb", uint32(3), uint64(0), uint32(0), uint32(16), uint64(n)*perL2*cluster, uint32(0), uint32(n),
		uint64(cluster), uint64(refTable), uint32(refClusters), uint32(0), uint64(0), uint64(0), uint64(0), uint64(0), uint32(4), uint32(104))
}

// qcow2 is a file of that size whose L1 and L2 tables say what l1 and l2 give; the L2 tables lie one after the other
// behind the L1 table, and tables are how many are written.
func qcow2(name string, size int64, entries, tables int, l1 func(first int64, i int) uint64, l2 func(i int) uint64) File {
	return File{name, func(f *os.File) error {
		first := (cluster + int64(entries)*8 + cluster - 1) / cluster * cluster
		parts := []part{
			{0, qcow2Header(entries, first+int64(tables)*cluster, 1)},
			{cluster, words(entries, func(i int) uint64 { return l1(first, i) })},
		}
		for t := range tables {
			parts = append(parts, part{first + int64(t)*cluster, words(perL2, func(i int) uint64 { return l2(t*perL2 + i) })})
		}
		return put(f, max(size, first+int64(tables+1)*cluster), parts...)
	}}
}

func same(first int64, _ int) uint64  { return copied | uint64(first) }
func own(first int64, i int) uint64   { return copied | uint64(first+int64(i)*cluster) }
func packedAt(at int64, n int) uint64 { return packed | uint64(n)<<54 | uint64(at) }
func nothing(int) uint64              { return 0 }

func qcow2s() []File {
	return []File{
		qcow2("one table for 4 TiB.qcow2", 0, perL2, 1, same, func(int) uint64 { return packedAt(cluster, 0) }),
		qcow2("one table for 2 PiB.qcow2", 0, 4*mib, 1, same, func(i int) uint64 { return copied | uint64(i+1)*cluster }),
		qcow2("one table of zeros for 2 PiB.qcow2", 0, 4*mib, 1, same, nothing),
		qcow2("tables in holes.qcow2", 16*gib, 200_000, 0, own, nothing),
		qcow2("one cluster for all.qcow2", 0, 64, 64, own, func(int) uint64 { return packedAt(cluster, 0) }),
		qcow2("noise for all.qcow2", 1*gib, 256, 256, own, func(i int) uint64 { return packedAt(64*mib+int64(i)*20, 0) }),
		qcow2("clusters past the end.qcow2", 0, 64, 64, own, func(i int) uint64 { return copied | 1<<50 | uint64(i)*cluster }),
		qcow2("reserved bits.qcow2", 0, 64, 64, own, func(int) uint64 { return 1<<60 | 1<<58 }),
		qcow2("clusters in holes.qcow2", 600*gib, 1000, 1000, own, func(i int) uint64 { return copied | uint64(gib+int64(i)*cluster) }),
		qcow2("a TiB of nothing.qcow2", 1*tib, 1, 1, own, nothing),
		{"reference counts without end.qcow2", func(f *os.File) error {
			return put(f, 1*tib, part{0, qcow2Header(1, 3*cluster, 128)}, part{cluster, words(1, func(int) uint64 { return copied | 2*cluster })},
				part{3 * cluster, words(mib, func(int) uint64 { return 2 * cluster })})
		}},
		{"zstd with a large window.qcow2", func(f *os.File) error {
			head := qcow2Header(1, 3*cluster, 1)
			binary.BigEndian.PutUint64(head[72:], 1<<3)
			binary.BigEndian.PutUint32(head[100:], 112)
			frame := "\x28\xb5\x2f\xfd\x00\xf8\x03\x00\x10Z" // a window of 2 TiB, and a block of 128 KiB of Z
			return put(f, 5*cluster, part{0, append(head, "\x01\x00\x00\x00\x00\x00\x00\x00"...)},
				part{cluster, words(1, func(int) uint64 { return copied | 2*cluster })},
				part{2 * cluster, words(perL2, func(i int) uint64 { return packedAt(4*cluster, 0) })}, part{4 * cluster, []byte(frame)})
		}},
	}
}
