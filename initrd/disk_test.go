package initrd

import (
	"os"
	"strings"
	"testing"
	"time"
)

const otherGUID = "aaaaaaaa-2222-3333-4444-555555555555"

// TestFindDisk: which disk is taken, of those that are there or come.
func TestFindDisk(t *testing.T) {
	add := func(w *world, name, esp string) { w.addDisk(name, image(esp)) }
	for name, c := range map[string]struct {
		disks        func(*world)
		loader       string
		takes, fails string
	}{
		"one":                  {func(w *world) { add(w, "vda", espGUID) }, espGUID, "vda", ""},
		"upper case":           {func(w *world) { add(w, "vdb", otherGUID) }, strings.ToUpper(otherGUID), "vdb", ""},
		"two, from the first":  {func(w *world) { add(w, "vda", espGUID); add(w, "vdb", otherGUID) }, espGUID, "vda", ""},
		"two, from the second": {func(w *world) { add(w, "vda", espGUID); add(w, "vdb", otherGUID) }, otherGUID, "vdb", ""},
		"two copies":           {func(w *world) { add(w, "vda", espGUID); add(w, "vdb", espGUID) }, espGUID, "", "/dev/vda /dev/vdb are copies of one disk: each has the partition"},
		"no word of a loader":  {func(w *world) { add(w, "nvme0n1", espGUID) }, "", "nvme0n1", ""},
		"an empty word":        {func(w *world) { add(w, "vda", espGUID) }, "\x00", "vda", ""},
		"nonsense":             {func(w *world) { add(w, "vda", espGUID) }, "../etc", "vda", ""},
		"no word, two copies":  {func(w *world) { add(w, "vda", espGUID); add(w, "vdb", otherGUID) }, "", "", "/dev/vda /dev/vdb are copies of one disk"},
		"loader's disk is not": {func(w *world) { add(w, "vda", espGUID) }, otherGUID, "", "no disk has the partition that the boot loader was read from, " + otherGUID},
		"no disk at all":       {func(w *world) {}, espGUID, "", "its driver or the disk is missing"},
		"no root beside it":    {func(w *world) { w.addDisk("sda", image(espGUID)[:1]); add(w, "sdb", otherGUID) }, espGUID, "", "/dev/sda, which the boot loader was read from, does not have the root"},
		"others are none": {func(w *world) {
			for _, name := range []string{"sr0", "loop0", "dm-1"} {
				add(w, name, espGUID)
			}
			add(w, "vda", espGUID)
		}, espGUID, "vda", ""},
		"comes late": {func(w *world) { w.events = append(w.events, func() {}, func() { add(w, "vda", espGUID) }) }, espGUID, "vda", ""},
		"is scanned late": {func(w *world) {
			add(w, "vda", espGUID)
			os.Rename(w.path("sys/class/block/vda2"), w.path("vda2"))
			w.events = append(w.events, func() {}, func() {}, func() { os.Rename(w.path("vda2"), w.path("sys/class/block/vda2")) })
		}, espGUID, "vda", ""},
		"a copy comes late": {func(w *world) {
			add(w, "vda", espGUID)
			w.events = append(w.events, func() { add(w, "vdb", espGUID) })
		}, espGUID, "", "are copies"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.disks(w)
			if c.loader != "" {
				w.loader(c.loader)
			}
			b, begin := w.boot(), w.now
			b.cmdline = map[string]string{"roothash": hash, "rootfstype": "squashfs"}
			err := b.findDisk()
			if b.disk.name != c.takes || (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("takes %q, %v", b.disk.name, err)
			}
			if w.now.Sub(begin) > diskLimit+time.Second {
				t.Errorf("took %v", w.now.Sub(begin))
			}
			if strings.Contains(strings.Join(w.done, "\n"), "partition ") {
				t.Errorf("told the kernel what it knows: %q", w.done)
			}
		})
	}
}

// TestEndlessEvents: a device that comes and goes all the time delays a boot, and does not prevent it.
func TestEndlessEvents(t *testing.T) {
	w := newWorld(t)
	w.addDisk("vda", image(espGUID))
	for range 1000 {
		w.events = append(w.events, func() { w.now = w.now.Add(quiet / 2) })
	}
	b := w.boot()
	b.cmdline = map[string]string{"roothash": hash, "rootfstype": "squashfs"}
	if err := b.findDisk(); err != nil || b.disk.name != "vda" {
		t.Error(err)
	}
}

// TestPlug: a device's driver is loaded when the device is seen, that of a device that comes with it as well, and one that
// cannot be loaded keeps nobody.
func TestPlug(t *testing.T) {
	w := newWorld(t)
	w.put("modules/modules.dep", w.get("modules/modules.dep")+"broken.ko:\n")
	w.put("modules/modules.alias", w.get("modules/modules.alias")+"alias pci:v1 broken\n")
	w.fails["insert /modules/broken.ko"] = exit(1)
	w.put("sys/bus/pci/devices/0000:00:01/modalias", "pci:v1\n")
	w.events = append(w.events, func() { w.put("sys/bus/virtio/devices/virtio0/modalias", "virtio:d00000002v00001AF4\n") }, func() { w.addDisk("vda", image(espGUID)) })
	b := w.boot()
	b.cmdline = map[string]string{"roothash": hash, "rootfstype": "squashfs"}
	if err := b.findDisk(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(strings.Join(w.done, "\n"), "virtio_blk.ko"); n != 1 {
		t.Errorf("loaded %d times", n)
	}
	if text := w.get("dev/kmsg"); !strings.Contains(text, `loading module "broken"`) {
		t.Error(text)
	}
}

func TestBadHash(t *testing.T) {
	for _, bad := range []string{"", "abcd", strings.Repeat("x", 64)} {
		if _, _, err := rootGUIDs(bad); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

// TestUnseenPartitions: the kernel does not look at the backup of a table, and is told of what that has.
func TestUnseenPartitions(t *testing.T) {
	w := newWorld(t)
	w.addDisk("vda", image(espGUID))
	b := w.boot()
	b.disk = b.disks()[0]
	if err := b.showPartitions(); err != nil || len(w.done) != 0 {
		t.Errorf("%v: %q", err, w.done)
	}
	os.RemoveAll(w.path("sys/class/block/vda2"))
	begin := w.now
	b.cmdline = map[string]string{"roothash": hash, "rootfstype": "squashfs"}
	if err := b.findDisk(); err != nil || !strings.Contains(strings.Join(w.done, "\n"), "partition vda2 true 5+4 MiB") || w.now.Sub(begin) < scanLimit {
		t.Errorf("%v: %q", err, w.done)
	}
	w.done = nil
	b.disk.name = "nvme0n1"
	if err := b.showPartitions(); err != nil || len(w.done) != 3 || b.disk.part(2) != "nvme0n1p2" {
		t.Errorf("%v: %q", err, w.done)
	}
}
