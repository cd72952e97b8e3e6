package vmdk

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
	"text/template"
)

// descriptorText is the descriptor with places for what differs between disks. The extent's name is always the same: no
// reader of a streamOptimized file looks for a file of that name, and bytes must not depend on where they are stored.
// lsilogic stands for every SCSI controller, pvscsi too; which one a machine gets the OVF says.
//
//go:embed descriptor.txt
var descriptorText string

// The geometry is the one that a BIOS makes up for large disks.
const (
	heads        = 255
	track        = 63
	maxCylinders = 65535
)

// contentID identifies the content of a disk.
type contentID [16]byte

func (id contentID) String() string { return hex.EncodeToString(id[:]) }

// CID is the short form: the last 32 bits.
func (id contentID) CID() uint32 { return binary.BigEndian.Uint32(id[12:]) }

// reservedCID is the first of the two values of a CID that mean "none"; the largest number is the other.
const reservedCID = 0xfffffffe

// contentHash makes a contentID of the grains of a disk, in ascending order. It is SHA-256 over the capacity in sectors
// and, for each grain that is not zero, its index and the SHA-256 of its 64 KiB; numbers are little-endian uint64.
type contentHash struct{ hash.Hash }

func newContentHash(capacity uint64) contentHash {
	h := contentHash{sha256.New()}
	h.Write(binary.LittleEndian.AppendUint64(nil, capacity))
	return h
}

// add takes a grain's index and digest.
func (h contentHash) add(index int64, digest []byte) {
	var b [8 + sha256.Size]byte
	binary.LittleEndian.PutUint64(b[:], uint64(index))
	copy(b[8:], digest)
	h.Write(b[:])
}

func (h contentHash) id() contentID {
	id := contentID(h.Sum(nil))
	if id.CID() >= reservedCID {
		id[12] = 0
	}
	return id
}

// descriptor is the text of the descriptor, without padding.
func descriptor(capacity uint64, id contentID) (string, error) {
	t, err := template.New("descriptor").Option("missingkey=error").Parse(descriptorText)
	if err != nil {
		return "", fmt.Errorf("reading VMDK descriptor template: %w", err)
	}
	var b strings.Builder
	err = t.Execute(&b, map[string]string{
		"CID":       fmt.Sprintf("%08x", id.CID()),
		"ContentID": id.String(),
		"Capacity":  fmt.Sprint(capacity),
		"Cylinders": fmt.Sprint(min(maxCylinders, ceil(capacity, heads*track))),
	})
	if err != nil {
		return "", fmt.Errorf("writing VMDK descriptor: %w", err)
	}
	return b.String(), nil
}
