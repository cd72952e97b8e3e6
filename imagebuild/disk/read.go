package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf16"

	"slipway/internal/finding"
)

// ReadTable reads the partition table of the image r of size bytes. It checks the protective MBR, both copies' CRCs,
// that they agree, and that partitions are in range and apart, and returns all that is wrong, in order of offset, with
// the table of the copy that is sound. An error means that no copy could be read.
func ReadTable(r io.ReaderAt, size int64) (Plan, []finding.Finding, error) {
	if size < 2*alignment || size%sectorSize != 0 {
		return Plan{}, nil, fmt.Errorf("reading partition table: an image of %d bytes is none", size)
	}
	problems := checkMBR(r)
	last := size/sectorSize - 1
	primary, errA := readCopy(r, size, 1, last)
	backup, errB := readCopy(r, size, last, 1)
	if errA != nil && errB != nil {
		return Plan{}, nil, fmt.Errorf("reading partition table: primary: %w; backup: %w", errA, errB)
	}
	if errA != nil {
		problems = append(problems, finding.Finding{Offset: sectorSize, Text: "primary GPT: " + errA.Error()})
		primary = backup
	}
	problems = append(problems, primary.problems(size)...)
	switch {
	case errB != nil:
		problems = append(problems, finding.Finding{Offset: last * sectorSize, Text: "backup GPT: " + errB.Error()})
	case primary.String() != backup.String():
		problems = append(problems, finding.Finding{Offset: last * sectorSize, Text: "backup GPT differs from the primary"})
	}
	return primary, problems, nil
}

func checkMBR(r io.ReaderAt) []finding.Finding {
	b := make([]byte, sectorSize)
	if _, err := r.ReadAt(b, 0); err != nil {
		return []finding.Finding{{Text: "protective MBR: " + err.Error()}}
	}
	if b[510] != 0x55 || b[511] != 0xaa || b[450] != 0xee {
		return []finding.Finding{{Offset: 446, Text: "protective MBR is missing"}}
	}
	return nil
}

// readCopy reads the GPT whose header is at sector self.
func readCopy(r io.ReaderAt, size, self, other int64) (Plan, error) {
	h, err := readHeader(r, self)
	if err != nil {
		return Plan{}, err
	}
	at := int64(h.Entries) * sectorSize
	switch {
	case int64(h.Self) != self || int64(h.Other) != other:
		return Plan{}, fmt.Errorf("header says that it is at sector %d and its twin at %d, not at %d and %d", h.Self, h.Other, self, other)
	case h.EntryCount != entryCount || h.EntrySize != entrySize:
		return Plan{}, fmt.Errorf("%d entries of %d bytes, want %d of %d", h.EntryCount, h.EntrySize, entryCount, entrySize)
	case h.Entries > uint64(size/sectorSize-tableSectors):
		return Plan{}, fmt.Errorf("entries at sector %d are out of range", h.Entries)
	}
	b := make([]byte, entryCount*entrySize)
	if _, err := r.ReadAt(b, at); err != nil {
		return Plan{}, fmt.Errorf("reading entries: %w", err)
	}
	if got := crc32.ChecksumIEEE(b); got != h.EntriesCRC {
		return Plan{}, fmt.Errorf("CRC of the entries at byte %d is %08x, header says %08x", at, got, h.EntriesCRC)
	}
	p := Plan{GUID: h.Disk.onDisk(), Size: size}
	p.Partitions, err = decodeEntries(b)
	return p, err
}

func readHeader(r io.ReaderAt, sector int64) (header, error) {
	var h header
	b := make([]byte, sectorSize)
	if _, err := r.ReadAt(b, sector*sectorSize); err != nil {
		return h, fmt.Errorf("reading header: %w", err)
	}
	if _, err := binary.Decode(b, binary.LittleEndian, &h); err != nil {
		return h, fmt.Errorf("decoding header: %w", err)
	}
	if string(h.Signature[:]) != "EFI PART" || h.Size != headerSize {
		return h, errors.New("no header")
	}
	clear(b[16:20])
	if got := crc32.ChecksumIEEE(b[:headerSize]); got != h.CRC {
		return h, fmt.Errorf("CRC of the header is %08x, it says %08x", got, h.CRC)
	}
	return h, nil
}

func decodeEntries(b []byte) ([]Partition, error) {
	all := make([]entry, entryCount)
	if _, err := binary.Decode(b, binary.LittleEndian, all); err != nil {
		return nil, fmt.Errorf("decoding entries: %w", err)
	}
	var out []Partition
	for _, e := range all {
		if e.Type == (GUID{}) {
			continue
		}
		name, _, _ := strings.Cut(string(utf16.Decode(e.Name[:])), "\x00")
		const maxSector = 1 << 53 // keeps byte counts in range whatever the entry says
		first, last := min(e.First, maxSector), min(e.Last, maxSector)
		out = append(out, Partition{
			Name: name, Type: e.Type.onDisk(), GUID: e.GUID.onDisk(), ReadOnly: e.Attributes&readOnly != 0,
			Start: int64(first) * sectorSize, Size: (int64(last) - int64(first) + 1) * sectorSize,
		})
	}
	return out, nil
}

// problems checks that partitions are inside the image, in order and apart.
func (p Plan) problems(size int64) []finding.Finding {
	var out []finding.Finding
	end := int64(firstUsable * sectorSize)
	for _, q := range p.Partitions {
		switch {
		case q.Size <= 0 || q.Start+q.Size > size-(tableSectors+1)*sectorSize:
			out = append(out, finding.Finding{Offset: q.Start, Text: fmt.Sprintf("partition %q of %d bytes is out of range", q.Name, q.Size)})
		case q.Start < end:
			out = append(out, finding.Finding{Offset: q.Start, Text: fmt.Sprintf("partition %q overlaps what is before it", q.Name)})
		case q.Start%alignment != 0:
			out = append(out, finding.Finding{Offset: q.Start, Text: fmt.Sprintf("partition %q does not start at a multiple of 1 MiB", q.Name)})
		}
		end = max(end, q.Start+q.Size)
	}
	return out
}
