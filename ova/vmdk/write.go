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

// Write writes the image in src to w, from offset 0 on. The header comes last: what a failed Write leaves is no VMDK.
// Memory is a few MiB, whatever the size of the disk.
func Write(ctx context.Context, w io.WriterAt, src Source, o Options) (Info, error) {
	size := src.Size()
	if size <= 0 || size > maxSectors*sector {
		return Info{}, fmt.Errorf("writing VMDK: an image of %d bytes: it must have at least 1 byte and at most 62 TiB", size)
	}
	x := newWriter(w, uint64(Capacity(size)/sector))
	err := x.writeDirectory()
	if err == nil {
		err = grain.Each(ctx, src, grain.Options{Size: grainSize, Workers: o.Workers, NewEncoder: newEncoder}, func(g grain.Grain) error {
			return x.grain(ctx, g)
		})
	}
	if err == nil {
		err = x.finish(ctx)
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
	tables *bufio.Writer // of the directory and all grain tables, which are in order, too
	table  [tableEntries]uint32
	at     uint64 // which one table is
	hash   contentHash
	info   Info
}

func newWriter(w io.WriterAt, capacity uint64) *writer {
	h := newHeader(capacity)
	return &writer{
		w: w, h: h, next: h.Overhead,
		grains: bufio.NewWriterSize(io.NewOffsetWriter(w, int64(h.Overhead)*sector), chunk),
		tables: bufio.NewWriterSize(io.NewOffsetWriter(w, directoryStart*sector), readAhead),
		hash:   newContentHash(capacity),
		info:   Info{Capacity: int64(capacity) * sector},
	}
}

// grain writes and records one grain.
func (x *writer) grain(ctx context.Context, g grain.Grain) error {
	digest, sectors := split(g.Encoded)
	n := uint64(len(sectors) / sector)
	if x.next+n > maxFile {
		return errors.New("the file would have more than 2 TiB, and the format cannot tell where that is")
	}
	binary.LittleEndian.PutUint64(sectors, uint64(g.Index)*grainSectors)
	if _, err := x.grains.Write(sectors); err != nil {
		return fmt.Errorf("writing grains up to byte %d: %w", x.next*sector, err)
	}
	if err := x.tablesUpTo(ctx, uint64(g.Index)/tableEntries); err != nil {
		return err
	}
	x.table[g.Index%tableEntries] = uint32(x.next)
	x.hash.add(g.Index, digest)
	x.next += n
	x.info.Populated += grainSize
	return nil
}

// finish writes the end of the file, the rest of the tables, and then its front.
func (x *writer) finish(ctx context.Context) error {
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
	if err := x.tablesUpTo(ctx, tables(x.h.Capacity)); err != nil {
		return err
	}
	if err := x.tables.Flush(); err != nil {
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

// writeDirectory writes the grain directory: all tables follow it without a gap.
func (x *writer) writeDirectory() error {
	n := tables(x.h.Capacity)
	first := directoryStart + directorySectors(n)
	for i := range directorySectors(n) * sector / 4 {
		var e uint32
		if i < n {
			e = uint32(first + i*tableSectors)
		}
		if err := binary.Write(x.tables, binary.LittleEndian, e); err != nil {
			return fmt.Errorf("writing grain directory: %w", err)
		}
	}
	return nil
}

// tablesUpTo writes all tables before one: no grain of theirs comes any more.
func (x *writer) tablesUpTo(ctx context.Context, table uint64) error {
	for ; x.at < table; x.at++ {
		if err := ctx.Err(); err != nil { // the tables of a large hole are many
			return err
		}
		if err := binary.Write(x.tables, binary.LittleEndian, x.table[:]); err != nil {
			return fmt.Errorf("writing grain tables: %w", err)
		}
		clear(x.table[:])
	}
	return nil
}
