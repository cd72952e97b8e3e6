package uki

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Section is one section of a unified kernel image; reading it gives its content without padding.
type Section struct {
	*io.SectionReader
	Name   string
	Offset int64 // in the file, bytes
}

// maxSections is what Windows' loader takes, and firmware after it.
const maxSections = 96

// Read returns all sections of the PE file r, in file order; those of [Parts] and the stub's own. It reads the headers
// and nothing else: [pe.NewFile] would also load symbols and relocations, as many as the file says that there are.
func Read(r io.ReaderAt) ([]Section, error) {
	headers, err := readHeaders(r)
	if err != nil {
		return nil, fmt.Errorf("reading unified kernel image: %w", err)
	}
	var out []Section
	for _, h := range headers {
		name, _, _ := bytes.Cut(h.Name[:], []byte{0})
		at := int64(h.PointerToRawData)
		out = append(out, Section{io.NewSectionReader(r, at, int64(min(h.VirtualSize, h.SizeOfRawData))), string(name), at})
	}
	return out, nil
}

func readHeaders(r io.ReaderAt) ([]pe.SectionHeader32, error) {
	var dos struct {
		Magic [2]byte
		_     [0x3a]byte
		At    uint32
	}
	var head struct {
		Signature [4]byte
		pe.FileHeader
	}
	if err := readStruct(r, 0, &dos); err != nil {
		return nil, fmt.Errorf("DOS header: %w", err)
	}
	if string(dos.Magic[:]) != "MZ" {
		return nil, errors.New("it does not begin with MZ")
	}
	at := int64(dos.At)
	if err := readStruct(r, at, &head); err != nil {
		return nil, fmt.Errorf("PE header: %w", err)
	}
	switch {
	case string(head.Signature[:]) != "PE\x00\x00":
		return nil, fmt.Errorf("there is no PE header at byte %d", at)
	case head.NumberOfSections > maxSections:
		return nil, fmt.Errorf("%d sections are more than %d", head.NumberOfSections, maxSections)
	}
	sections := make([]pe.SectionHeader32, head.NumberOfSections)
	at += int64(binary.Size(head)) + int64(head.SizeOfOptionalHeader)
	if err := readStruct(r, at, sections); err != nil {
		return nil, fmt.Errorf("section headers: %w", err)
	}
	return sections, nil
}

func readStruct(r io.ReaderAt, off int64, v any) error {
	return binary.Read(io.NewSectionReader(r, off, int64(binary.Size(v))), binary.LittleEndian, v)
}

// Text returns the content of the small section name, such as .cmdline.
func Text(sections []Section, name string) (string, error) {
	for _, s := range sections {
		if s.Name != name {
			continue
		}
		b := make([]byte, min(s.Size(), 1<<20))
		if _, err := s.ReadAt(b, 0); err != nil && err != io.EOF {
			return "", fmt.Errorf("reading section %q: %w", name, err)
		}
		return string(b), nil
	}
	return "", fmt.Errorf("reading section %q: it is missing", name)
}
