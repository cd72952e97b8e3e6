//go:build qemu

package qemu_test

import (
	"strings"
	"testing"
)

// checkRoot: / is a read-only file system on a verified device, and nothing in the guest can change that.
func checkRoot(t *testing.T, n *node) {
	mount := strings.Fields(n.must(t, "findmnt -rno SOURCE,FSTYPE,OPTIONS /"))
	if len(mount) != 3 || mount[0] != "/dev/mapper/root" || (mount[1] != "squashfs" && mount[1] != "erofs") {
		t.Fatalf("/ is %q", mount)
	}
	if !strings.HasPrefix(mount[2]+",", "ro,") {
		t.Errorf("/ is mounted %s", mount[2])
	}
	n.must(t, "dmsetup table root | grep -q ' verity '")
	if st := n.must(t, "dmsetup status root"); !strings.HasSuffix(st, " V") && !strings.Contains(st, " V ") {
		t.Errorf("the device is not verified: %s", st)
	}
	n.must(t, "grep -qE '(^| )roothash=[0-9a-f]{64}( |$)' /proc/cmdline")
	for _, path := range []string{"/slipway-test", "/usr/slipway-test", "/usr/bin/slipway-test"} {
		if out := n.mustFail(t, "touch "+path); !strings.Contains(out, "Read-only file system") {
			t.Errorf("touch %s: %s", path, out)
		}
	}
	n.mustFail(t, "mount -o remount,rw / && touch /usr/slipway-test")
	n.mustFail(t, "dd if=/dev/zero of=/dev/mapper/root bs=4096 count=1 conv=fsync")
}

// checkState: /var and /etc can be written, and lie on the disk's last partition, grown to its end.
func checkState(t *testing.T, n *node) {
	n.must(t, "touch /var/slipway-test /etc/slipway-test && rm /var/slipway-test /etc/slipway-test")
	if fs := n.must(t, "findmnt -rno FSTYPE /etc"); fs != "overlay" {
		t.Errorf("/etc is %s", fs)
	}
	if label := n.must(t, "lsblk -rno PARTLABEL \"$(findmnt -rno SOURCE /var)\""); label != "state" {
		t.Errorf("/var is on partition %q", label)
	}
	parts := n.must(t, "lsblk -rno PARTTYPENAME,TYPE /dev/vda | grep -c part")
	if parts != "6" { // ESP, two roots, two hash trees, state
		t.Errorf("the disk has %s partitions, want 6", parts)
	}
	// Less than 16 MiB behind the last partition.
	n.must(t, `disk=$(cat /sys/block/vda/size)
end=$(for p in /sys/block/vda/vda*; do echo $(($(cat $p/start) + $(cat $p/size))); done | sort -n | tail -1)
echo "disk $disk, last partition ends at $end"; [ $((disk - end)) -lt 32768 ]`)
}
