package initrd

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// machineWithDisk is a world whose only disk is the one that the loader was read from.
func machineWithDisk(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.addDisk("vda", image(espGUID))
	w.put("dev/vda3", superblock())
	w.loader(espGUID)
	// sysfs shows a device as a link; the folder that it leads to holds the files.
	w.put("sys/devices/pci0000:00/virtio1/block/x", "")
	if err := os.Rename(w.path("sys/class/block/vda"), w.path("sys/devices/pci0000:00/virtio1/block/vda")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../devices/pci0000:00/virtio1/block/vda", w.path("sys/class/block/vda")); err != nil {
		t.Fatal(err)
	}
	w.put("sys/firmware/qemu_fw_cfg/by_name/opt/com.coreos/config/raw", "")
	w.put("sys/bus/virtio/devices/virtio1/modalias", "virtio:d00000002v00001AF4\n")
	return w
}

// withIgnition has the stages leave what Ignition does.
func (w *world) withIgnition(config string) {
	w.runs["--stage=fetch-offline"] = func(io.Writer) error { w.put("run/ignition.json", config); return nil }
	w.runs["--stage=files"] = func(io.Writer) error {
		w.put("etc/slipway/node.json", "{}")
		w.put("var/lib/slipway/x", "")
		return nil
	}
}

const firstBootDone = `mount proc /proc proc 
mount sysfs /sys sysfs 
mount devtmpfs /dev devtmpfs mode=0755
mount tmpfs /run tmpfs mode=0755
insert /modules/dm_mod.ko
insert /modules/dm_verity.ko
insert /modules/ext4.ko
insert /modules/overlay.ko
insert /modules/squashfs.ko
mount efivarfs /sys/firmware/efi/efivars efivarfs 
insert /modules/virtio_blk.ko
verity root 1 254:2 254:3 4096 4096 1000 1 sha256 ` + hash + ` - 1 panic_on_corruption
mount /dev/mapper/root /sysroot squashfs 
enter /sysroot
partition vda4 true 13+4 MiB
partition vda5 true 17+4 MiB
partition vda6 true 21+578 MiB
run mkfs.ext4 -q -F -m 0 -L state -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 /dev/vda6
mount /dev/vda6 /var ext4 
run cp -a /usr/share/slipway/factory/var/. /var/
mount overlay /etc overlay lowerdir=/etc,upperdir=/var/lib/slipway/etc/upper,workdir=/var/lib/slipway/etc/work
run /usr/bin/ignition --root=/ --platform=qemu --stage=fetch-offline --log-to-stdout
run /usr/bin/ignition --root=/ --platform=qemu --stage=files --log-to-stdout
exec /sbin/init emergency`

