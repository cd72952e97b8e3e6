package uki

import (
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

const securityDirectory = pe.IMAGE_DIRECTORY_ENTRY_SECURITY

// add appends the header of a section whose data goes to the file at offset, and returns the next free offset.
func (i *image) add(s content, offset uint32) (uint32, error) {
	if len(i.sections) == 0 {
		return 0, errors.New("the stub has no sections")
	}
	last := i.sections[len(i.sections)-1]
	end := max(uint64(last.VirtualAddress)+uint64(last.VirtualSize), uint64(offset)) + uint64(len(s.data)) + uint64(i.opt.SectionAlignment)
	if end > math.MaxInt32 {
		return 0, fmt.Errorf("section %q of %d bytes makes the image larger than 2 GiB", s.name, len(s.data))
	}
	h := pe.SectionHeader32{
		VirtualSize:      uint32(len(s.data)),
		VirtualAddress:   align(last.VirtualAddress+last.VirtualSize, i.opt.SectionAlignment),
		SizeOfRawData:    align(uint32(len(s.data)), i.opt.FileAlignment),
		PointerToRawData: offset,
		Characteristics:  s.flags,
	}
	copy(h.Name[:], s.name)
	i.sections = append(i.sections, h)
	i.opt.SizeOfInitializedData += h.VirtualSize
	i.opt.SizeOfImage = align(h.VirtualAddress+h.VirtualSize, i.opt.SectionAlignment)
	return offset + h.SizeOfRawData, nil
}

// encode returns stub with the headers of i.
func (i *image) encode(stub []byte) ([]byte, error) {
	if i.opt.DataDirectory[securityDirectory].Size != 0 {
		return nil, errSigned
	}
	end := i.sectionsAt() + len(i.sections)*sectionHeaderSize
	if room := i.headerRoom(); end > room {
		return nil, fmt.Errorf("the stub's headers have room up to byte %d, and %d sections need %d", room, len(i.sections), end)
	}
	i.file.NumberOfSections = uint16(len(i.sections))
	i.opt.CheckSum = 0
	out := append([]byte(nil), stub...)
	for _, part := range []struct {
		at   int
		data any
	}{{i.fileAt, i.file}, {i.optAt(), i.opt}, {i.sectionsAt(), i.sections}} {
		if _, err := binary.Encode(out[part.at:], binary.LittleEndian, part.data); err != nil {
			return nil, fmt.Errorf("encoding headers: %w", err)
		}
	}
	return out, nil
}

// headerRoom returns where the headers must end: SizeOfHeaders, but not past the first section's data.
func (i *image) headerRoom() int {
	room := i.opt.SizeOfHeaders
	for _, s := range i.sections {
		if s.PointerToRawData > 0 {
			room = min(room, s.PointerToRawData)
		}
	}
	return int(room)
}
