// Package layout says how large the parts of a disk are: those that an image ships, and those that the initrd adds on first
// boot, slot B and state (slipway/initrd/gpt). Start with New.
package layout

const mib = 1 << 20

// Layout is a disk's division, in bytes, all multiples of 1 MiB.
type Layout struct {
	ESP      int64
	Root     int64 // one slot
	Verity   int64 // its hash tree
	StateMin int64
}

// New derives the layout from the size of a root slot. A hash tree takes 0.8 % of its data.
func New(root int64) Layout {
	root = (root + mib - 1) / mib * mib
	return Layout{ESP: 256 * mib, Root: root, Verity: (root/126+mib)/mib*mib + mib, StateMin: 512 * mib}
}

// MinDisk is the smallest disk that holds everything, with the two tables.
func (l Layout) MinDisk() int64 { return l.ESP + 2*(l.Root+l.Verity) + l.StateMin + 2*mib }
