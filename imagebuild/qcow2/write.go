package qcow2

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"slipway/internal/grain"
)

// Options of Write.
type Options struct {
	Compression Compression
	Workers     int // that compress; 0: one a core
}

// Write writes src as an image to w, from offset 0 on, and returns the image's size in bytes. The disk's size is src's,
// rounded up to 512. w must be empty: what Write leaves out, it expects to read as zeros.
//
// src is read once. Clusters of zeros are left out; one that does not shrink is stored as it is. The bytes of the image
// depend on src and the compression alone. The header comes last, so that an image whose writing failed is none.
func Write(ctx context.Context, w io.WriterAt, src grain.Source, o Options) (int64, error) {
	n, err := write(ctx, w, src, o)
	if err != nil {
		return 0, fmt.Errorf("writing qcow2: %w", err)
	}
	return n, nil
}

func write(ctx context.Context, out io.WriterAt, src grain.Source, o Options) (int64, error) {
	if src.Size() < 0 || src.Size() > maxDisk {
		return 0, fmt.Errorf("a disk of %d bytes is out of range, 0 to %d", src.Size(), maxDisk)
	}
	size := ceil(src.Size(), sectorSize) * sectorSize
	w := &writer{out: out, l1: make([]uint64, l1Entries(size)), at: -1}
	w.room.clusters(1 + ceil(int64(len(w.l1))*8, clusterSize)) // the header and the L1 table
	pieces := grain.Options{Size: clusterSize, Workers: o.Workers, NewEncoder: o.Compression.newEncoder}
	if err := grain.Each(ctx, src, pieces, w.cluster); err != nil {
		return 0, err
	}
	if err := w.flush(); err != nil {
		return 0, err
	}
	return w.finish(newHeader(size, o.Compression))
}

// writer holds the one L2 table that clusters are added to.
type writer struct {
	out  io.WriterAt
	room room
	l1   []uint64
	at   int64 // which of l1 the table is for; -1 for none
	l2   [perL2]uint64
}

// cluster stores one cluster of the disk.
func (w *writer) cluster(g grain.Grain) error {
	if at := g.Index / perL2; at != w.at {
		if err := w.flush(); err != nil {
			return err
		}
		w.at = at
	}
	data, off, entry := g.Encoded, int64(0), uint64(0)
	if data == nil {
		data, off = g.Raw, w.room.clusters(1)
		entry = copied | uint64(off)
	} else {
		off = w.room.bytes(int64(len(data)))
		entry = packedEntry(off, int64(len(data)))
	}
	w.l2[g.Index%perL2] = entry
	return w.put(off, data)
}

// flush writes the L2 table, if there is one.
func (w *writer) flush() error {
	if w.at < 0 {
		return nil
	}
	off := w.room.clusters(1)
	w.l1[w.at] = copied | uint64(off)
	err := w.putWords(off, w.l2[:])
	clear(w.l2[:])
	return err
}

// finish writes the L1 table, the reference counts and, last, the header.
func (w *writer) finish(h header) (int64, error) {
	if err := w.putWords(clusterSize, w.l1); err != nil {
		return 0, err
	}
	table, blocks := refcountClusters(w.room.end / clusterSize)
	at := w.room.clusters(table + blocks)
	h.RefTableOffset, h.RefTableClusters = uint64(at), uint32(table)
	first := at + table*clusterSize
	if err := w.putRefcounts(at, first, table, blocks); err != nil {
		return 0, err
	}
	b, err := h.encode()
	if err != nil {
		return 0, err
	}
	return w.room.end, w.put(0, b)
}

// refcountClusters is how many clusters the refcount table and its blocks take behind used clusters, and they count
// themselves.
func refcountClusters(used int64) (table, blocks int64) {
	for {
		b := ceil(used+table+blocks, perBlock)
		t := ceil(b*8, clusterSize)
		if t == table && b == blocks {
			return table, blocks
		}
		table, blocks = t, b
	}
}

func (w *writer) putRefcounts(table, first, tables, blocks int64) error {
	words := make([]uint64, tables*clusterSize/8) // whole clusters, so that the file has no end within one
	block := make([]byte, clusterSize)
	for i := range blocks {
		words[i] = uint64(first + i*clusterSize)
		clear(block)
		for j, n := range w.room.refs[i*perBlock : min((i+1)*perBlock, int64(len(w.room.refs)))] {
			binary.BigEndian.PutUint16(block[2*j:], n)
		}
		if err := w.put(int64(words[i]), block); err != nil {
			return err
		}
	}
	return w.putWords(table, words)
}

func (w *writer) putWords(off int64, words []uint64) error {
	b := make([]byte, 0, min(8*len(words), clusterSize))
	for part := range slices.Chunk(words, perL2) {
		b = b[:0]
		for _, v := range part {
			b = binary.BigEndian.AppendUint64(b, v)
		}
		if err := w.put(off, b); err != nil {
			return err
		}
		off += int64(len(b))
	}
	return nil
}

func (w *writer) put(off int64, p []byte) error {
	if _, err := w.out.WriteAt(p, off); err != nil {
		return fmt.Errorf("writing %d bytes at byte %d: %w", len(p), off, err)
	}
	return nil
}
