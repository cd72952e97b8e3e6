package esp

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Write writes a file system with files to w, from offset 0 on, and leaves out what is zero: the target must read
// as zeros before. The same arguments give the same bytes.
func Write(w io.WriterAt, o Options, files []File) error {
	if err := write(w, o, files); err != nil {
		return fmt.Errorf("writing EFI system partition: %w", err)
	}
	return nil
}

func write(w io.WriterAt, o Options, files []File) error {
	g, err := newGeometry(o.Size)
	if err != nil {
		return err
	}
	root, next, err := plan(g, files)
	if err != nil {
		return err
	}
	date, clock, err := dosTime(o.Time)
	if err != nil {
		return err
	}
	if err := writeHead(w, g, o, next); err != nil {
		return err
	}
	if err := writeFATs(w, g, root, next); err != nil {
		return err
	}
	stamp := stamp{date, clock}
	if err := writeFolder(w, g, root, nil, o.Label, stamp); err != nil {
		return err
	}
	return root.walk(func(n *node) error {
		if n.file != nil {
			return writeFile(w, g, n)
		}
		return nil
	})
}

// writeHead writes the boot sector and FSInfo, and the backup of both.
func writeHead(w io.WriterAt, g geometry, o Options, next uint32) error {
	free := g.clusters + rootCluster - next
	b, err := binary.Append(nil, binary.LittleEndian, newBootSector(g, o))
	if err != nil {
		return fmt.Errorf("encoding boot sector: %w", err)
	}
	b, err = binary.Append(b, binary.LittleEndian, newInfoBlock(free, min(next, g.clusters+1)))
	if err != nil {
		return fmt.Errorf("encoding FSInfo: %w", err)
	}
	for _, sector := range []int64{0, backupSector} {
		if _, err := w.WriteAt(b, sector*sectorSize); err != nil {
			return err
		}
	}
	return nil
}

// writeFATs writes both FATs up to the last used entry.
func writeFATs(w io.WriterAt, g geometry, root *node, next uint32) error {
	entries := make([]uint32, next)
	entries[0], entries[1] = 0x0fffff00|mediaDisk, endOfChain
	err := root.walk(func(n *node) error {
		for i := range n.clusters {
			entries[n.first+i] = n.first + i + 1
		}
		if n.clusters > 0 {
			entries[n.first+n.clusters-1] = endOfChain
		}
		return nil
	})
	if err != nil {
		return err
	}
	b, err := binary.Append(nil, binary.LittleEndian, entries)
	if err != nil {
		return fmt.Errorf("encoding FAT: %w", err)
	}
	for i := range int64(fatCount) {
		if _, err := w.WriteAt(b, (reservedSectors+i*int64(g.fatSectors))*sectorSize); err != nil {
			return err
		}
	}
	return nil
}

// writeFolder writes the directory entries of n and of all folders below.
func writeFolder(w io.WriterAt, g geometry, n, parent *node, label string, at stamp) error {
	var b []byte
	if parent == nil {
		b = append(b, at.labelEntry(label)...)
	} else {
		b = append(b, at.entry(dotName("."), attrFolder, n.first, 0)...)
		up := parent.first
		if up == rootCluster {
			up = 0 // "..": the root counts as cluster 0
		}
		b = append(b, at.entry(dotName(".."), attrFolder, up, 0)...)
	}
	for _, c := range n.children {
		b = append(b, longBytes(c.name, c.short)...)
		if c.file != nil {
			b = append(b, at.entry(c.short, attrArchive, c.first, uint32(c.file.Size))...)
			continue
		}
		b = append(b, at.entry(c.short, attrFolder, c.first, 0)...)
		if err := writeFolder(w, g, c, n, label, at); err != nil {
			return err
		}
	}
	_, err := w.WriteAt(b, g.offset(n.first))
	return err
}

func writeFile(w io.WriterAt, g geometry, n *node) error {
	if n.file.Size == 0 {
		return nil
	}
	to := io.NewOffsetWriter(w, g.offset(n.first))
	from := io.NewSectionReader(n.file.Data, 0, n.file.Size)
	done, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, 1<<20))
	if err == nil && done < n.file.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("copying %q: %w", n.file.Path, err)
	}
	return nil
}