// TestBoot: a first boot from nothing to systemd, and a second one; nothing of the root runs before it is verified.
func TestBoot(t *testing.T) {
	w := machineWithDisk(t)
	w.withIgnition("{}")
	b := w.boot()
	b.Args = []string{"emergency"}
	if err := b.Run(); !errors.Is(err, errExec) {
		t.Fatal(err)
	}
	// Modules are loaded from many sides at once.
	sorted(w.done, "insert ")
	if got := strings.Join(w.done, "\n"); got != firstBootDone {
		t.Errorf("did\n%s\nwant\n%s", got, firstBootDone)
	}
	w.says("slipway: booted from /dev/vda", "slipway: first boot: preparing", "slipway: first boot: complete", "slipway: starting the system")
	for name, want := range map[string]string{
		"run/udev/data/b253:0": "E:DM_UDEV_PRIMARY_SOURCE_FLAG=1\n",
		"run/udev/rules.d/90-slipway.rules": `SUBSYSTEM!="block", GOTO="slipway_end"
DEVPATH!="/devices/pci0000:00/virtio1/block/vda/*", GOTO="slipway_end"
ENV{ID_PART_ENTRY_UUID}=="` + dataGUID + `", SYMLINK+="slipway/root"
ENV{ID_PART_ENTRY_UUID}=="` + treeGUID + `", SYMLINK+="slipway/verity"
ENV{ID_PART_ENTRY_TYPE}=="0fc63daf-8483-4772-8e79-3d69d8477de4", ENV{ID_PART_ENTRY_NAME}=="state", SYMLINK+="slipway/state"
LABEL="slipway_end"
`,
		"proc/sys/kernel/printk_devkmsg": "ratelimit\n",
	} {
		if got := w.get(name); got != want {
			t.Errorf("%s holds\n%s", name, got)
		}
	}
	for name, want := range map[string]string{"dev/mapper/root": "../dm-0", "dev/slipway/root": "../vda2", "dev/slipway/verity": "../vda3", "dev/slipway/state": "../vda6"} {
		if got, err := os.Readlink(w.path(name)); got != want {
			t.Errorf("%s -> %s, %v", name, got, err)
		}
	}

	w.put("dev/vda6", ext4(stateValid, 578*mib/4096))
	os.Truncate(w.path("dev/vda6"), 578*mib)
	w.loader("5a5a5a5a-5a5a-4a5a-9a5a-5a5a5a5a5a5a") // the loader's partition has a GUID of its own now
	w.done = nil
	if err := w.boot().Run(); !errors.Is(err, errExec) {
		t.Fatal(err)
	}
	second := strings.Join(w.done, "\n")
	for _, word := range []string{"mkfs", "partition", "ignition", "e2fsck", "resize2fs", " cp "} {
		if strings.Contains(second, word) {
			t.Errorf("a second boot does\n%s", second)
		}
	}
}

// sorted sorts each run of deeds that begin so; what a module needs is before it all the same.
func sorted(done []string, prefix string) {
	for i := range done {
		for j := i; j > 0 && strings.HasPrefix(done[j], prefix) && strings.HasPrefix(done[j-1], prefix) && done[j] < done[j-1]; j-- {
			done[j], done[j-1] = done[j-1], done[j]
		}
	}
}

// TestBootFails: whatever fails is named, and nothing after it is done.
func TestBootFails(t *testing.T) {
	for deed, says := range map[string]string{
		"mount sysfs":            "mounting /sys: broken",
		"insert /modules/ext4":   `loading module "ext4": broken`,
		"verity":                 "broken",
		"mount /dev/mapper/root": "mounting the verified root: broken",
		"enter":                  "broken",
		"partition vda5":         "telling the kernel of /dev/vda5: broken",
		"run mkfs.ext4":          "mkfs.ext4: broken",
		"mount /dev/vda6":        "mounting state: broken",
		"run cp":                 "filling state: cp: broken",
		"mount overlay":          "mounting /etc: broken",
		"run /usr/bin/ignition":  "ignition failed in stage fetch-offline: broken",
	} {
		w := machineWithDisk(t)
		w.withIgnition("{}")
		w.fails[deed] = errors.New("broken")
		err := w.boot().Run()
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", deed, err, says)
		}
		if last := w.done[len(w.done)-1]; !strings.HasPrefix(last, deed) && deed != "insert /modules/ext4" {
			t.Errorf("%s: went on to %s", deed, last)
		}
		if w.has("var/lib/slipway/first-boot-complete") {
			t.Errorf("%s: stamped", deed)
		}
	}
}

// TestStamp: the stamp is not written before what it vouches for is on the disk.
func TestStamp(t *testing.T) {
	for syncs := range 4 {
		w := machineWithDisk(t)
		w.withIgnition("{}")
		w.syncs = 1 + syncs // the first is of a wipe that has nothing to do
		err := w.boot().Run()
		if done := errors.Is(err, errExec); done != (syncs >= 2) || w.has("var/lib/slipway/first-boot-complete") != (syncs >= 1) {
			t.Errorf("%d syncs: %v", syncs, err)
		}
	}
}

// TestFault: a fault of our own is one more reason to start again, and not the end of process 1.
func TestFault(t *testing.T) {
	w := machineWithDisk(t)
	w.runs["cp"] = func(io.Writer) error { panic("oh") }
	if err := w.boot().Run(); err == nil || err.Error() != "a fault in slipway-init: oh" {
		t.Error(err)
	}
}
