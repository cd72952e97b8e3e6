package initrd

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// input is a kernel with modules in a folder, of which one is compressed.
func input(t *testing.T) Input {
	t.Helper()
	dir := t.TempDir()
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	z.Write([]byte("\x7fELF virtio"))
	z.Close()
	for name, text := range map[string]string{
		"modules/modules.dep":                  "kernel/drivers/virtio_blk.ko: kernel/drivers/virtio.ko.zst\nkernel/drivers/virtio.ko.zst:\nkernel/sound.ko:\n",
		"modules/modules.alias":                "alias virtio:d00000002v* virtio_blk\nalias pci:v* sound\n",
		"modules/modules.softdep":              "softdep virtio_blk post: sound_later\n",
		"modules/modules.builtin":              "kernel/fs/squashfs.ko\n",
		"modules/kernel/drivers/virtio_blk.ko": "\x7fELF blk",
		"modules/kernel/drivers/virtio.ko.zst": packed.String(),
		"modules/kernel/sound.ko":              "\x7fELF sound",
		"slipway-init":                         "program",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Input{Modules: filepath.Join(dir, "modules"), Drivers: []string{"virtio_blk", "squashfs"}, Init: filepath.Join(dir, "slipway-init"), InitSum: "aa", Epoch: 1780000000}
}

// archive is what Build made, unpacked from its compression.
func archive(t *testing.T, in Input) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := Build(in, dir); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, Name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var out bytes.Buffer
	if _, err := z.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// list reads an archive as the kernel does, by the format's words: mode, name and content of every entry.
func list(t *testing.T, data []byte) (names []string, files map[string]string) {
	t.Helper()
	files = map[string]string{}
	for {
		if len(data) < 110 || string(data[:6]) != "070701" {
			t.Fatalf("no entry behind %q", names)
		}
		field := func(n int) (v int) {
			if _, err := fmt.Sscanf(string(data[6+8*n:14+8*n]), "%08x", &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
		const mode, size, nameSize = 1, 6, 11
		name := string(data[110 : 110+field(nameSize)-1])
		at := (110 + field(nameSize) + 3) &^ 3
		if name == "TRAILER!!!" {
			return names, files
		}
		names = append(names, fmt.Sprintf("%06o %s", field(mode), name))
		files[name] = string(data[at : at+field(size)])
		data = data[(at+field(size)+3)&^3:]
	}
}

// TestBuild: the archive is twice the same, and what is in it is what the drivers need and no more.
func TestBuild(t *testing.T) {
	in := input(t)
	data := archive(t, in)
	if !bytes.Equal(data, archive(t, in)) {
		t.Error("twice is not the same")
	}
	names, files := list(t, data)
	const want = `100755 init
040755 modules
040755 modules/kernel
040755 modules/kernel/drivers
100644 modules/kernel/drivers/virtio.ko
100644 modules/kernel/drivers/virtio_blk.ko
100644 modules/modules.alias
100644 modules/modules.builtin
100644 modules/modules.dep
100644 modules/modules.softdep`
	if text := strings.Join(names, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	for name, want := range map[string]string{
		"init":                                 "program",
		"modules/kernel/drivers/virtio.ko":     "\x7fELF virtio",
		"modules/kernel/drivers/virtio_blk.ko": "\x7fELF blk",
		"modules/modules.dep":                  "kernel/drivers/virtio.ko:\nkernel/drivers/virtio_blk.ko: kernel/drivers/virtio.ko\n",
		"modules/modules.alias":                "alias virtio:d00000002v* virtio_blk\n",
		"modules/modules.builtin":              "squashfs.ko\n",
	} {
		if files[name] != want {
			t.Errorf("%s holds %q", name, files[name])
		}
	}
}

func TestMissing(t *testing.T) {
	for name, spoil := range map[string]func(*Input){
		`the kernel has no module "nvme"`: func(in *Input) { in.Drivers = append(in.Drivers, "nvme") },
		"modules.dep":                     func(in *Input) { in.Modules = t.TempDir() },
		"no such file":                    func(in *Input) { in.Init += "x" },
		"virtio.ko.zst": func(in *Input) {
			os.WriteFile(filepath.Join(in.Modules, "kernel/drivers/virtio.ko.zst"), []byte("?"), 0o644)
		},
	} {
		in := input(t)
		spoil(&in)
		if err := Build(in, t.TempDir()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyInputsSeeEverything(t *testing.T) {
	key := func(tree, kernel string, change func(*Input)) string {
		in := Input{Drivers: []string{"virtio_blk"}, InitSum: "aa", Epoch: 1}
		change(&in)
		return fmt.Sprint(in.KeyInputs(tree, kernel))
	}
	same := func(*Input) {}
	base := key("tree", "7.0", same)
	for name, other := range map[string]string{
		"tree":    key("other", "7.0", same),
		"kernel":  key("tree", "7.1", same),
		"program": key("tree", "7.0", func(in *Input) { in.InitSum = "bb" }),
		"drivers": key("tree", "7.0", func(in *Input) { in.Drivers = nil }),
		"epoch":   key("tree", "7.0", func(in *Input) { in.Epoch = 2 }),
	} {
		if other == base {
			t.Errorf("another %s gives the same key", name)
		}
	}
}
