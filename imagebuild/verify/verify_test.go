package verify

import (
	"bytes"
	"context"
	"debug/pe"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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

// goodTree is a root file system without fault.
func goodTree() fstest.MapFS {
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

func TestTree(t *testing.T) {
	put := func(name, text string) func(fstest.MapFS) {
		return func(m fstest.MapFS) { m[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644} }
	}
	for name, c := range map[string]struct {
		change func(fstest.MapFS)
		want   string // one line, "" for nothing wrong
	}{
		"good":           {func(fstest.MapFS) {}, ""},
		"two kernels":    {put("usr/lib/modules/6.12/modules.dep", ""), "2 kernels in /usr/lib/modules, want 1"},
		"no index":       {func(m fstest.MapFS) { delete(m, "usr/lib/modules/7.2.12/modules.builtin") }, "kernel 7.2.12: reading module index: open modules.builtin: file does not exist"},
		"missing module": {put("usr/lib/modules-load.d/more.conf", "ip_vs_rr\n"), `module "ip_vs_rr" is loaded at boot, and kernel 7.2.12 does not have it`},
		"machine-id":     {put("etc/machine-id", "0123\n"), `/etc/machine-id is "0123\n", want "uninitialized\n"`},
		"host key":       {put("etc/ssh/ssh_host_rsa_key", "x"), "/etc/ssh/ssh_host_rsa_key must not be in an image"},
		"sshd":           {put("usr/sbin/sshd", "x"), "/usr/sbin/sshd must not be in an image"},
		"seed":           {put("var/lib/systemd/random-seed", "x"), "/var/lib/systemd/random-seed must not be in an image"},
		"node config":    {put("etc/slipway/node.json", "{}"), "/etc/slipway/node.json must not be in an image"},
		"password":       {put("etc/shadow", "root:$y$j9T$abc:1::::::\n"), `/etc/shadow: account "root" is not locked`},
		"no password":    {put("etc/shadow", "root::1::::::\n"), `/etc/shadow: account "root" is not locked`},
		"no facts":       {func(m fstest.MapFS) { delete(m, "usr/lib/slipway/image.json") }, "/usr/lib/slipway/image.json cannot be read: open usr/lib/slipway/image.json: file does not exist"},
		"bad facts":      {put("usr/lib/slipway/image.json", "{"), "/usr/lib/slipway/image.json is no JSON"},
		"private key":    {put("etc/ssl/private/snakeoil", "-----BEGIN EC PRIVATE KEY-----\n"), "/etc/ssl/private/snakeoil is a private key"},
	} {
		tree := goodTree()
		c.change(tree)
		files, wrong := Tree(tree)
		if got := strings.Join(wrong, "\n"); got != c.want || files == 0 {
			t.Errorf("%s: %d files, %q, want %q", name, files, got, c.want)
		}
	}
}

// testPE is a PE file of headers and one section, enough to append sections to.
func testPE() []byte {
	b := append(make([]byte, 0x3c), 0x40, 0, 0, 0)
	copy(b, "MZ")
	b = append(b, "PE\x00\x00"...)
	for _, part := range []any{
		pe.FileHeader{Machine: pe.IMAGE_FILE_MACHINE_AMD64, NumberOfSections: 1, SizeOfOptionalHeader: 240},
		pe.OptionalHeader64{Magic: 0x20b, SectionAlignment: 0x1000, FileAlignment: 0x200, SizeOfHeaders: 0x400, NumberOfRvaAndSizes: 16},
		pe.SectionHeader32{Name: [8]byte{'.', 't'}, VirtualSize: 1, VirtualAddress: 0x1000, SizeOfRawData: 0x200, PointerToRawData: 0x400},
	} {
		b, _ = binary.Append(b, binary.LittleEndian, part)
	}
	return append(b, make([]byte, 0x600-len(b))...)
}

// rootImage packs tree with go-diskfs.
func rootImage(t *testing.T, tree fstest.MapFS) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := squashfs.Create(file.New(f, false), 0, 0, 4096)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(s.Workspace()) })
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		if err := os.MkdirAll(filepath.Join(s.Workspace(), filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.Workspace(), name), tree[name].Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finalize(squashfs.FinalizeOptions{}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, make([]byte, (verity.BlockSize-len(b)%verity.BlockSize)%verity.BlockSize)...)
}

