package disk

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"unicode/utf16"
)

const (
	entryCount   = 128
	entrySize    = 128
	tableSectors = entryCount * entrySize / sectorSize
	firstUsable  = 2 + tableSectors
	headerSize   = 92
)

// header is a GPT header; its CRC is taken over headerSize bytes with CRC zero.
type header struct {
	Signature   [8]byte
	Revision    uint32
	Size        uint32
	CRC         uint32
	_           uint32
	Self        uint64 // sectors from here on
	Other       uint64
	FirstUsable uint64
	LastUsable  uint64
	Disk        GUID
	Entries     uint64
	EntryCount  uint32
	EntrySize   uint32
	EntriesCRC  uint32
}

// entry is one GPT partition entry.
type entry struct {
	Type, GUID  GUID
	First, Last uint64 // sectors, inclusive
	Attributes  uint64
	Name        [36]uint16
}

// region is bytes to be written at an offset.
type region struct {
	at   int64
	data []byte
}

// tables returns the protective MBR and both GPTs of p.
func (p Plan) tables() ([]region, error) {
	entries, err := p.entries()
	if err != nil {
		return nil, err
	}
	sectors := uint64(p.Size / sectorSize)
	last := sectors - 1
	primary, err := p.header(1, last, 2, entries)
	if err != nil {
		return nil, err
	}
	backup, err := p.header(last, 1, last-tableSectors, entries)
	if err != nil {
		return nil, err
	}
	return []region{
		{0, protectiveMBR(sectors)},
		{sectorSize, primary},
		{2 * sectorSize, entries},
		{int64(last-tableSectors) * sectorSize, entries},
		{int64(last) * sectorSize, backup},
	}, nil
}

func (p Plan) entries() ([]byte, error) {
	var out []byte
	for _, q := range p.Partitions {
		e := entry{
			Type: q.Type.onDisk(), GUID: q.GUID.onDisk(),
			First: uint64(q.Start / sectorSize), Last: uint64((q.Start+q.Size)/sectorSize) - 1,
		}
		if q.ReadOnly {
			e.Attributes = readOnly
		}
		if copy(e.Name[:], utf16.Encode([]rune(q.Name))) < len(q.Name) {
			return nil, fmt.Errorf("encoding partition %q: the name is longer than %d characters", q.Name, len(e.Name))
		}
		var err error
		if out, err = binary.Append(out, binary.LittleEndian, e); err != nil {
			return nil, fmt.Errorf("encoding partition %q: %w", q.Name, err)
		}
	}
	if len(out) > entryCount*entrySize {
		return nil, fmt.Errorf("encoding partition table: %d partitions, and only %d fit", len(p.Partitions), entryCount)
	}
	return append(out, make([]byte, entryCount*entrySize-len(out))...), nil
}

func (p Plan) header(self, other, table uint64, entries []byte) ([]byte, error) {
	h := header{
		Signature: [8]byte([]byte("EFI PART")), Revision: 0x00010000, Size: headerSize,
		Self: self, Other: other, FirstUsable: firstUsable, LastUsable: uint64(p.Size/sectorSize) - tableSectors - 2,
		Disk: p.GUID.onDisk(), Entries: table, EntryCount: entryCount, EntrySize: entrySize, EntriesCRC: crc32.ChecksumIEEE(entries),
	}
	b, err := binary.Append(nil, binary.LittleEndian, h)
	if err != nil {
		return nil, fmt.Errorf("encoding partition table: %w", err)
	}
	binary.LittleEndian.PutUint32(b[16:], crc32.ChecksumIEEE(b[:headerSize]))
	return append(b, make([]byte, sectorSize-len(b))...), nil
}

// protectiveMBR marks the whole disk as taken for programs that do not know GPT.
func protectiveMBR(sectors uint64) []byte {
	b := make([]byte, sectorSize)
	copy(b[446:], []byte{0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff, 0x01, 0x00, 0x00, 0x00})
	binary.LittleEndian.PutUint32(b[458:], uint32(min(sectors-1, 1<<32-1)))
	b[510], b[511] = 0x55, 0xaa
	return b
}
