package esp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf16"
)

// Entry is one file of a file system that was read. It stays readable as long as the source is.
type Entry struct {
	Path   string
	Size   int64
	Offset int64 // of its first byte in the file system; 0 if it is empty
	*io.SectionReader
}

// Volume is a file system that was read.
type Volume struct {
	Label    string
	VolumeID uint32
	Files    []Entry // sorted by path
}

// Limits of what is read into memory: far above what [Write] makes of a boot loader and some kernels.
const (
	maxClusters = 2 << 20 // 8 GiB of 4 KiB each
	maxDepth    = 16
	maxFiles    = 4096
	maxFolder   = 2 << 20 // bytes: FAT's own limit, 65536 entries
	maxLongName = 3 * 255 // bytes: FAT's own limit, in UTF-8
)

// Read reads the file system at the start of r and checks it on the way: boot sector and backup, both FATs,
// chains and directory entries. It reads no file's content, and refuses what is larger than such a partition needs to be.
func Read(r io.ReaderAt) (*Volume, error) {
	v, err := read(r)
	if err != nil {
		return nil, fmt.Errorf("reading EFI system partition: %w", err)
	}
	return v, nil
}

func read(r io.ReaderAt) (*Volume, error) {
	var boot bootSector
	head := make([]byte, reservedSectors*sectorSize)
	if _, err := r.ReadAt(head, 0); err != nil {
		return nil, fmt.Errorf("reading boot sector: %w", err)
	}
	if _, err := binary.Decode(head, binary.LittleEndian, &boot); err != nil {
		return nil, fmt.Errorf("decoding boot sector: %w", err)
	}
	g, err := boot.geometry()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(head[:sectorSize], head[backupSector*sectorSize:(backupSector+1)*sectorSize]) {
		return nil, fmt.Errorf("boot sector and its backup at byte %d differ", backupSector*sectorSize)
	}
	fat, err := readFAT(r, g)
	if err != nil {
		return nil, err
	}
	v := &Volume{VolumeID: boot.VolumeID}
	if err := (&reader{r, g, fat, make([]bool, len(fat)), v}).folder("", rootCluster, 0); err != nil {
		return nil, err
	}
	slices.SortFunc(v.Files, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return v, nil
}

// readFAT returns the first FAT's entries after comparing it with the second.
func readFAT(r io.ReaderAt, g geometry) ([]uint32, error) {
	fat := make([]uint32, g.clusters+rootCluster)
	var both [fatCount][64 << 10]byte
	for done := 0; done < len(fat); {
		n := min(4*(len(fat)-done), len(both[0]))
		for i := range both {
			at := (reservedSectors+int64(i)*int64(g.fatSectors))*sectorSize + 4*int64(done)
			if _, err := r.ReadAt(both[i][:n], at); err != nil {
				return nil, fmt.Errorf("reading FAT at byte %d: %w", at, err)
			}
		}
		for i := range n {
			if both[0][i] != both[1][i] {
				return nil, fmt.Errorf("the two FATs differ at entry %d, byte %d", done+i/4, reservedSectors*sectorSize+4*done+i)
			}
		}
		for i := range n / 4 {
			fat[done+i] = binary.LittleEndian.Uint32(both[0][4*i:])
		}
		done += n / 4
	}
	return fat, nil
}

type reader struct {
	r    io.ReaderAt
	g    geometry
	fat  []uint32
	used []bool
	v    *Volume
}

// chain returns the clusters that start at first, and refuses loops and clusters that belong to something else.
func (d *reader) chain(first uint32) (extent, error) {
	x := extent{r: d.r, g: d.g}
	for n := first; ; {
		if n < rootCluster || int64(n) >= int64(len(d.fat)) {
			return x, fmt.Errorf("cluster %d is out of range", n)
		}
		if d.used[n] {
			return x, fmt.Errorf("cluster %d is used twice", n)
		}
		d.used[n] = true
		x.clusters = append(x.clusters, n)
		if n = d.fat[n] & endOfChain; n >= 0x0ffffff8 {
			return x, nil
		}
	}
}

func (d *reader) folder(path string, first uint32, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("folder %q is nested too deep", path)
	}
	x, err := d.chain(first)
	if err != nil {
		return fmt.Errorf("folder %q: %w", path, err)
	}
	if x.size() > maxFolder {
		return fmt.Errorf("folder %q has %d bytes, more than %d", path, x.size(), maxFolder)
	}
	b := make([]byte, x.size())
	if _, err := x.ReadAt(b, 0); err != nil {
		return fmt.Errorf("folder %q: %w", path, err)
	}
	var long string
	for ; len(b) >= entrySize && b[0] != 0; b = b[entrySize:] {
		if e := b[:entrySize]; e[0] == 0xe5 || e[0] == '.' {
			long = ""
		} else if e[11]&attrLong == attrLong {
			if long = longPiece(e) + long; len(long) > maxLongName {
				return fmt.Errorf("folder %q: there is a name of more than 255 letters", path)
			}
		} else {
			if err := d.entry(path, long, e, depth); err != nil {
				return err
			}
			long = ""
		}
	}
	return nil
}

