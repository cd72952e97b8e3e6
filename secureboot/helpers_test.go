package secureboot

import (
	"crypto/rand"
	"crypto/rsa"
	"debug/pe"
	"encoding/binary"
	"encoding/pem"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

var epoch = time.Date(2026, 11, 4, 17, 6, 8, 0, time.UTC)

// rsaKey makes each key once: RSA takes its time.
var rsaKey = sync.OnceValues(func() ([3]*rsa.PrivateKey, error) {
	var keys [3]*rsa.PrivateKey
	for i := range keys {
		var err error
		if keys[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return keys, err
		}
	}
	return keys, nil
})

// testKey is one of three keys, with a certificate of a name.
func testKey(t testing.TB, n int, name string) Key {
	t.Helper()
	keys, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := NewCertificate(keys[n], name, epoch.Add(-24*time.Hour), epoch.AddDate(10, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return Key{keys[n], cert}
}

// program is an EFI program that returns at once, of two sections and a few bytes after them.
func program(t testing.TB, tail int) []byte {
	t.Helper()
	b := make([]byte, 0x40)
	copy(b, "MZ")
	b[0x3c] = 0x40
	b = append(b, "PE\x00\x00"...)
	section := func(name string, at, raw uint32) pe.SectionHeader32 {
		h := pe.SectionHeader32{VirtualSize: 0x200, VirtualAddress: at, SizeOfRawData: 0x200, PointerToRawData: raw, Characteristics: 0x60000020}
		copy(h.Name[:], name)
		return h
	}
	for _, part := range []any{
		pe.FileHeader{Machine: pe.IMAGE_FILE_MACHINE_AMD64, NumberOfSections: 2, SizeOfOptionalHeader: 240, Characteristics: 0x22e},
		pe.OptionalHeader64{
			Magic: 0x20b, SizeOfCode: 0x200, AddressOfEntryPoint: 0x1000, BaseOfCode: 0x1000, ImageBase: 0x14df90000, SectionAlignment: 0x1000,
			FileAlignment: 0x200, SizeOfImage: 0x3000, SizeOfHeaders: 0x400, Subsystem: pe.IMAGE_SUBSYSTEM_EFI_APPLICATION, NumberOfRvaAndSizes: 16,
		},
		section(".text", 0x1000, 0x400), section(".cmdline", 0x2000, 0x600),
	} {
		var err error
		if b, err = binary.Append(b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	b = append(b, make([]byte, 0x400-len(b))...)
	b = append(b, 0x31, 0xc0, 0xc3) // xor eax,eax; ret
	b = append(b, make([]byte, 0x600-len(b))...)
	b = append(b, "ro roothash=aa"...)
	return append(b, make([]byte, 0x800-len(b)+tail)...)
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func certFile(t testing.TB, k Key) string {
	return write(t, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.Cert.Raw}))
}
