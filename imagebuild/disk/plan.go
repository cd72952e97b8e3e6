// Package disk lays out and writes raw GPT disk images: an EFI system partition, root slot A and its hash tree.
//
// Start with [NewPlan], a pure function from sizes to a printable partition table, and [Write], which fills an image
// file with content from [Source] values. [ReadTable] reads one back. The rest of the disk (slot B and state) is made
// by the initrd on first boot.
//
// Formats: UEFI specification 2.10, chapter 5 (GPT); partition types of
// https://uapi-group.org/specifications/specs/discoverable_partitions_specification/.
package disk

import (
	"fmt"
	"slices"
	"strings"
)

const (
	sectorSize = 512
	alignment  = 1 << 20 // of partitions and of the image, bytes
	readOnly   = 1 << 60 // GPT attribute of the Discoverable Partitions Specification
)

// Names of the partitions of an image.
const (
	ESP     = "esp"
	RootA   = "root-a"
	VerityA = "verity-a"
)

// Partition types.
const (
	TypeESP    = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
	TypeRoot   = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709" // root, x86-64
	TypeVerity = "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5" // root's hash tree, x86-64
)

// Layout is the sizes of an image's partitions in bytes, multiples of 1 MiB, and what its GUIDs derive from.
type Layout struct {
	ESP      int64
	Root     int64    // one slot
	Verity   int64    // the slot's hash tree
	RootHash [32]byte // gives the GUIDs of root and hash tree
	Seed     string   // gives the others
}

// Plan is a complete partition table.
type Plan struct {
	GUID       GUID
	Size       int64 // of the image, bytes: just enough for the last partition and the backup table
	Partitions []Partition
}

// Partition is one entry of a table.
type Partition struct {
	Name        string
	Type, GUID  GUID
	Start, Size int64 // bytes
	ReadOnly    bool
}

// NewPlan returns the partition table for l.
func NewPlan(l Layout) (Plan, error) {
	rootGUID, treeGUID := VerityGUIDs(l.RootHash)
	p := Plan{GUID: DeriveGUID(l.Seed, "disk"), Size: alignment}
	for _, part := range []struct {
		name, typ string
		guid      GUID
		size      int64
		readOnly  bool
	}{
		{ESP, TypeESP, DeriveGUID(l.Seed, ESP), l.ESP, false},
		{RootA, TypeRoot, rootGUID, l.Root, true},
		{VerityA, TypeVerity, treeGUID, l.Verity, true},
	} {
		if part.size <= 0 || part.size%alignment != 0 {
			return Plan{}, fmt.Errorf("planning partition %q: size of %d bytes is not a positive multiple of 1 MiB", part.name, part.size)
		}
		typ, err := ParseGUID(part.typ)
		if err != nil {
			return Plan{}, err
		}
		p.Partitions = append(p.Partitions, Partition{part.name, typ, part.guid, p.Size, part.size, part.readOnly})
		p.Size += part.size
	}
	p.Size += alignment
	return p, nil
}

// Find returns the partition called name.
func (p Plan) Find(name string) (Partition, bool) {
	i := slices.IndexFunc(p.Partitions, func(q Partition) bool { return q.Name == name })
	if i < 0 {
		return Partition{}, false
	}
	return p.Partitions[i], true
}

// String returns the table as text, one line a partition.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "disk %s, GPT, %d MiB\n", p.GUID, p.Size>>20)
	for i, q := range p.Partitions {
		mode := "rw"
		if q.ReadOnly {
			mode = "ro"
		}
		fmt.Fprintf(&b, "%d %-8s %s type %s at %5d MiB, %5d MiB, %s\n", i+1, q.Name, q.GUID, q.Type, q.Start>>20, q.Size>>20, mode)
	}
	return b.String()
}
