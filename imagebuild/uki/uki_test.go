package uki

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/internal/testtool"
)

// testStub returns a small PE32+ EFI application: headers up to headers bytes, one .text section.
func testStub(headers uint32, change func(*pe.OptionalHeader64)) []byte {
	b := make([]byte, 0x40)
	copy(b, "MZ")
	b[0x3c] = 0x40
	b = append(b, "PE\x00\x00"...)
	opt := pe.OptionalHeader64{
		Magic: 0x20b, SizeOfCode: 0x200, AddressOfEntryPoint: 0x1000, BaseOfCode: 0x1000,
		ImageBase: 0x14df90000, SectionAlignment: 0x1000, FileAlignment: 0x200,
		SizeOfImage: 0x2000, SizeOfHeaders: headers, Subsystem: pe.IMAGE_SUBSYSTEM_EFI_APPLICATION,
		DllCharacteristics: pe.IMAGE_DLLCHARACTERISTICS_NX_COMPAT, NumberOfRvaAndSizes: 16,
	}
	if change != nil {
		change(&opt)
	}
	text := pe.SectionHeader32{
		Name: [8]byte{'.', 't', 'e', 'x', 't'}, VirtualSize: 3, VirtualAddress: 0x1000, SizeOfRawData: 0x200,
		PointerToRawData: headers, Characteristics: pe.IMAGE_SCN_CNT_CODE | pe.IMAGE_SCN_MEM_READ | pe.IMAGE_SCN_MEM_EXECUTE,
	}
	for _, part := range []any{
		pe.FileHeader{Machine: pe.IMAGE_FILE_MACHINE_AMD64, NumberOfSections: 1, SizeOfOptionalHeader: 240, Characteristics: 0x22e},
		opt, text,
	} {
		b, _ = binary.Append(b, binary.LittleEndian, part)
	}
	b = append(b, make([]byte, int(headers)-len(b))...)
	b = append(b, 0x31, 0xc0, 0xc3) // xor eax,eax; ret
	return append(b, make([]byte, 0x200-3)...)
}

func testParts() Parts {
	return Parts{
		Stub: testStub(0x400, nil), OSRelease: []byte("ID=debian\n"), Cmdline: "roothash=aa ro", Uname: "7.2.12+deb13-amd64",
		Kernel: append(testStub(0x200, nil), make([]byte, 5001)...), Initrd: bytes.Repeat([]byte("initrd"), 1000),
	}
}

func mustWrite(t *testing.T, p Parts) []byte {
	t.Helper()
	var out bytes.Buffer
	n, err := Write(&out, p)
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(out.Len()) {
		t.Fatalf("returned %d, wrote %d", n, out.Len())
	}
	return out.Bytes()
}

func TestWriteThenRead(t *testing.T) {
	p := testParts()
	got, err := Read(bytes.NewReader(mustWrite(t, p)))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		name string
		data []byte
	}{
		{".text", []byte{0x31, 0xc0, 0xc3}}, {".osrel", p.OSRelease}, {".cmdline", []byte(p.Cmdline)},
		{".uname", []byte(p.Uname)}, {".linux", p.Kernel}, {".initrd", p.Initrd},
	}
	if len(got) != len(want) {
		t.Fatalf("%d sections, want %d", len(got), len(want))
	}
	for i, w := range want {
		b, err := io.ReadAll(got[i])
		if err != nil || got[i].Name != w.name || !bytes.Equal(b, w.data) {
			t.Errorf("section %d is %s with %d bytes (%v), want %s with %d", i, got[i].Name, len(b), err, w.name, len(w.data))
		}
	}
	if text, err := Text(got, ".cmdline"); err != nil || text != p.Cmdline {
		t.Errorf("Text: %q, %v", text, err)
	}
	if _, err := Text(got, ".splash"); err == nil || !strings.Contains(err.Error(), `".splash": it is missing`) {
		t.Errorf("missing section: %v", err)
	}
}

