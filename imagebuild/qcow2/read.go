package qcow2

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
)

// Image is the disk that an image file holds. Its methods may be used from many goroutines at once. It knows where the
// disk has data, so that it can be the source of another image.
type Image struct {
	file        io.ReaderAt
	size        int64 // of the disk
	fileSize    int64
	compression Compression
	l1          []uint64
	decoders    sync.Pool // of *decoder

	mu     sync.Mutex
	tables [8]table // the L2 tables used last
	oldest int
}

type table struct {
	at    int64 // in the file; 0: none
	words []byte
}

// Open reads the header and the L1 table of the image r of size bytes. It needs no more of the image to be sound than
// what is read: use [Check] for the whole. But two parts of the disk never share an L2 table, so that there is no more to
// scan than the file has. Memory: 8 bytes for each 512 MiB of disk, 16 while opening, and 1 MiB.
func Open(r io.ReaderAt, size int64) (*Image, error) {
	h, err := decodeHeader(r)
	if err != nil {
		return nil, fmt.Errorf("opening qcow2: %w", err)
	}
	m := &Image{file: r, size: int64(h.Size), fileSize: size, compression: h.Compression}
	n := l1Entries(m.size)
	if h.L1Offset%clusterSize != 0 || !m.inFile(h.L1Offset, n*8) {
		return nil, fmt.Errorf("opening qcow2: byte 40: L1 table at byte %d is out of place", h.L1Offset)
	}
	if m.l1, err = readWords(r, int64(h.L1Offset), n); err != nil {
		return nil, fmt.Errorf("opening qcow2: reading L1 table: %w", err)
	}
	if at := shared(m.l1); at != 0 {
		return nil, fmt.Errorf("opening qcow2: two parts of the disk share the L2 table at byte %d", at)
	}
	m.decoders.New = func() any { return newDecoder(h.Compression) }
	return m, nil
}

// shared is where an L2 table is that two entries name; 0 if there is none.
func shared(l1 []uint64) uint64 {
	places := make([]uint64, 0, len(l1))
	for _, e := range l1 {
		if at := e & offsetMask; at != 0 {
			places = append(places, at)
		}
	}
	slices.Sort(places)
	for i := 1; i < len(places); i++ {
		if places[i] == places[i-1] {
			return places[i]
		}
	}
	return 0
}

// Size is the disk's, in bytes.
func (m *Image) Size() int64 { return m.size }

// Compression is how the image's compressed clusters are.
func (m *Image) Compression() Compression { return m.compression }

// inFile says whether n bytes at off are within the file and off is not 0, where the header is.
func (m *Image) inFile(off uint64, n int64) bool {
	return off > 0 && n <= m.fileSize && off <= uint64(m.fileSize-n)
}

func readWords(r io.ReaderAt, off, n int64) ([]uint64, error) {
	words := make([]uint64, n)
	b := make([]byte, min(n*8, clusterSize))
	for rest := words; len(rest) > 0; off += int64(len(b)) {
		b = b[:min(len(rest)*8, len(b))]
		if got, err := r.ReadAt(b, off); got < len(b) {
			return nil, fmt.Errorf("reading %d bytes at byte %d: %w", len(b), off, noEOF(err))
		}
		for i := range len(b) / 8 {
			rest[i] = binary.BigEndian.Uint64(b[8*i:])
		}
		rest = rest[len(b)/8:]
	}
	return words, nil
}

// noEOF keeps the end of the image file from passing for the end of the disk.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ReadAt reads the disk. An error names the bytes of the disk and of the file that it is about.
func (m *Image) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("reading disk at byte %d", off)
	}
	done := 0
	for done < len(p) {
		if off >= m.size {
			return done, io.EOF
		}
		in := off % clusterSize
		n := min(int64(len(p)-done), clusterSize-in, m.size-off)
		if err := m.readIn(p[done:done+int(n)], off/clusterSize, in); err != nil {
			return done, fmt.Errorf("reading disk at byte %d: %w", off, err)
		}
		done += int(n)
		off += n
	}
	return done, nil
}