// recipe is what an image is made of; tests spoil it.
type recipe struct {
	tree    fstest.MapFS
	cmdline string
	initrd  string
	files   func([]esp.File) []esp.File
	layout  func(*disk.Layout)
}

type growing struct{ b []byte }

func (g *growing) WriteAt(p []byte, off int64) (int, error) {
	g.b = append(g.b, make([]byte, max(0, int(off)+len(p)-len(g.b)))...)
	return copy(g.b[off:], p), nil
}

// build writes an image and returns its bytes and root hash.
func build(t *testing.T, change func(*recipe)) ([]byte, string) {
	t.Helper()
	in := recipe{tree: goodTree(), cmdline: "roothash=%x ro", initrd: "\x28\xb5\x2f\xfd initrd", files: func(f []esp.File) []esp.File { return f }, layout: func(*disk.Layout) {}}
	change(&in)
	root := rootImage(t, in.tree)
	var tree growing
	hash, _, err := verity.Build(bytes.NewReader(root), int64(len(root)), &tree, [16]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	kernel := make([]byte, 0x300)
	copy(kernel[0x202:], "HdrS")
	var image bytes.Buffer
	cmdline := in.cmdline
	if strings.Contains(cmdline, "%x") {
		cmdline = fmt.Sprintf(cmdline, hash)
	}
	if _, err := uki.Write(&image, uki.Parts{Stub: testPE(), OSRelease: []byte("ID=x\n"), Cmdline: cmdline, Uname: "7.2.12", Kernel: kernel, Initrd: []byte(in.initrd)}); err != nil {
		t.Fatal(err)
	}
	files := in.files([]esp.File{
		{Path: "EFI/BOOT/BOOTX64.EFI", Data: bytes.NewReader(testPE()), Size: int64(len(testPE()))},
		{Path: "EFI/Linux/slipway.efi", Data: bytes.NewReader(image.Bytes()), Size: int64(image.Len())},
	})
	layout := disk.Layout{ESP: 34 * mib, Root: 2 * mib, Verity: 1 * mib, RootHash: hash, Seed: "test"}
	in.layout(&layout)
	plan, err := disk.NewPlan(layout)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "disk.raw")
	err = disk.Write(context.Background(), path, plan, map[string]disk.Source{
		disk.ESP: func(w io.WriterAt) error {
			return esp.Write(w, esp.Options{Size: layout.ESP, Time: time.Unix(1780000000, 0)}, files)
		},
		disk.RootA:   disk.Copy(bytes.NewReader(root), int64(len(root))),
		disk.VerityA: disk.Copy(bytes.NewReader(tree.b), int64(len(tree.b))),
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b, fmt.Sprintf("%x", hash)
}

func findings(t *testing.T, b []byte) string {
	t.Helper()
	report, err := Raw(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range report.Findings {
		out = append(out, f.String())
	}
	return strings.Join(out, "\n")
}

func TestGoodImage(t *testing.T) {
	b, hash := build(t, func(*recipe) {})
	report, err := Raw(bytes.NewReader(b), int64(len(b)))
	if err != nil || len(report.Findings) > 0 {
		t.Fatalf("%v %v", err, report.Findings)
	}
	if report.RootHash != hash || report.Kernel != "7.2.12" || report.RootFiles < 15 || len(report.Partitions) != 3 {
		t.Errorf("%+v", report)
	}
}

const (
	rootAt = 35 * mib
	treeAt = 37 * mib
)

// TestDamage flips one byte at a time in a finished image.
func TestDamage(t *testing.T) {
	good, _ := build(t, func(*recipe) {})
	at := func(text string) int { return bytes.Index(good, []byte(text)) }
	for name, c := range map[string]struct {
		at   int
		want string
	}{
		"root":        {rootAt + 4096, "root at byte 36704256: block does not match its hash"},
		"hash tree":   {treeAt + 4096, "root at byte 36700160: block does not match its hash"},
		"superblock":  {treeAt, "verity at byte 38797312: decoding verity superblock"},
		"backup GPT":  {len(good) - 512, "gpt at byte 40893952: backup GPT: no header"},
		"boot sector": {1*mib + 3, "esp at byte 1048576: reading EFI system partition: boot sector and its backup"},
		"root hash":   {at("roothash="), "kernel command line has no root hash"},
		"kernel":      {at("HdrS"), "section .linux does not hold what it should"},
		"boot loader": {bytes.Index(good[mib:], []byte("MZ")) + mib, "EFI/BOOT/BOOTX64.EFI: reading unified kernel image"},
	} {
		b := bytes.Clone(good)
		b[c.at] ^= 1
		if got := findings(t, b); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestWrongParts makes images of sound parts that do not belong together.
func TestWrongParts(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*recipe)
		want   []string
	}{
		"another hash": {func(r *recipe) { r.cmdline = "roothash=" + strings.Repeat("ab", 32) }, []string{
			`gpt at byte 36700160: partition "root-a" has UUID`, `the second half of the root hash`, "verity at byte 38801408: block does not match the hash above it"}},
		"other UUIDs": {func(r *recipe) { r.layout = func(l *disk.Layout) { l.RootHash[0] ^= 1 } }, []string{"the first half of the root hash"}},
		"no hash":     {func(r *recipe) { r.cmdline = "ro" }, []string{"uki at byte", "no root hash of 64"}},
		"short hash":  {func(r *recipe) { r.cmdline = "roothash=abcd" }, []string{"no root hash of 64"}},
		"root=":       {func(r *recipe) { r.cmdline += " root=/dev/sda" }, []string{`kernel argument "root=/dev/sda" must not be`}},
		"ignition":    {func(r *recipe) { r.cmdline += " ignition.firstboot" }, []string{`"ignition.firstboot" must not be`}},
		"initrd":      {func(r *recipe) { r.initrd = "text" }, []string{"section .initrd does not hold"}},
		"no UKI":      {func(r *recipe) { r.files = func(f []esp.File) []esp.File { return f[:1] } }, []string{"esp at byte 1048576: 0 unified kernel images in EFI/Linux/, want 1"}},
		"no loader":   {func(r *recipe) { r.files = func(f []esp.File) []esp.File { return f[1:] } }, []string{"there is no EFI/BOOT/BOOTX64.EFI"}},
		"bad content": {func(r *recipe) { r.tree["etc/shadow"].Data = []byte("root::1:\n") }, []string{`root at byte 36700160: /etc/shadow: account "root" is not locked`}},
		"plain binary": {func(r *recipe) {
			r.files = func(f []esp.File) []esp.File { f[1].Data = strings.NewReader("x"); f[1].Size = 1; return f }
		}, []string{"uki at byte", "EFI/Linux/slipway.efi: reading unified"}},
	} {
		b, _ := build(t, c.change)
		got := findings(t, b)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
}

func TestWipedRootIsShort(t *testing.T) {
	b, _ := build(t, func(r *recipe) {
		noise := make([]byte, 100*verity.BlockSize) // does not compress, so that there are many blocks
		rand.NewChaCha8([32]byte{1}).Read(noise)
		r.tree["usr/bin/big"] = &fstest.MapFile{Data: noise}
	})
	for i := rootAt; i < treeAt; i++ {
		b[i] ^= 0x55
	}
	got := strings.Split(findings(t, b), "\n")
	if len(got) != mostFindings+1 || !strings.Contains(got[mostFindings], "more blocks from here on do not match") {
		t.Errorf("%d lines:\n%s", len(got), strings.Join(got, "\n"))
	}
}

func TestNoImage(t *testing.T) {
	for _, b := range [][]byte{nil, make([]byte, 3*mib), []byte("QFI\xfb"), make([]byte, 3*mib+1)} {
		if _, err := Raw(bytes.NewReader(b), int64(len(b))); err == nil {
			t.Errorf("%d bytes were accepted", len(b))
		}
	}
}
