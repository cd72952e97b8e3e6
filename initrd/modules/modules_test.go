package modules

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// kernelTables have what makes loading hard: needs of needs, soft ones before and after, in a circle and of what is not
// there, built-ins, classes in patterns, a slash in a modalias, two modules for one device.
func kernelTables() fstest.MapFS {
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"modules.dep": `kernel/fs/ext4.ko.xz: kernel/fs/jbd2.ko.xz kernel/lib/crc16.ko.xz
kernel/fs/jbd2.ko.xz:
kernel/lib/crc16.ko.xz:
kernel/drivers/virtio_blk.ko.xz: kernel/drivers/virtio-ring.ko.xz kernel/drivers/virtio.ko.xz
kernel/drivers/virtio-ring.ko.xz: kernel/drivers/virtio.ko.xz
kernel/drivers/virtio.ko.xz:
kernel/drivers/ahci.ko:
kernel/drivers/other_ahci.ko:
kernel/crypto/crc32c_intel.ko.xz:
`,
		"modules.alias": `# Aliases
alias virtio:d00000002v* virtio_blk
alias pci:v*d*sv*sd*bc01sc06i01* ahci
alias pci:v00008086d0000292[0-2]sv*sd*bc*sc*i* other_ahci
alias crypto-crc32c crc32c_intel
alias of:N*T*Ca/b ahci
alias pci:gone not_there
`,
		"modules.softdep": "softdep ext4 pre: crypto-crc32c nowhere post: ahci\nsoftdep ahci pre: ext4\n",
		"modules.builtin": "kernel/fs/squashfs/squashfs.ko\n",
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

func read(t *testing.T) *Tables {
	t.Helper()
	tables, err := Read(kernelTables())
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

func TestOrder(t *testing.T) {
	tables := read(t)
	for name, want := range map[string]string{
		"ext4":                      "crc32c_intel crc16 jbd2 ext4 ahci",
		"virtio-blk":                "virtio virtio_ring virtio_blk",
		"virtio:d00000002v00001AF4": "virtio virtio_ring virtio_blk",
		"pci:v00008086d00002922sv1sd2bc01sc06i01": "crc32c_intel crc16 jbd2 ext4 ahci other_ahci",
		"pci:v00008086d00002923sv1sd2bc01sc06i02": "",
		"of:NxTyCa/b": "crc32c_intel crc16 jbd2 ext4 ahci",
		"squashfs":    "",
		"nowhere":     "",
		"pci:gone":    "",
	} {
		if got := strings.Join(tables.Order(name), " "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]bool{"squashfs": true, "virtio-ring": true, "crypto-crc32c": true, "nowhere": false, "pci:gone": false} {
		if tables.Known(name) != want {
			t.Errorf("%s: known %v", name, !want)
		}
	}
	if _, err := Read(fstest.MapFS{}); err == nil {
		t.Error("no tables at all pass")
	}
}

// TestSubset: what an initrd carries says the same of itself as the whole kernel did.
func TestSubset(t *testing.T) {
	tables := read(t)
	names := tables.Closure([]string{"virtio_blk", "ahci", "squashfs"})
	if got := strings.Join(names, " "); got != "ahci crc16 crc32c_intel ext4 jbd2 virtio virtio_blk virtio_ring" {
		t.Fatal(got)
	}
	files := fstest.MapFS{}
	for name, text := range tables.Subset(names, func(f string) string { return strings.TrimSuffix(f, ".xz") }) {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	small, err := Read(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ahci", "virtio:d00000002v00001AF4", "of:NxTyCa/b", "squashfs"} {
		if got, want := small.Order(name), tables.Order(name); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := small.File("virtio-ring"); got != "kernel/drivers/virtio-ring.ko" {
		t.Error(got)
	}
	if small.Known("other_ahci") || !small.Known("squashfs") {
		t.Error("another set of modules")
	}
}

// TestLoader: loaded from many sides at once, each module is loaded once and after its needs; a failure has its name.
func TestLoader(t *testing.T) {
	tables := read(t)
	var mu sync.Mutex
	done := map[string]int{}
	l := NewLoader(tables, func(file string) error {
		mu.Lock()
		defer mu.Unlock()
		for _, need := range tables.needs[nameOf(file)] {
			if done[path.Base(tables.File(need))] != 1 {
				t.Errorf("%s before %s", file, need)
			}
		}
		done[path.Base(file)]++
		if strings.HasSuffix(file, "virtio_blk.ko.xz") {
			return errors.New("no such device")
		}
		return nil
	})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := l.Load("virtio_blk"); err == nil || err.Error() != `loading module "virtio_blk": no such device` {
				t.Error(err)
			}
			if err := errors.Join(l.Load("ext4"), l.Load("squashfs"), l.LoadFor("acpi:PNP0000:")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for file, n := range maps.All(done) {
		if n != 1 {
			t.Errorf("%s: %d times", file, n)
		}
	}
	if len(done) != 8 {
		t.Errorf("loaded %v", done)
	}
	if err := l.Load("nowhere"); err == nil {
		t.Error("a module that is not there was loaded")
	}
}