func (d *reader) entry(path, long string, e []byte, depth int) error {
	if e[11]&attrLabel != 0 {
		d.v.Label = strings.TrimRight(string(e[:11]), " ")
		return nil
	}
	name := long
	if name == "" {
		name = unpack(e)
	}
	name = strings.TrimPrefix(path+"/"+name, "/")
	first := uint32(binary.LittleEndian.Uint16(e[20:]))<<16 | uint32(binary.LittleEndian.Uint16(e[26:]))
	if e[11]&attrFolder != 0 {
		return d.folder(name, first, depth+1)
	}
	size := int64(binary.LittleEndian.Uint32(e[28:]))
	x := extent{r: d.r, g: d.g}
	if size > 0 {
		var err error
		if x, err = d.chain(first); err != nil {
			return fmt.Errorf("file %q: %w", name, err)
		}
	}
	if d.g.clustersFor(size) != int64(len(x.clusters)) {
		return fmt.Errorf("file %q: %d bytes in %d clusters of %d bytes", name, size, len(x.clusters), d.g.clusterSize())
	}
	found := Entry{Path: name, Size: size, SectionReader: io.NewSectionReader(x, 0, size)}
	if size > 0 {
		found.Offset = d.g.offset(first)
	}
	if d.v.Files = append(d.v.Files, found); len(d.v.Files) > maxFiles {
		return fmt.Errorf("there are more than %d files", maxFiles)
	}
	return nil
}

// unpack returns the short name of an entry, such as BOOTX64.EFI.
func unpack(e []byte) string {
	name := strings.TrimRight(string(e[:8]), " ")
	if ext := strings.TrimRight(string(e[8:11]), " "); ext != "" {
		name += "." + ext
	}
	return name
}

func longPiece(e []byte) string {
	var units []uint16
	for _, at := range unitOffsets() {
		u := binary.LittleEndian.Uint16(e[at:])
		if u == 0 || u == 0xffff {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}

// extent reads a chain of clusters as one piece.
type extent struct {
	r        io.ReaderAt
	g        geometry
	clusters []uint32
}

func (x extent) size() int64 { return int64(len(x.clusters)) * x.g.clusterSize() }

// ReadAt implements io.ReaderAt.
func (x extent) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	done := 0
	for done < len(p) {
		at := off + int64(done)
		if at >= x.size() {
			return done, io.EOF
		}
		i, within := at/x.g.clusterSize(), at%x.g.clusterSize()
		run := x.run(i)
		part := p[done:min(len(p), done+int(run*x.g.clusterSize()-within))]
		n, err := x.r.ReadAt(part, x.g.offset(x.clusters[i])+within)
		done += n
		if n < len(part) {
			return done, err
		}
	}
	return done, nil
}

// run returns how many clusters from index i on lie side by side, up to 1 MiB or so.
func (x extent) run(i int64) int64 {
	n := int64(1)
	for n < 256 && i+n < int64(len(x.clusters)) && x.clusters[i+n] == x.clusters[i]+uint32(n) {
		n++
	}
	return n
}
