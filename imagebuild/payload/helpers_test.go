package payload

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"slipway/internal/durable"
)

func mustDigest(t *testing.T, path string) string {
	t.Helper()
	sum, err := durable.Digest(path)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// runInstalled lays the result out as in an image and runs one of its programs.
func runInstalled(t *testing.T, res Result, path string, args []string) (string, error) {
	t.Helper()
	root := t.TempDir()
	for _, f := range res.Files {
		at, target := filepath.Join(root, f.Path), f.HostPath
		if f.Symlink != "" {
			target = f.Symlink
		} else if abs, err := filepath.Abs(target); err == nil {
			target = abs
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, at); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(filepath.Join(root, path), args...).CombinedOutput()
	return string(out), err
}

// elfFile is the header of a Linux program and nothing else; with a loader it names one.
func elfFile(loader bool) []byte {
	h := elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT), Ehsize: 64, Phentsize: 56,
	}
	var prog []byte
	if loader {
		h.Phoff, h.Phnum = 64, 1
		prog, _ = binary.Append(nil, binary.LittleEndian, elf.Prog64{Type: uint32(elf.PT_INTERP), Off: 64})
	}
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, h)
	return append(b.Bytes(), prog...)
}

// withoutLoader takes the loader out of a program's headers: a test may be linked with one.
func withoutLoader(program []byte) {
	le := binary.LittleEndian
	at, size, count := le.Uint64(program[32:]), uint64(le.Uint16(program[54:])), uint64(le.Uint16(program[56:]))
	for i := range count {
		if kind := program[at+i*size:]; le.Uint32(kind) == uint32(elf.PT_INTERP) {
			le.PutUint32(kind, uint32(elf.PT_NULL))
		}
	}
}
