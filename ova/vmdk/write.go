package vmdk

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"slipway/internal/grain"
)

// Source is a disk image that tells where it has data. Package grain makes them of files and io.ReaderAts, [Sequential]
// of an io.Reader; a [Disk] is one itself.
type Source = grain.Source

// Options of Write.
type Options struct {
	Workers int // goroutines that compress; 0: one a core. The file does not depend on it.
}

// Info is what Write made.
type Info struct {
	Capacity  int64  // of the disk, bytes
	Size      int64  // of the file, bytes
	Populated int64  // bytes of the disk that are stored, in whole grains
	ContentID string // 32 hexadecimal digits, the same for the same disk
}

// Write writes the image in src to w, from offset 0 on. The front of the file comes last: what a failed Write leaves is
// no VMDK. Memory is a few MiB, and 2 KiB for every 32 MiB of the disk that have data.
func Write(ctx context.Context, w io.WriterAt, src Source, o Options) (Info, error) {
	size := src.Size()
	if size <= 0 || size > maxSectors*sector {
		return Info{}, fmt.Errorf("writing VMDK: an image of %d bytes: it must have at least 1 byte and at most 62 TiB", size)
	}
	x := newWriter(w, uint64(Capacity(size)/sector))
	err := grain.Each(ctx, src, grain.Options{Size: grainSize, Workers: o.Workers, NewEncoder: newEncoder}, x.grain)
	if err == nil {
		err = x.finish()
	}
	if err != nil {
		return Info{}, fmt.Errorf("writing VMDK: %w", err)
	}
	return x.info, nil
}

// chunk is how much is written at a time.
const chunk = 1 << 20

// writer holds the state of one Write.
type writer struct {
	w      io.WriterAt
	grains *bufio.Writer // from the first grain's place on
	next   uint64        // sector that grains is at
	h      header
	tables map[uint64]*[tableEntries]uint32 // those with a grain
	hash   contentHash
	info   Info
}

func newWriter(w io.WriterAt, capacity uint64) *writer {
	h := newHeader(capacity)
	return &writer{
		w: w, h: h, next: h.Overhead,
		grains: bufio.NewWriterSize(io.NewOffsetWriter(w, int64(h.Overhead)*sector), chunk),
		tables: map[uint64]*[tableEntries]uint32{},
		hash:   newContentHash(capacity),
		info:   Info{Capacity: int64(capacity) * sector},
	}
}

// grain writes and records one grain.
func (x *writer) grain(g grain.Grain) error {
	digest, sectors := split(g.Encoded)
	n := uint64(len(sectors) / sector)
	if x.next+n > maxFile {
		return errors.New("the file would have more than 2 TiB, and the format cannot tell where that is")
	}
	binary.LittleEndian.PutUint64(sectors, uint64(g.Index)*grainSectors)
	if _, err := x.grains.Write(sectors); err != nil {
		return fmt.Errorf("writing grains up to byte %d: %w", x.next*sector, err)
	}
	table, slot := uint64(g.Index)/tableEntries, g.Index%tableEntries
	if x.tables[table] == nil {
		x.tables[table] = new([tableEntries]uint32)
	}
	x.tables[table][slot] = uint32(x.next)
	x.hash.add(g.Index, digest)
	x.next += n
	x.info.Populated += grainSize
	return nil
}

// finish writes the end of the file, then its front.
func (x *writer) finish() error {
	if _, err := x.grains.Write(make([]byte, sector)); err != nil {
		return fmt.Errorf("writing end marker: %w", err)
	}
	if err := x.grains.Flush(); err != nil {
		return fmt.Errorf("writing grains up to byte %d: %w", x.next*sector, err)
	}
	id := x.hash.id()
	x.info.Size = int64(x.next+1) * sector
	x.info.ContentID = id.String()
	front, err := x.front(id)
	if err != nil {
		return err
	}
	if err := x.writeTables(); err != nil {
		return fmt.Errorf("writing grain tables: %w", err)
	}
	if _, err := x.w.WriteAt(front, 0); err != nil {
		return fmt.Errorf("writing header: %w", err)
	}
	return nil
}

// front is the header and the descriptor.
func (x *writer) front(id contentID) ([]byte, error) {
	b, err := x.h.encode()
	if err != nil {
		return nil, err
	}
	text, err := descriptor(x.h.Capacity, id)
	if err != nil {
		return nil, err
	}
	b = append(b, text...)
	return append(b, make([]byte, directoryStart*sector-len(b))...), nil
}

// writeTables writes the directory, all of whose tables follow it without a gap, and the tables.
func (x *writer) writeTables() error {
	out := bufio.NewWriterSize(io.NewOffsetWriter(x.w, directoryStart*sector), chunk)
	n := tables(x.h.Capacity)
	first := directoryStart + directorySectors(n)
	for i := range directorySectors(n) * sector / 4 {
		var e uint32
		if i < n {
			e = uint32(first + i*tableSectors)
		}
		if err := binary.Write(out, binary.LittleEndian, e); err != nil {
			return err
		}
	}
	empty := new([tableEntries]uint32)
	for i := range n {
		t := x.tables[i]
		if t == nil {
			t = empty
		}
		if err := binary.Write(out, binary.LittleEndian, t[:]); err != nil {
			return err
		}
	}
	return out.Flush()
}
