package verity

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
)

// chunk is the data one worker hashes at a time: fanout blocks, whose digests fill exactly one hash block.
const chunk = fanout * BlockSize

// Build reads size bytes of data from r, which must be a multiple of [BlockSize] and not zero, writes the
// superblock and the hash tree to w at offset 0 on, and returns the root hash and the number of bytes written.
// Data is read once; the digests (1/128 of the data) are held in memory.
func Build(r io.ReaderAt, size int64, w io.WriterAt, uuid [16]byte) (rootHash [32]byte, hashSize int64, err error) {
	if size <= 0 || size%BlockSize != 0 {
		return rootHash, 0, fmt.Errorf("building verity tree: data of %d bytes is not a positive multiple of %d", size, BlockSize)
	}
	leaves, err := hashData(r, size)
	if err != nil {
		return rootHash, 0, fmt.Errorf("building verity tree: %w", err)
	}
	rootHash, all := grow(leaves, size/BlockSize)
	sb, err := newSuperblock(size/BlockSize, uuid).encode()
	if err != nil {
		return rootHash, 0, err
	}
	all = append(all, sb)
	for i := len(all) - 1; i >= 0; i-- { // on disk: superblock, root level, ..., leaf level
		if _, err := w.WriteAt(all[i], hashSize); err != nil {
			return rootHash, hashSize, fmt.Errorf("writing verity tree: %w", err)
		}
		hashSize += int64(len(all[i]))
	}
	return rootHash, hashSize, nil
}

// grow returns the root hash and all levels of the tree, leaves first.
func grow(leaves []byte, dataBlocks int64) ([32]byte, [][]byte) {
	if dataBlocks == 1 {
		return [32]byte(leaves), nil
	}
	all := [][]byte{leaves}
	for len(all[len(all)-1]) > BlockSize {
		all = append(all, hashLevel(all[len(all)-1]))
	}
	return sha256.Sum256(all[len(all)-1]), all
}

// hashLevel returns the level above: the digests of below's blocks, padded with zeros to whole blocks.
func hashLevel(below []byte) []byte {
	out := make([]byte, padded(len(below)/BlockSize*digestSize))
	putDigests(out, below)
	return out
}

func padded(n int) int { return (n + BlockSize - 1) / BlockSize * BlockSize }

// putDigests writes the digest of each block of data to the front of out.
func putDigests(out, data []byte) {
	for i := 0; i*BlockSize < len(data); i++ {
		sum := sha256.Sum256(data[i*BlockSize : (i+1)*BlockSize])
		copy(out[i*digestSize:], sum[:])
	}
}

// hashData returns the lowest level of the tree: the digests of all data blocks.
func hashData(r io.ReaderAt, size int64) ([]byte, error) {
	out := make([]byte, padded(int(size/BlockSize*digestSize)))
	err := eachChunk(r, size, func(off int64, data []byte) error {
		putDigests(out[off/BlockSize*digestSize:], data)
		return nil
	})
	return out, err
}

// eachChunk reads size bytes of r in chunks on all cores and calls f for each, concurrently.
func eachChunk(r io.ReaderAt, size int64, f func(off int64, data []byte) error) error {
	var (
		wg      sync.WaitGroup
		offsets = make(chan int64)
		workers = runtime.GOMAXPROCS(0)
		errs    = make([]error, workers)
	)
	for i := range workers {
		wg.Go(func() {
			buf := make([]byte, chunk)
			for off := range offsets {
				if errs[i] == nil {
					errs[i] = oneChunk(r, off, buf[:min(chunk, size-off)], f)
				}
			}
		})
	}
	for off := int64(0); off < size; off += chunk {
		offsets <- off
	}
	close(offsets)
	wg.Wait()
	return errors.Join(errs...)
}

func oneChunk(r io.ReaderAt, off int64, buf []byte, f func(int64, []byte) error) error {
	if n, err := r.ReadAt(buf, off); n < len(buf) {
		return fmt.Errorf("reading data at %d: %w", off, err)
	}
	return f(off, buf)
}