// TestLayout checks what firmware insists on: aligned, ordered, not overlapping, inside SizeOfImage.
func TestLayout(t *testing.T) {
	b := mustWrite(t, testParts())
	f, err := pe.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	opt := f.OptionalHeader.(*pe.OptionalHeader64)
	endMem, endFile := opt.SizeOfHeaders, opt.SizeOfHeaders
	for _, s := range f.Sections {
		if s.VirtualAddress%opt.SectionAlignment != 0 || s.Offset%opt.FileAlignment != 0 || s.Size%opt.FileAlignment != 0 {
			t.Errorf("%s is not aligned: %+v", s.Name, s.SectionHeader)
		}
		if s.VirtualAddress < endMem || s.Offset < endFile {
			t.Errorf("%s overlaps what is before it: %+v", s.Name, s.SectionHeader)
		}
		if s.Characteristics&pe.IMAGE_SCN_MEM_WRITE != 0 {
			t.Errorf("%s is writable", s.Name)
		}
		endMem, endFile = s.VirtualAddress+s.VirtualSize, s.Offset+s.Size
	}
	if opt.SizeOfImage != align(endMem, opt.SectionAlignment) {
		t.Errorf("SizeOfImage 0x%x, sections end at 0x%x", opt.SizeOfImage, endMem)
	}
	if int(endFile) != len(b) {
		t.Errorf("sections end at 0x%x, file at 0x%x", endFile, len(b))
	}
}

func TestNXFollowsTheKernel(t *testing.T) {
	for _, nx := range []uint16{0, pe.IMAGE_DLLCHARACTERISTICS_NX_COMPAT} {
		p := testParts()
		p.Kernel = testStub(0x200, func(o *pe.OptionalHeader64) { o.DllCharacteristics = nx })
		f, err := pe.NewFile(bytes.NewReader(mustWrite(t, p)))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.OptionalHeader.(*pe.OptionalHeader64).DllCharacteristics; got != nx {
			t.Errorf("kernel has 0x%x, image 0x%x", nx, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Parts)
		want   string
	}{
		"no kernel":      {func(p *Parts) { p.Kernel = nil }, `section ".linux" has no content`},
		"no cmdline":     {func(p *Parts) { p.Cmdline = "" }, `section ".cmdline" has no content`},
		"two lines":      {func(p *Parts) { p.Cmdline = "a\nb" }, "line break"},
		"not PE":         {func(p *Parts) { p.Stub = []byte("ELF") }, "no MZ signature"},
		"cut":            {func(p *Parts) { p.Stub = p.Stub[:0x60] }, "decoding optional header"},
		"cut at PE":      {func(p *Parts) { p.Stub = p.Stub[:0x40] }, "no PE signature"},
		"32 bit":         {func(p *Parts) { p.Stub = testStub(0x400, func(o *pe.OptionalHeader64) { o.Magic = 0x10b }) }, "not PE32+"},
		"no alignment":   {func(p *Parts) { p.Stub = testStub(0x400, func(o *pe.OptionalHeader64) { o.FileAlignment = 0 }) }, "file alignment 0 is not"},
		"odd alignment":  {func(p *Parts) { p.Stub = testStub(0x400, func(o *pe.OptionalHeader64) { o.SectionAlignment = 5000 }) }, "section alignment 5000 is not"},
		"signed":         {func(p *Parts) { p.Stub = testStub(0x400, func(o *pe.OptionalHeader64) { o.DataDirectory[4].Size = 8 }) }, "signed already"},
		"header room":    {func(p *Parts) { p.Stub = testStub(0x200, nil) }, "room up to byte 512"},
		"over two GiB":   {func(p *Parts) { copy(p.Stub[0x154:], "\x00\xf0\xff\x7f") }, "larger than 2 GiB"},
		"empty uname ok": {func(p *Parts) { p.Uname = "" }, ""},
	} {
		p := testParts()
		c.change(&p)
		_, err := Write(io.Discard, p)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestSameBytesTwice(t *testing.T) {
	if !bytes.Equal(mustWrite(t, testParts()), mustWrite(t, testParts())) {
		t.Error("two images of the same parts differ")
	}
}

// TestObjdumpAgrees lists the image with binutils.
func TestObjdumpAgrees(t *testing.T) {
	tool := testtool.Find(t, "objdump")
	path := filepath.Join(t.TempDir(), "uki.efi")
	if err := os.WriteFile(path, mustWrite(t, testParts()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tool, "-h", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, line := range []string{".osrel        0000000a  000000014df92000", ".initrd       00001770  000000014df97000"} {
		if !strings.Contains(string(out), line) {
			t.Errorf("objdump does not show %q:\n%s", line, out)
		}
	}
}

func FuzzWrite(f *testing.F) {
	f.Add(testStub(0x400, nil))
	f.Add(testStub(0x200, nil))
	f.Fuzz(func(t *testing.T, stub []byte) {
		p := testParts()
		p.Stub = stub
		var out bytes.Buffer
		if _, err := Write(&out, p); err == nil {
			_, _ = Read(bytes.NewReader(out.Bytes()))
		}
	})
}
