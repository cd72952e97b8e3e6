// Package gpt reads the partition table of a disk that boots, and adds to it what an image does not ship: the other slot,
// its hash tree, and state to the end of the disk. What it does not understand of a table it leaves as it is.
//
// Start with [Read] and [Table.Grow]. Format: UEFI specification 2.10, chapter 5; partition types of
// https://uapi-group.org/specifications/specs/discoverable_partitions_specification/.
package gpt

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf16"
)

// Partition types.
const (
	TypeESP    = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
	TypeRoot   = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709" // x86-64
	TypeVerity = "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5" // root's hash tree, x86-64
	TypeState  = "0fc63daf-8483-4772-8e79-3d69d8477de4" // linux-generic, with the name below
)

// StateName is the name of the state partition.
const StateName = "state"

// Partition is one partition; sectors are the disk's own.
type Partition struct {
	Number     int    // from 1, as the kernel counts
	Type, GUID string // 8-4-4-4-12, lower case
	Name       string
	First      uint64
	Last       uint64 // inclusive
}

// Sectors is how many sectors the partition has.
func (p Partition) Sectors() uint64 { return p.Last - p.First + 1 }

// Table is a partition table in memory.
type Table struct {
	Sector  int64 // bytes
	sectors uint64
	header  [headerSize]byte
	entries []byte
	size    int // of one entry
}

const (
	headerSize = 92
	signature  = "EFI PART"
	maxEntries = 1 << 20 // bytes
	// Offsets in a header.
	atSize, atCRC, atSelf, atOther, atFirstUsable, atLastUsable, atEntries, atCount, atEntrySize, atEntriesCRC = 12, 16, 24, 32, 40, 48, 72, 80, 84, 88
	// Offsets in an entry.
	atType, atGUID, atFirst, atLast, atAttributes, atName = 0, 16, 32, 40, 48, 56
	smallestEntry                                         = 128
)

// Read reads the table of a disk of size bytes: the primary one, and if that is damaged the backup.
func Read(r io.ReaderAt, size, sector int64) (*Table, error) {
	sectors := uint64(size / sector)
	if sectors < 8 {
		return nil, errors.New("reading the partition table: no disk is that small")
	}
	t, err := readCopy(r, sectors, sector, 1)
	if err == nil {
		return t, nil
	}
	backup, errBackup := readCopy(r, sectors, sector, sectors-1)
	if errBackup != nil {
		return nil, fmt.Errorf("reading the partition table: primary: %w; backup: %w", err, errBackup)
	}
	return backup, nil
}

func readCopy(r io.ReaderAt, sectors uint64, sector int64, at uint64) (*Table, error) {
	t := &Table{Sector: sector, sectors: sectors}
	if _, err := r.ReadAt(t.header[:], int64(at)*sector); err != nil {
		return nil, err
	}
	if string(t.header[:len(signature)]) != signature || t.u32(atSize) != headerSize {
		return nil, errors.New("no header")
	}
	if t.sum() != t.u32(atCRC) || t.u64(atSelf) != at {
		return nil, errors.New("the header is damaged")
	}
	bytes := uint64(t.u32(atCount)) * uint64(t.u32(atEntrySize))
	if t.u32(atEntrySize) < smallestEntry || bytes > maxEntries || t.u64(atEntries) >= sectors {
		return nil, errors.New("entries out of range")
	}
	t.size, t.entries = int(t.u32(atEntrySize)), make([]byte, bytes)
	if _, err := r.ReadAt(t.entries, int64(t.u64(atEntries))*sector); err != nil {
		return nil, err
	}
	if crc32.ChecksumIEEE(t.entries) != t.u32(atEntriesCRC) {
		return nil, errors.New("the entries are damaged")
	}
	return t, nil
}

func (t *Table) u32(at int) uint32 { return binary.LittleEndian.Uint32(t.header[at:]) }
func (t *Table) u64(at int) uint64 { return binary.LittleEndian.Uint64(t.header[at:]) }

// sum is the header's checksum, which is taken with its own place zero.
func (t *Table) sum() uint32 {
	h := t.header
	clear(h[atCRC : atCRC+4])
	return crc32.ChecksumIEEE(h[:])
}

// entry is the space of partition number.
func (t *Table) entry(number int) []byte { return t.entries[(number-1)*t.size : number*t.size] }

// Partitions are those in use, by number.
func (t *Table) Partitions() []Partition {
	var out []Partition
	for n := 1; n <= len(t.entries)/t.size; n++ {
		e := t.entry(n)
		if bytes.Equal(e[atType:atType+16], make([]byte, 16)) {
			continue
		}
		p := Partition{
			Number: n, Type: decodeGUID(e[atType:]), GUID: decodeGUID(e[atGUID:]), Name: decodeName(e[atName:smallestEntry]),
			First: binary.LittleEndian.Uint64(e[atFirst:]), Last: binary.LittleEndian.Uint64(e[atLast:]),
		}
		if p.First <= p.Last && p.Last < t.sectors {
			out = append(out, p)
		}
	}
	return out
}

// put writes a partition over the entry of its number; attributes stay.
func (t *Table) put(p Partition) {
	e := t.entry(p.Number)
	copy(e[atType:], encodeGUID(p.Type))
	copy(e[atGUID:], encodeGUID(p.GUID))
	binary.LittleEndian.PutUint64(e[atFirst:], p.First)
	binary.LittleEndian.PutUint64(e[atLast:], p.Last)
	clear(e[atName:smallestEntry])
	for i, u := range utf16.Encode([]rune(p.Name)) {
		binary.LittleEndian.PutUint16(e[atName+2*i:], u)
	}
}

// Disk is where a table is written to.
type Disk interface {
	io.WriterAt
	Sync() error
}

// Write writes both copies so that one of them is whole at any time: first the backup, at the end that the disk has now.
func (t *Table) Write(d Disk) error {
	table := uint64((int64(len(t.entries)) + t.Sector - 1) / t.Sector)
	last := t.sectors - 1
	for _, c := range []struct{ self, other, entries uint64 }{{last, 1, last - table}, {1, last, 2}} {
		binary.LittleEndian.PutUint64(t.header[atSelf:], c.self)
		binary.LittleEndian.PutUint64(t.header[atOther:], c.other)
		binary.LittleEndian.PutUint64(t.header[atEntries:], c.entries)
		binary.LittleEndian.PutUint32(t.header[atEntriesCRC:], crc32.ChecksumIEEE(t.entries))
		binary.LittleEndian.PutUint32(t.header[atCRC:], t.sum())
		for _, w := range []struct {
			data []byte
			at   uint64
		}{{t.entries, c.entries}, {t.header[:], c.self}} {
			if _, err := d.WriteAt(w.data, int64(w.at)*t.Sector); err != nil {
				return fmt.Errorf("writing the partition table: %w", err)
			}
			if err := d.Sync(); err != nil {
				return fmt.Errorf("writing the partition table: %w", err)
			}
		}
	}
	return nil
}

// mixed swaps between the order of a GUID's text and that on the disk, where the first three groups are little-endian.
func mixed(g []byte) []byte {
	return []byte{g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]}
}

func decodeGUID(b []byte) string { return FormatGUID(mixed(b[:16])) }

// FormatGUID gives 16 bytes the form 8-4-4-4-12.
func FormatGUID(b []byte) string {
	h := hex.EncodeToString(b)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

func encodeGUID(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 {
		return make([]byte, 16) // never: they come from this package
	}
	return mixed(b)
}

func decodeName(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	name, _, _ := strings.Cut(string(utf16.Decode(units)), "\x00")
	return name
}
