package verity

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"sync"
)

// Finding is one difference between data, tree and root hash.
type Finding struct {
	InTree bool  // Offset counts from the start of the hash area, not of the data
	Offset int64 // byte offset of the differing block
	Text   string
}

// String says what differs and where, in one line.
func (f Finding) String() string {
	area := "data"
	if f.InTree {
		area = "hash tree"
	}
	return fmt.Sprintf("%s at byte %d: %s", area, f.Offset, f.Text)
}

// Info is what the superblock of a hash area says.
type Info struct {
	UUID     [16]byte
	DataSize int64 // bytes
	HashSize int64 // bytes, superblock included
}

// ReadInfo reads the superblock at the start of tree.
func ReadInfo(tree io.ReaderAt) (Info, error) {
	b := make([]byte, 512)
	if _, err := tree.ReadAt(b, 0); err != nil {
		return Info{}, fmt.Errorf("reading verity superblock: %w", err)
	}
	sb, err := decodeSuperblock(b)
	if err != nil {
		return Info{}, err
	}
	if sb.DataBlocks == 0 || sb.DataBlocks > 1<<40 {
		return Info{}, fmt.Errorf("reading verity superblock: %d data blocks is out of range", sb.DataBlocks)
	}
	size := int64(sb.DataBlocks) * BlockSize
	return Info{UUID: sb.UUID, DataSize: size, HashSize: HashSize(size)}, nil
}

// Verify checks data against tree and tree against rootHash, and returns every block that differs, sorted, or nil
// when all agree. An error means that something could not be read or that tree is no hash area.
func Verify(data, tree io.ReaderAt, rootHash [32]byte) ([]Finding, error) {
	info, err := ReadInfo(tree)
	if err != nil {
		return nil, err
	}
	found, leaves, err := verifyTree(tree, info, rootHash)
	if err != nil {
		return nil, err
	}
	more, err := verifyData(data, info.DataSize, leaves)
	return append(found, more...), err
}

// verifyTree walks from the root block down and returns the lowest level's bytes.
func verifyTree(tree io.ReaderAt, info Info, rootHash [32]byte) ([]Finding, []byte, error) {
	var found []Finding
	off := int64(BlockSize)
	above := rootHash[:]
	for _, n := range slices.Backward(levels(info.DataSize / BlockSize)) {
		level := make([]byte, n*BlockSize)
		if got, err := tree.ReadAt(level, off); got < len(level) {
			return nil, nil, fmt.Errorf("reading hash tree at %d: %w", off, err)
		}
		for _, i := range differing(level, above) {
			found = append(found, Finding{InTree: true, Offset: off + i, Text: "block does not match the hash above it"})
		}
		above, off = level, off+int64(len(level))
	}
	return found, above, nil
}

// differing returns the offsets of data's blocks whose digest is not the one in digests.
func differing(data, digests []byte) []int64 {
	var out []int64
	for i := 0; i*BlockSize < len(data); i++ {
		sum := sha256.Sum256(data[i*BlockSize : (i+1)*BlockSize])
		if !bytes.Equal(sum[:], digests[i*digestSize:(i+1)*digestSize]) {
			out = append(out, int64(i)*BlockSize)
		}
	}
	return out
}

func verifyData(data io.ReaderAt, size int64, leaves []byte) ([]Finding, error) {
	var (
		mu    sync.Mutex
		found []Finding
	)
	err := eachChunk(data, size, func(off int64, b []byte) error {
		for _, i := range differing(b, leaves[off/BlockSize*digestSize:]) {
			mu.Lock()
			found = append(found, Finding{Offset: off + i, Text: "block does not match its hash"})
			mu.Unlock()
		}
		return nil
	})
	slices.SortFunc(found, func(a, b Finding) int { return int(a.Offset - b.Offset) })
	return found, err
}