// readIn reads from byte in of a cluster on.
func (m *Image) readIn(p []byte, cluster, in int64) error {
	e, err := m.entry(cluster)
	switch {
	case err != nil:
		return err
	case e&isPacked != 0:
		return m.readPacked(p, e, in)
	case empty(e):
		clear(p)
		return nil
	}
	at := e & offsetMask
	if e&l2Reserved != 0 || at%clusterSize != 0 || !m.inFile(at, clusterSize) {
		return fmt.Errorf("cluster %#x is out of place", e)
	}
	return readAt(m.file, p, int64(at)+in)
}

// empty says whether a plain L2 entry reads as zeros.
func empty(e uint64) bool { return e&readsZero != 0 || e&offsetMask == 0 }

func readAt(r io.ReaderAt, p []byte, off int64) error {
	if n, err := r.ReadAt(p, off); n < len(p) {
		return fmt.Errorf("reading %d bytes at byte %d of the file: %w", len(p), off, noEOF(err))
	}
	return nil
}

func (m *Image) readPacked(p []byte, e uint64, in int64) error {
	start, end := packedSpan(e)
	if e&copied != 0 || start < clusterSize || start >= m.fileSize {
		return fmt.Errorf("compressed cluster %#x is out of place", e)
	}
	d := m.decoders.Get().(*decoder)
	defer m.decoders.Put(d)
	all, err := d.cluster(m.file, start, min(end, m.fileSize))
	if err != nil {
		return fmt.Errorf("decoding %s cluster at byte %d of the file: %w", m.compression, start, err)
	}
	copy(p, all[in:])
	return nil
}

// entry is the L2 entry of a cluster of the disk.
func (m *Image) entry(cluster int64) (uint64, error) {
	words, err := m.l2(cluster / perL2)
	if words == nil || err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(words[cluster%perL2*8:]), nil
}

// l2 is the L2 table of an L1 entry, nil if there is none. Nobody writes to it.
func (m *Image) l2(i int64) ([]byte, error) {
	e := m.l1[i]
	at := e & offsetMask
	if e == 0 {
		return nil, nil
	}
	if e&l1Reserved != 0 || at%clusterSize != 0 || !m.inFile(at, clusterSize) {
		return nil, fmt.Errorf("L2 table %#x is out of place", e)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.tables {
		if t.at == int64(at) {
			return t.words, nil
		}
	}
	words := make([]byte, clusterSize)
	if err := readAt(m.file, words, int64(at)); err != nil {
		return nil, err
	}
	m.tables[m.oldest] = table{int64(at), words}
	m.oldest = (m.oldest + 1) % len(m.tables)
	return words, nil
}

// Data gives the next extent [start, end) of the disk with data at or after off, in whole clusters; io.EOF when only
// zeros are left.
func (m *Image) Data(off int64) (start, end int64, err error) {
	first, err := m.find(max(off, 0)/clusterSize, true)
	if err != nil {
		return 0, 0, err
	}
	if start = max(off, first*clusterSize); start >= m.size {
		return 0, 0, io.EOF
	}
	// An extent ends with its L2 table at the latest, so that finding it never takes long.
	last, err := m.find(first, false)
	return start, min(last*clusterSize, m.size), err
}

// find is the first cluster, at or after one, that has data, or that has none or begins another L2 table. It is past the
// disk's end if there is none.
func (m *Image) find(cluster int64, data bool) (int64, error) {
	from := cluster
	for ; cluster*clusterSize < m.size; cluster++ {
		words, err := m.l2(cluster / perL2)
		if err != nil {
			return 0, fmt.Errorf("finding data at byte %d: %w", cluster*clusterSize, err)
		}
		if words == nil {
			if !data {
				return cluster, nil
			}
			cluster |= perL2 - 1
			continue
		}
		e := binary.BigEndian.Uint64(words[cluster%perL2*8:])
		if (e&isPacked != 0 || !empty(e)) == data || !data && cluster > from && cluster%perL2 == 0 {
			return cluster, nil
		}
	}
	return cluster, nil
}
