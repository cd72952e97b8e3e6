package uki

import (
	"debug/pe"
	"fmt"
	"io"
)

// Section is one section of a unified kernel image; reading it gives its content without padding.
type Section struct {
	*io.SectionReader
	Name   string
	Offset int64 // in the file, bytes
}

// Read returns all sections of the PE file r, in file order; those of [Parts] and the stub's own.
func Read(r io.ReaderAt) ([]Section, error) {
	f, err := pe.NewFile(r)
	if err != nil {
		return nil, fmt.Errorf("reading unified kernel image: %w", err)
	}
	var out []Section
	for _, s := range f.Sections {
		size := int64(min(s.VirtualSize, s.Size))
		out = append(out, Section{io.NewSectionReader(r, int64(s.Offset), size), s.Name, int64(s.Offset)})
	}
	return out, nil
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
