package secureboot

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// layout is where those parts of a program lie that its signature does not cover.
type layout struct {
	checksum  int // 4 bytes
	directory int // 8 bytes: where the table of certificates lies and how long it is
	table     int // of certificates, which ends the file; the file's length if there is none
}

const (
	maxProgram  = 1 << 31 // what offsets in a program can say
	maxSections = 96      // what Windows' loader takes, and firmware after it
)

// parseLayout reads the headers of a PE32+ program, and refuses one of which some byte would not be signed, or signed twice:
// headers, sections and table of certificates must follow each other without gap or overlap. What follows may rely on it.
func parseLayout(b []byte) (layout, error) {
	if len(b) > maxProgram || len(b) < 0x40 || string(b[:2]) != "MZ" {
		return layout{}, errors.New("it is no EFI program: it does not begin with MZ")
	}
	at := int64(binary.LittleEndian.Uint32(b[0x3c:]))
	var head struct {
		Signature [4]byte
		pe.FileHeader
		Optional pe.OptionalHeader64
	}
	if at < 0x40 || !decode(b, at, &head) || string(head.Signature[:]) != "PE\x00\x00" || head.Optional.Magic != 0x20b {
		return layout{}, errors.New("it is no EFI program: it has no header of a 64-bit PE file")
	}
	optional := at + 4 + int64(binary.Size(pe.FileHeader{}))
	l := layout{checksum: int(optional) + 64, directory: int(optional) + 144, table: len(b)}
	switch {
	case head.NumberOfSections == 0 || head.NumberOfSections > maxSections:
		return layout{}, fmt.Errorf("its header has %d sections, and 1 to %d can be signed", head.NumberOfSections, maxSections)
	case head.PointerToSymbolTable != 0:
		return layout{}, errors.New("it has a table of symbols, which no EFI program needs")
	case int64(head.SizeOfOptionalHeader) < int64(binary.Size(head.Optional)) || head.Optional.NumberOfRvaAndSizes <= pe.IMAGE_DIRECTORY_ENTRY_SECURITY:
		return layout{}, errors.New("its header has no room for a signature")
	}
	end, err := sectionsEnd(b, optional+int64(head.SizeOfOptionalHeader), head.NumberOfSections, head.Optional.SizeOfHeaders)
	if err != nil {
		return layout{}, err
	}
	if d := head.Optional.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_SECURITY]; d.Size != 0 || d.VirtualAddress != 0 {
		if uint64(d.VirtualAddress)+uint64(d.Size) != uint64(len(b)) || int64(d.VirtualAddress) < end || d.VirtualAddress%8 != 0 {
			return layout{}, fmt.Errorf("its table of certificates is said to be %d bytes at byte %d, and does not end the file", d.Size, d.VirtualAddress)
		}
		l.table = int(d.VirtualAddress)
	}
	return l, nil
}

// sectionsEnd is where the last section ends. The first begins where the headers end, and each where its neighbour ends.
func sectionsEnd(b []byte, at int64, count uint16, headers uint32) (int64, error) {
	sections := make([]pe.SectionHeader32, count)
	if !decode(b, at, sections) || at+int64(binary.Size(sections)) > int64(headers) {
		return 0, fmt.Errorf("its headers are said to be %d bytes, and are longer", headers)
	}
	end := int64(headers)
	for _, s := range sections {
		name, _, _ := bytes.Cut(s.Name[:], []byte{0})
		switch {
		case s.NumberOfRelocations != 0:
			return 0, fmt.Errorf("its section %q has relocations, as object files do", name)
		case s.SizeOfRawData == 0:
			continue
		case int64(s.PointerToRawData) != end:
			return 0, fmt.Errorf("its section %q begins at byte %d and not at %d, where what stands before it ends", name, s.PointerToRawData, end)
		}
		end += int64(s.SizeOfRawData)
		if end > int64(len(b)) {
			return 0, fmt.Errorf("its section %q ends at byte %d, past the file's %d", name, end, len(b))
		}
	}
	return end, nil
}

// decode reads a value of fixed size at a byte of b, if it is there.
func decode(b []byte, at int64, v any) bool {
	if at < 0 || at > math.MaxInt32 || at > int64(len(b)) {
		return false
	}
	_, err := binary.Decode(b[at:], binary.LittleEndian, v)
	return err == nil
}
