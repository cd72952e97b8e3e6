package verity

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"sync"

	"slipway/internal/finding"
)

// The parts that a finding is in, each with offsets of its own.
const (
	PartData = "data"
	PartTree = "hash tree"
)

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

const (
	enough  = 100                                 // findings, after which nothing further is read
	stretch = 256                                 // hash blocks compared in one go
	covered = stretch * fanout * int64(BlockSize) // bytes of data whose digests they hold: 128 MiB
)

// Verify checks data against tree and tree against rootHash, from the root block down, and returns the blocks that
// differ: those of the tree first, each part sorted, or nil when all agree. It holds little of either in memory, and
// reads no further than a hundred findings and the stretch they end in. An error means that something could not be read
// or that tree is no hash area.
func Verify(data, tree io.ReaderAt, rootHash [32]byte) ([]finding.Finding, error) {
	info, err := ReadInfo(tree)
	if err != nil {
		return nil, err
	}
	v := verifier{data: data, tree: tree, above: bytes.NewReader(rootHash[:])}
	off := int64(BlockSize)
	for _, n := range slices.Backward(levels(info.DataSize / BlockSize)) {
		if err := v.level(off, n); err != nil {
			return nil, err
		}
		v.above = io.NewSectionReader(tree, off, n*BlockSize)
		off += n * BlockSize
	}
	for off := int64(0); off < info.DataSize && len(v.found) < enough; off += covered {
		if err := v.blocks(off, min(covered, info.DataSize-off)); err != nil {
			return nil, err
		}
	}
	return v.found, nil
}

type verifier struct {
	data, tree io.ReaderAt
	above      io.ReaderAt // the digests of the level that comes next
	found      []finding.Finding
}

// level compares the n blocks of the tree at off.
func (v *verifier) level(off, n int64) error {
	for i := int64(0); i < n && len(v.found) < enough; i += stretch {
		b := make([]byte, min(stretch, n-i)*BlockSize)
		if err := readFull(v.tree, b, off+i*BlockSize); err != nil {
			return fmt.Errorf("reading hash tree: %w", err)
		}
		want, err := v.wanted(i, int64(len(b)/BlockSize))
		if err != nil {
			return err
		}
		for _, j := range differing(b, want) {
			v.found = append(v.found, finding.Finding{Part: PartTree, Offset: off + i*BlockSize + j, Text: "block does not match the hash above it"})
		}
	}
	return nil
}

// wanted is the digests of n blocks from the first one on.
func (v *verifier) wanted(first, n int64) ([]byte, error) {
	b := make([]byte, n*digestSize)
	if err := readFull(v.above, b, first*digestSize); err != nil {
		return nil, fmt.Errorf("reading hash tree: %w", err)
	}
	return b, nil
}

func readFull(r io.ReaderAt, p []byte, off int64) error {
	if n, err := r.ReadAt(p, off); n < len(p) {
		return fmt.Errorf("%d bytes at byte %d: %w", len(p), off, err)
	}
	return nil
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

// blocks compares size bytes of data at off, on all cores.
func (v *verifier) blocks(off, size int64) error {
	want, err := v.wanted(off/BlockSize, size/BlockSize)
	if err != nil {
		return err
	}
	var (
		mu    sync.Mutex
		found []finding.Finding
	)
	err = eachChunk(io.NewSectionReader(v.data, off, size), size, func(at int64, b []byte) error {
		for _, i := range differing(b, want[at/BlockSize*digestSize:]) {
			mu.Lock()
			found = append(found, finding.Finding{Part: PartData, Offset: off + at + i, Text: "block does not match its hash"})
			mu.Unlock()
		}
		return nil
	})
	slices.SortFunc(found, func(a, b finding.Finding) int { return cmp.Compare(a.Offset, b.Offset) })
	v.found = append(v.found, found...)
	return err
}
