package vmdk

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
)

// cursor reads the tables and grains of a disk, and keeps the last of each, so that reading on costs nothing more.
type cursor struct {
	d         *Disk
	directory []byte // one sector of it
	dirPart   int64  // which; -1 none
	table     []byte
	tableNo   int64 // -1 none
	hole      bool  // the table is not in the file
	grain     []byte
	grainNo   int64 // -1 none
	inflate   inflater
}

func newCursor(d *Disk) *cursor {
	return &cursor{
		d: d, dirPart: -1, tableNo: -1, grainNo: -1,
		directory: make([]byte, sector), table: make([]byte, tableSectors*sector), grain: make([]byte, d.grain),
	}
}

// zeroEntry is the table entry of a grain of zeros.
const zeroEntry = 1

// at is grain i, nil if it is a hole.
func (c *cursor) at(i int64) ([]byte, error) {
	if c.grainNo == i {
		return c.grain, nil
	}
	place, err := c.place(i)
	if err != nil || place == 0 {
		return nil, err
	}
	c.grainNo = -1
	if err := c.load(i, int64(place)*sector); err != nil {
		return nil, fmt.Errorf("grain at byte %d of the file: %w", place*sector, err)
	}
	c.grainNo = i
	return c.grain, nil
}

// load reads and inflates grain i, whose marker is at byte off of the file.
func (c *cursor) load(i, off int64) error {
	d := c.d
	b := make([]byte, markerSize+4)
	if err := readAt(d.r, d.size, b[:markerSize], off); err != nil {
		return err
	}
	m := decodeMarker(b)
	if m.Value != uint64(i)*d.h.GrainSize || m.Length == 0 {
		return fmt.Errorf("its marker is for sector %d of the disk, with %d bytes, and not for sector %d", m.Value, m.Length, uint64(i)*d.h.GrainSize)
	}
	if int64(m.Length) > maxLength(d.grain) {
		return fmt.Errorf("its marker has %d bytes for a grain of %d", m.Length, d.grain)
	}
	packed := c.inflate.room(int(m.Length))
	if err := readAt(d.r, d.size, packed, off+markerSize); err != nil {
		return err
	}
	n, _, err := c.inflate.run(c.grain, packed)
	if want := min(d.grain, d.Size()-i*d.grain); err == nil && int64(n) < want {
		err = fmt.Errorf("it inflates to %d bytes instead of %d", n, want)
	}
	clear(c.grain[n:])
	return err
}

// maxLength is the most bytes that a compressor may need for a grain: stored blocks, even tiny ones, stay below.
func maxLength(grain int64) int64 { return grain + grain/8 + 128 }

// place is the sector of grain i's marker, 0 for a hole.
func (c *cursor) place(i int64) (uint64, error) {
	if err := c.seek(i / tableEntries); err != nil || c.hole {
		return 0, err
	}
	e := entry(c.table, int(i%tableEntries))
	if e == zeroEntry {
		e = 0
	}
	return e, nil
}

// seek loads grain table t.
func (c *cursor) seek(t int64) error {
	const per = sector / 4
	d := c.d
	if c.tableNo == t {
		return nil
	}
	if part := t / per; c.dirPart != part {
		c.dirPart = -1
		off := int64(d.h.DirectoryOffset)*sector + part*sector
		if err := readAt(d.r, d.size, c.directory[:min(sector, d.size-off)], off); err != nil {
			return fmt.Errorf("grain directory: %w", err)
		}
		c.dirPart = part
	}
	e := entry(c.directory, int(t%per))
	if c.hole = e == 0; !c.hole {
		c.tableNo = -1
		if err := readAt(d.r, d.size, c.table, int64(e)*sector); err != nil {
			return fmt.Errorf("grain table %d: %w", t, err)
		}
	}
	c.tableNo = t
	return nil
}

// next is the first grain at or after i that is in the file, or is not; io.EOF if there is none.
func (c *cursor) next(i int64, stored bool) (int64, error) {
	for end := c.d.grains(); i < end; i++ {
		place, err := c.place(i)
		if err != nil {
			return 0, fmt.Errorf("reading VMDK: %w", err)
		}
		if (place != 0) == stored {
			return i, nil
		}
		if c.hole {
			i |= tableEntries - 1 // the table's last
		}
	}
	return 0, io.EOF
}

// inflater is a zlib reader and its buffer, for one grain after the other.
type inflater struct {
	packed []byte
	z      io.ReadCloser
}

// room is n bytes for what is to be inflated.
func (f *inflater) room(n int) []byte {
	if cap(f.packed) < n {
		f.packed = make([]byte, n)
	}
	return f.packed[:n]
}

// run inflates packed into out: n bytes of it are filled and rest bytes of packed are not part of the stream. A stream
// that holds more than out is an error.
func (f *inflater) run(out, packed []byte) (n, rest int, err error) {
	in := bytes.NewReader(packed)
	if f.z == nil {
		f.z, err = zlib.NewReader(in)
	} else {
		err = f.z.(zlib.Resetter).Reset(in, nil)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("inflating: %w", err)
	}
	for n < len(out) && err == nil {
		var k int
		k, err = f.z.Read(out[n:])
		n += k
	}
	if err == nil {
		err = f.stop()
	}
	if !errors.Is(err, io.EOF) {
		return n, in.Len(), fmt.Errorf("inflating: %w", err)
	}
	return n, in.Len(), nil
}

// stop reads on from a full grain, where the stream must end; io.EOF if it does, with the right checksum.
func (f *inflater) stop() error {
	for {
		var more [1]byte
		n, err := f.z.Read(more[:])
		if n > 0 {
			return errors.New("there is more than a grain")
		}
		if err != nil {
			return err
		}
	}
}
