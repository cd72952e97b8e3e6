// Package uki makes unified kernel images: systemd-stub with kernel, initrd, command line, os-release and kernel
// version appended as PE sections, so that firmware starts (and Secure Boot signs) all of them as one file.
//
// Start with [Write] and [Read]. The package does not sign, and knows neither multi-profile images nor add-ons.
//
// Formats: https://uapi-group.org/specifications/specs/unified_kernel_image/ and
// https://learn.microsoft.com/windows/win32/debug/pe-format.
package uki

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Parts is what one unified kernel image is made of; all but Uname must be there.
type Parts struct {
	Stub      []byte // systemd's linuxx64.efi.stub
	OSRelease []byte
	Cmdline   string // one line, without a newline
	Uname     string // the kernel's release, as in uname -r
	Kernel    []byte // bzImage with an EFI header
	Initrd    []byte
}

// content is one section to append.
type content struct {
	name  string
	data  []byte
	flags uint32
}

const readable = pe.IMAGE_SCN_MEM_READ | pe.IMAGE_SCN_CNT_INITIALIZED_DATA

// sections returns the sections in file order, small ones first, so that most of a file's bytes come last.
func (p Parts) sections() ([]content, error) {
	all := []content{
		{".osrel", p.OSRelease, readable},
		{".cmdline", []byte(p.Cmdline), readable},
		{".uname", []byte(p.Uname), readable},
		{".linux", p.Kernel, pe.IMAGE_SCN_MEM_READ | pe.IMAGE_SCN_CNT_CODE},
		{".initrd", p.Initrd, readable},
	}
	var out []content
	for _, s := range all {
		switch {
		case len(s.data) > 0:
			out = append(out, s)
		case s.name != ".uname":
			return nil, fmt.Errorf("section %q has no content", s.name)
		}
	}
	if bytes.ContainsAny([]byte(p.Cmdline), "\n\x00") {
		return nil, fmt.Errorf("kernel command line %q holds a line break or a zero byte", p.Cmdline)
	}
	return out, nil
}

// Write writes the unified kernel image of p to w and returns its size in bytes.
func Write(w io.Writer, p Parts) (int64, error) {
	sections, err := p.sections()
	if err != nil {
		return 0, fmt.Errorf("writing unified kernel image: %w", err)
	}
	img, err := parseStub(p.Stub)
	if err != nil {
		return 0, fmt.Errorf("reading systemd stub: %w", err)
	}
	if !nxCompatible(p.Kernel) {
		img.opt.DllCharacteristics &^= pe.IMAGE_DLLCHARACTERISTICS_NX_COMPAT // stub and kernel must agree
	}
	offset := align(uint32(len(p.Stub)), img.opt.FileAlignment)
	for _, s := range sections {
		if offset, err = img.add(s, offset); err != nil {
			return 0, fmt.Errorf("writing unified kernel image: %w", err)
		}
	}
	head, err := img.encode(p.Stub)
	if err != nil {
		return 0, fmt.Errorf("writing unified kernel image: %w", err)
	}
	return writeAll(w, head, sections, img.opt.FileAlignment)
}

func writeAll(w io.Writer, head []byte, sections []content, alignment uint32) (int64, error) {
	var size int64
	for _, data := range append([]content{{data: head}}, sections...) {
		for _, b := range [][]byte{data.data, padding(len(data.data), alignment)} {
			n, err := w.Write(b)
			size += int64(n)
			if err != nil {
				return size, fmt.Errorf("writing unified kernel image: %w", err)
			}
		}
	}
	return size, nil
}

func padding(size int, alignment uint32) []byte {
	return make([]byte, align(uint32(size), alignment)-uint32(size))
}

func align(n, to uint32) uint32 { return (n + to - 1) / to * to }

// nxCompatible reports whether a kernel may run with non-executable data, as its own PE header says. A kernel
// without a PE header is started by the legacy handover protocol, which may not.
func nxCompatible(kernel []byte) bool {
	img, err := parseStub(kernel)
	return err == nil && img.opt.DllCharacteristics&pe.IMAGE_DLLCHARACTERISTICS_NX_COMPAT != 0
}

var errSigned = errors.New("it is signed already, and adding sections would break the signature")

// image is the PE header of a stub, to which sections are added.
type image struct {
	fileAt   int // offset of the COFF file header
	file     pe.FileHeader
	opt      pe.OptionalHeader64
	sections []pe.SectionHeader32
}

const sectionHeaderSize = 40

func (i *image) optAt() int      { return i.fileAt + binary.Size(i.file) }
func (i *image) sectionsAt() int { return i.optAt() + int(i.file.SizeOfOptionalHeader) }

// parseStub reads the headers of a PE32+ file.
func parseStub(b []byte) (*image, error) {
	if len(b) < 0x40 || string(b[:2]) != "MZ" {
		return nil, errors.New("no MZ signature")
	}
	at := int64(binary.LittleEndian.Uint32(b[0x3c:]))
	if at+4 > int64(len(b)) || string(b[at:at+4]) != "PE\x00\x00" {
		return nil, errors.New("no PE signature")
	}
	i := &image{fileAt: int(at) + 4}
	if _, err := binary.Decode(b[i.fileAt:], binary.LittleEndian, &i.file); err != nil {
		return nil, fmt.Errorf("decoding file header: %w", err)
	}
	if _, err := binary.Decode(b[min(i.optAt(), len(b)):], binary.LittleEndian, &i.opt); err != nil {
		return nil, fmt.Errorf("decoding optional header: %w", err)
	}
	if i.opt.Magic != 0x20b {
		return nil, fmt.Errorf("magic 0x%x is not PE32+", i.opt.Magic)
	}
	if a := i.opt.FileAlignment; a < 512 || a > 1<<16 || a&(a-1) != 0 {
		return nil, fmt.Errorf("file alignment %d is not a power of two from 512 to 65536", a)
	}
	if a := i.opt.SectionAlignment; a < i.opt.FileAlignment || a > 1<<24 || a&(a-1) != 0 {
		return nil, fmt.Errorf("section alignment %d is not a power of two from the file alignment to 16 MiB", a)
	}
	i.sections = make([]pe.SectionHeader32, i.file.NumberOfSections)
	if _, err := binary.Decode(b[min(i.sectionsAt(), len(b)):], binary.LittleEndian, i.sections); err != nil {
		return nil, fmt.Errorf("decoding section headers: %w", err)
	}
	return i, nil
}
