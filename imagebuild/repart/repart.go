// Package repart says how a disk is divided, once: the partitions that an image ships and those that systemd-repart
// adds on first boot (slot B and state) come from the same sizes. Start with NewLayout and (Layout).Entries.
// Format: repart.d(5). Partition types: https://uapi-group.org/specifications/specs/discoverable_partitions_specification/
package repart

import (
	"fmt"

	"slipway/imagebuild/overlay"
)

const mib = 1 << 20

// Layout is a disk's division, in bytes, all multiples of 1 MiB.
type Layout struct {
	ESP      int64
	Root     int64 // one slot
	Verity   int64 // its hash tree
	StateMin int64
}

// NewLayout derives the layout from the size of a root slot. A hash tree takes 0.8 % of its data.
func NewLayout(root int64) Layout {
	root = (root + mib - 1) / mib * mib
	return Layout{ESP: 256 * mib, Root: root, Verity: (root/126+mib)/mib*mib + mib, StateMin: 512 * mib}
}

// MinDisk is the smallest disk that holds everything, with the two tables.
func (l Layout) MinDisk() int64 { return l.ESP + 2*(l.Root+l.Verity) + l.StateMin + 2*mib }

// Entries returns the files of /usr/lib/repart.d. Matching to partitions that exist is by type and order.
func (l Layout) Entries() []overlay.Entry {
	slot := func(typ string, size int64, extra string) string {
		return fmt.Sprintf("[Partition]\nType=%s\nSizeMinBytes=%d\nSizeMaxBytes=%d\n%s", typ, size, size, extra)
	}
	empty := "Label=_empty\nReadOnly=1\n"
	files := []struct{ name, text string }{
		{"10-esp", "[Partition]\nType=esp\n"},
		{"20-root-a", slot("root-x86-64", l.Root, "")},
		{"21-verity-a", slot("root-x86-64-verity", l.Verity, "")},
		{"30-root-b", slot("root-x86-64", l.Root, empty)},
		{"31-verity-b", slot("root-x86-64-verity", l.Verity, empty)},
		{"40-state", fmt.Sprintf("[Partition]\nType=linux-generic\nLabel=state\nFormat=ext4\nSizeMinBytes=%d\n", l.StateMin)},
	}
	var out []overlay.Entry
	for _, f := range files {
		out = append(out, overlay.Entry{Path: "/usr/lib/repart.d/" + f.name + ".conf", Mode: 0o644, Content: []byte(f.text)})
	}
	return out
}
