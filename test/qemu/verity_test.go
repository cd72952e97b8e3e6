//go:build qemu

package qemu_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFlippedByte changes one byte of the root partition. The image must not come up, and say why.
func TestFlippedByte(t *testing.T) {
	l := theLab(t)
	out := filepath.Join(l.dir, "flipped")
	image := flippedImage(t, l, out)
	n := newNode(t, l, out)
	t.Cleanup(func() { os.Remove(image) })
	n.up(t, "--fresh", "--no-reboot")
	n.waitSerial(t, bootLimit, `Kernel panic.*(verity|corrupt)|verity.*(corrupted|mismatch)`)
	// A guest that panicked reboots, and with --no-reboot that switches the machine off.
	for end := time.Now().Add(bootLimit); n.machine(t).Running; time.Sleep(time.Second) {
		if time.Now().After(end) {
			t.Fatal("the machine is still on")
		}
	}
	for _, s := range n.statuses(t) {
		if s.Node != "" || s.Step != "initrd" {
			t.Fatalf("the node came up: %+v", s)
		}
	}
}

// flippedImage makes a copy of the lab's image in which one bit is wrong, with the same configs beside it. The bit is
// in the first block of the root: it is read by every boot, and no checksum of the file system's covers it.
func flippedImage(t *testing.T, l *lab, out string) string {
	t.Helper()
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	from, image := filepath.Join(l.dir, l.out), filepath.Join(out, "single.raw")
	for _, cp := range [][2]string{{filepath.Join(from, "single.raw"), image}, {filepath.Join(from, "single.n1.ign"), filepath.Join(out, "single.n1.ign")}} {
		if msg, err := exec.Command("cp", "--sparse=always", "--reflink=auto", "-p", cp[0], cp[1]).CombinedOutput(); err != nil {
			t.Fatalf("copying: %v: %s", err, msg)
		}
	}
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	start := rootStart(t, f)
	one := make([]byte, 1)
	at := start + 4000 // behind the superblocks of squashfs (96 bytes) and EROFS (1024 to 1152)
	if _, err := f.ReadAt(one, at); err != nil {
		t.Fatal(err)
	}
	one[0] ^= 0x10
	if _, err := f.WriteAt(one, at); err != nil {
		t.Fatal(err)
	}
	return image
}

// rootStart finds the first partition of type root-x86-64 in the GPT.
// UEFI 2.10, chapter 5.3; the type is the Discoverable Partitions Specification's.
func rootStart(t *testing.T, f *os.File) int64 {
	t.Helper()
	const sector, rootType = 512, "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
	header := make([]byte, 92)
	if _, err := f.ReadAt(header, sector); err != nil || string(header[:8]) != "EFI PART" {
		t.Fatalf("no GPT: %v", err)
	}
	first := int64(binary.LittleEndian.Uint64(header[72:])) * sector
	count, size := binary.LittleEndian.Uint32(header[80:]), binary.LittleEndian.Uint32(header[84:])
	for i := range count {
		entry := make([]byte, size)
		if _, err := f.ReadAt(entry, first+int64(i)*int64(size)); err != nil {
			t.Fatal(err)
		}
		if guid(entry[:16]) == rootType {
			return int64(binary.LittleEndian.Uint64(entry[32:])) * sector
		}
	}
	t.Fatal("no root partition in the image")
	return 0
}

// guid prints a GUID as GPT stores it: the first three fields are little-endian.
func guid(b []byte) string {
	return strings.ToLower(fmt.Sprintf("%08x-%04x-%04x-%s-%s", binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint16(b[4:]),
		binary.LittleEndian.Uint16(b[6:]), hex.EncodeToString(b[8:10]), hex.EncodeToString(b[10:16])))
}
