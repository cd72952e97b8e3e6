package layout

import "testing"

// A dm-verity tree holds a 32-byte digest for every 4 KiB block on every level, and a superblock.
func TestVerityPartitionHoldsTheTree(t *testing.T) {
	for _, root := range []int64{1, mib, 100 * mib, 126 * mib, 450 * mib, 512*mib + 1, 4 << 30, 64 << 30} {
		l := New(root)
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
