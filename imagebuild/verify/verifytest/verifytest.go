// Package verifytest makes disk images of 39 MiB that package verify finds nothing wrong with, for tests of what reads
// such disks or carries them. Start with Good, change the recipe to spoil the image, and Write it. No machine boots from
// one: the programs in it are headers.
package verifytest

import (
	"bytes"
	"context"
	"debug/pe"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/squashfs"

	"slipway/imagebuild/disk"
	"slipway/imagebuild/esp"
	"slipway/imagebuild/uki"
	"slipway/imagebuild/verity"
)

const mib = 1 << 20

// Where the partitions of an image begin, bytes.
const (
	ESPAt  = 1 * mib
	RootAt = 35 * mib
	TreeAt = 37 * mib // the hash tree
)

// Recipe is what an image is made of.
type Recipe struct {
	Tree    fstest.MapFS // of the root file system
	Cmdline string       // %x is the root hash
	Initrd  string
	Files   func([]esp.File) []esp.File // changes what the ESP holds
	Layout  func(*disk.Layout)          // changes the partitions
}

// Good is the recipe of an image without fault.
func Good() Recipe {
	return Recipe{
		Tree: Tree(), Cmdline: "roothash=%x ro", Initrd: "\x28\xb5\x2f\xfd initrd",
		Files: func(f []esp.File) []esp.File { return f }, Layout: func(*disk.Layout) {},
	}
}

// Tree is a root file system without fault.
func Tree() fstest.MapFS {
	tree := fstest.MapFS{}
	for name, text := range map[string]string{
		"etc/machine-id":                         "uninitialized\n",
		"etc/shadow":                             "root:!*:20778:0:99999:7:::\ndaemon:*:1::::::\n",
		"etc/ssl/certs/ca.pem":                   "-----BEGIN CERTIFICATE-----\n",
		"usr/lib/slipway/image.json":             `{"buildTime":"2026-11-04T17:06:08Z"}`,
		"usr/lib/modules/7.2.12/modules.dep":     "kernel/net/ip_vs.ko.xz:\n",
		"usr/lib/modules/7.2.12/modules.alias":   "",
		"usr/lib/modules/7.2.12/modules.builtin": "kernel/fs/overlayfs/overlay.ko\n",
		"usr/lib/modules-load.d/slipway.conf":    "# services\nip_vs\n\noverlay\n",
		"usr/share/doc/key.pem":                  "-----BEGIN PRIVATE KEY-----\nan example of a package",
	} {
		tree[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return tree
}

// Write makes the image at path, and returns its root hash in hexadecimal digits.
func (r Recipe) Write(path string) (string, error) {
	root, err := pack(r.Tree)
	if err != nil {
		return "", fmt.Errorf("packing the root: %w", err)
	}
	var tree growing
	hash, _, err := verity.Build(bytes.NewReader(root), int64(len(root)), &tree, [16]byte{1})
	if err != nil {
		return "", err
	}
	files, err := r.boot(hash)
	if err != nil {
		return "", err
	}
	layout := disk.Layout{ESP: 34 * mib, Root: 2 * mib, Verity: 1 * mib, RootHash: hash, Seed: "test"}
	r.Layout(&layout)
	plan, err := disk.NewPlan(layout)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", hash), disk.Write(context.Background(), path, plan, map[string]disk.Source{
		disk.ESP: func(w io.WriterAt) error {
			return esp.Write(w, esp.Options{Size: layout.ESP, Time: time.Unix(1780000000, 0)}, files)
		},
		disk.RootA:   disk.Copy(bytes.NewReader(root), int64(len(root))),
		disk.VerityA: disk.Copy(bytes.NewReader(tree.b), int64(len(tree.b))),
	})
}

// boot is what the ESP holds.
func (r Recipe) boot(hash [32]byte) ([]esp.File, error) {
	program, err := PE()
	if err != nil {
		return nil, err
	}
	kernel := make([]byte, 0x300)
	copy(kernel[0x202:], "HdrS")
	cmdline := r.Cmdline
	if strings.Contains(cmdline, "%x") {
		cmdline = fmt.Sprintf(cmdline, hash)
	}
	var image bytes.Buffer
	if _, err := uki.Write(&image, uki.Parts{
		Stub: program, OSRelease: []byte("ID=x\n"), Cmdline: cmdline, Uname: "7.2.12", Kernel: kernel, Initrd: []byte(r.Initrd),
	}); err != nil {
		return nil, err
	}
	files := []esp.File{
		{Path: "EFI/BOOT/BOOTX64.EFI", Data: bytes.NewReader(program), Size: int64(len(program))},
		{Path: "EFI/Linux/slipway.efi", Data: bytes.NewReader(image.Bytes()), Size: int64(image.Len())},
	}
	sums, err := esp.Sums(files)
	return r.Files(append(files, sums)), err
}

// PE is a program of headers and one section, enough to append sections to.
func PE() ([]byte, error) {
	b := append(make([]byte, 0x3c), 0x40, 0, 0, 0)
	copy(b, "MZ")
	b = append(b, "PE\x00\x00"...)
	for _, part := range []any{
		pe.FileHeader{Machine: pe.IMAGE_FILE_MACHINE_AMD64, NumberOfSections: 1, SizeOfOptionalHeader: 240},
		pe.OptionalHeader64{Magic: 0x20b, SectionAlignment: 0x1000, FileAlignment: 0x200, SizeOfHeaders: 0x400, NumberOfRvaAndSizes: 16},
		pe.SectionHeader32{Name: [8]byte{'.', 't'}, VirtualSize: 1, VirtualAddress: 0x1000, SizeOfRawData: 0x200, PointerToRawData: 0x400},
	} {
		var err error
		if b, err = binary.Append(b, binary.LittleEndian, part); err != nil {
			return nil, err
		}
	}
	return append(b, make([]byte, 0x600-len(b))...), nil
}

// pack makes a squashfs of tree, by go-diskfs, in whole blocks of the hash tree.
func pack(tree fstest.MapFS) ([]byte, error) {
	f, err := os.CreateTemp("", "root")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	s, err := squashfs.Create(file.New(f, false), 0, 0, 4096)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(s.Workspace())
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		path := filepath.Join(s.Workspace(), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, tree[name].Data, 0o600); err != nil {
			return nil, err
		}
	}
	if err := s.Finalize(squashfs.FinalizeOptions{}); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(f.Name())
	return append(b, make([]byte, (verity.BlockSize-len(b)%verity.BlockSize)%verity.BlockSize)...), err
}

// growing is memory that becomes as large as what is written to it.
type growing struct{ b []byte }

func (g *growing) WriteAt(p []byte, off int64) (int, error) {
	g.b = append(g.b, make([]byte, max(0, int(off)+len(p)-len(g.b)))...)
	return copy(g.b[off:], p), nil
}
