package vmdk

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// Disk is the content of a VMDK. It is a [Source]: what the file does not hold is a hole. Its methods may be called from
// many goroutines at once.
type Disk struct {
	r       io.ReaderAt
	size    int64 // of the file
	h       header
	grain   int64     // bytes
	cursors sync.Pool // of *cursor
}

// Open reads the header of the VMDK in the first size bytes of r. It takes every streamOptimized file, whoever wrote it:
// versions 1 to 3, tables at the front or at the end, grains from 4 KiB to 1 MiB. Content is checked as it is read.
func Open(r io.ReaderAt, size int64) (*Disk, error) {
	h, err := readHeader(r, size, 0)
	if err == nil && h.DirectoryOffset == atEnd {
		h, err = readFooter(r, size)
	}
	if err == nil {
		err = h.check(size)
	}
	if err == nil {
		err = h.checkRoom(r, size)
	}
	if err != nil {
		return nil, fmt.Errorf("opening VMDK: %w", err)
	}
	d := &Disk{r: r, size: size, h: h, grain: int64(h.GrainSize) * sector}
	d.cursors.New = func() any { return newCursor(d) }
	return d, nil
}

func readHeader(r io.ReaderAt, size, off int64) (header, error) {
	b := make([]byte, sector)
	if err := readAt(r, size, b, off); err != nil {
		return header{}, fmt.Errorf("reading header: %w", err)
	}
	return decodeHeader(b)
}

// readFooter reads the second header, which is the last sector but one.
func readFooter(r io.ReaderAt, size int64) (header, error) {
	h, err := readHeader(r, size, size/sector*sector-2*sector)
	if err == nil && h.DirectoryOffset == atEnd {
		err = errors.New("the footer has no place of the grain directory")
	}
	if err != nil {
		return h, fmt.Errorf("reading footer: %w", err)
	}
	return h, nil
}

// readAt fills p from off on, within the first size bytes of r.
func readAt(r io.ReaderAt, size int64, p []byte, off int64) error {
	if off < 0 || off > size || int64(len(p)) > size-off {
		return fmt.Errorf("the file ends at byte %d, before %d bytes at %d: %w", size, len(p), off, io.ErrUnexpectedEOF)
	}
	if n, err := r.ReadAt(p, off); n < len(p) {
		return fmt.Errorf("reading byte %d: %w", off+int64(n), err)
	}
	return nil
}

// Grains of other programs, in sectors.
const (
	minGrain = 8
	maxGrain = 2048
)

// check refuses what cannot be read, so that nothing below needs to look at a number of the header again.
func (h header) check(size int64) error {
	span := h.GrainSize * tableEntries
	switch {
	case h.Version < 1 || h.Version > version:
		return fmt.Errorf("version %d: 1 to 3 can be read", h.Version)
	case h.Flags&(flagCompressed|flagMarkers) != flagCompressed|flagMarkers || h.Compression != deflate:
		return fmt.Errorf("flags %#x and compression %d: only streamOptimized files can be read\nhint: convert it with qemu-img convert -O raw", h.Flags, h.Compression)
	case h.Capacity == 0 || h.Capacity > maxSectors:
		return fmt.Errorf("capacity of %d sectors is out of range", h.Capacity)
	case h.GrainSize < minGrain || h.GrainSize > maxGrain || h.GrainSize&(h.GrainSize-1) != 0:
		return fmt.Errorf("grains of %d sectors are out of range", h.GrainSize)
	case h.TableEntries != tableEntries:
		return fmt.Errorf("%d entries in a grain table: only %d can be read", h.TableEntries, tableEntries)
	case h.DirectoryOffset > maxFile || int64(h.DirectoryOffset)*sector+int64(ceil(h.Capacity, span)*4) > size:
		return fmt.Errorf("the file ends at byte %d, before its grain directory at sector %d does", size, h.DirectoryOffset)
	}
	return nil
}

// checkRoom counts the grain tables that the directory names and refuses more than the file has room for: some of them
// would be the same, and a small file could say of each grain of a huge disk that it is there.
func (h header) checkRoom(r io.ReaderAt, size int64) error {
	left := int64(ceil(h.Capacity, h.GrainSize*tableEntries)) * 4
	b := make([]byte, min(left, readAhead))
	found := int64(0)
	for off := int64(h.DirectoryOffset) * sector; left > 0; off += int64(len(b)) {
		b = b[:min(left, int64(len(b)))]
		if err := readAt(r, size, b, off); err != nil {
			return fmt.Errorf("reading grain directory: %w", err)
		}
		for i := range len(b) / 4 {
			if entry(b, i) != 0 {
				found++
			}
		}
		left -= int64(len(b))
	}
	if found > size/(tableSectors*sector) {
		return fmt.Errorf("a file of %d bytes has no room for %d grain tables", size, found)
	}
	return nil
}

// Size is the capacity of the disk, in bytes.
func (d *Disk) Size() int64 { return int64(d.h.Capacity) * sector }

// ReadAt reads the disk. A damaged grain is an error that names its place in the file.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("reading VMDK: negative offset %d", off)
	}
	c := d.cursors.Get().(*cursor)
	defer d.cursors.Put(c)
	done := 0
	for done < len(p) && off < d.Size() {
		b, err := c.at(off / d.grain)
		if err != nil {
			return done, fmt.Errorf("reading VMDK at byte %d of the disk: %w", off, err)
		}
		n := int(min(d.grain-off%d.grain, d.Size()-off, int64(len(p)-done)))
		if b == nil {
			clear(p[done : done+n])
		} else {
			copy(p[done:done+n], b[off%d.grain:])
		}
		done, off = done+n, off+int64(n)
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// Data gives the next extent [start, end) of whole grains that are in the file, at or after off; io.EOF if there is none.
func (d *Disk) Data(off int64) (start, end int64, err error) {
	c := d.cursors.Get().(*cursor)
	defer d.cursors.Put(c)
	first, err := c.next(max(0, off)/d.grain, true)
	if err != nil {
		return 0, 0, err
	}
	after, err := c.next(first, false)
	if errors.Is(err, io.EOF) {
		after, err = d.grains(), nil
	}
	return max(off, first*d.grain), min(after*d.grain, d.Size()), err
}

// grains is how many the disk has, the last one perhaps not whole.
func (d *Disk) grains() int64 { return int64(ceil(d.h.Capacity, d.h.GrainSize)) }
