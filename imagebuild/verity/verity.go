// Package verity writes and checks dm-verity hash trees in the format of veritysetup: superblock version 1,
// hash type 1, SHA-256, 4096-byte blocks, no salt.
//
// Start with [Build], which makes the tree of a file system image, and [Verify], which checks one against a root
// hash and says where data differs. The package does not do forward error correction, salts or signatures.
//
// Format: https://gitlab.com/cryptsetup/cryptsetup/-/wikis/DMVerity and the kernel's
// Documentation/admin-guide/device-mapper/verity.rst.
package verity

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// BlockSize is the size of data blocks and of hash blocks, in bytes.
const BlockSize = 4096

const (
	digestSize = sha256.Size
	fanout     = BlockSize / digestSize // digests in one hash block
)

// superblock is the first 512 bytes of the hash area; the tree starts at the next block.
type superblock struct {
	Signature     [8]byte
	Version       uint32
	HashType      uint32
	UUID          [16]byte
	Algorithm     [32]byte
	DataBlockSize uint32
	HashBlockSize uint32
	DataBlocks    uint64
	SaltSize      uint16
	_             [6]byte
	Salt          [256]byte
	_             [168]byte
}

func newSuperblock(dataBlocks int64, uuid [16]byte) superblock {
	sb := superblock{Version: 1, HashType: 1, UUID: uuid, DataBlockSize: BlockSize, HashBlockSize: BlockSize, DataBlocks: uint64(dataBlocks)}
	copy(sb.Signature[:], "verity\x00\x00")
	copy(sb.Algorithm[:], "sha256")
	return sb
}

// encode returns the superblock padded to one hash block.
func (sb superblock) encode() ([]byte, error) {
	b, err := binary.Append(nil, binary.LittleEndian, sb)
	if err != nil {
		return nil, fmt.Errorf("encoding verity superblock: %w", err)
	}
	return append(b, make([]byte, BlockSize-len(b))...), nil
}

func decodeSuperblock(b []byte) (superblock, error) {
	var sb superblock
	if _, err := binary.Decode(b, binary.LittleEndian, &sb); err != nil {
		return sb, fmt.Errorf("decoding verity superblock: %w", err)
	}
	want := newSuperblock(int64(sb.DataBlocks), sb.UUID)
	if sb != want {
		return sb, fmt.Errorf("decoding verity superblock: not version 1 with sha256, %d-byte blocks and no salt", BlockSize)
	}
	return sb, nil
}

// levels returns the number of hash blocks of each tree level, from the leaves' level up to the root block.
// A single data block has no tree: its digest is the root hash.
func levels(dataBlocks int64) []int64 {
	var out []int64
	for n := dataBlocks; n > 1; {
		n = (n + fanout - 1) / fanout
		out = append(out, n)
	}
	return out
}

// HashSize returns the bytes of the hash area, superblock included, for size bytes of data.
func HashSize(size int64) int64 {
	total := int64(1)
	for _, n := range levels(size / BlockSize) {
		total += n
	}
	return total * BlockSize
}
