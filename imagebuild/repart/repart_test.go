package repart

import (
	"fmt"
	"strings"
	"testing"

	"slipway/internal/golden"
)

// The files of systemd-repart, in its order, for slots of different sizes; the first size is no whole MiB.
func TestEntries(t *testing.T) {
	for name, root := range map[string]int64{"450m.txtar": 450*mib - 1, "4g.txtar": 4096 * mib} {
		l := NewLayout(root)
		var b strings.Builder
		fmt.Fprintf(&b, "ESP %d root %d verity %d state %d, smallest disk %d\n", l.ESP, l.Root, l.Verity, l.StateMin, l.MinDisk())
		for _, e := range l.Entries() {
			fmt.Fprintf(&b, "-- %s --\n%s", e.Path, e.Content)
		}
		golden.Check(t, "testdata/"+name, b.String())
	}
}

// A dm-verity tree holds a 32-byte digest for every 4 KiB block on every level, and a superblock.
func TestVerityPartitionHoldsTheTree(t *testing.T) {
	for _, root := range []int64{1, mib, 100 * mib, 126 * mib, 450 * mib, 512*mib + 1, 4 << 30, 64 << 30} {
		l := NewLayout(root)
		need := int64(4096)
		for blocks := l.Root / 4096; blocks > 1; {
			blocks = (blocks + 127) / 128
			need += blocks * 4096
		}
		if l.Verity < need || l.Verity%mib != 0 || l.Root%mib != 0 || l.Root < root {
			t.Errorf("slot of %d: root %d, verity %d, needs %d", root, l.Root, l.Verity, need)
		}
	}
}
