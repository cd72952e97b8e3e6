package gpt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/internal/testtool"
)

const mib = 1 << 20

// disk is a sparse file that can lose its power: writes end after left bytes.
type disk struct {
	*os.File
	left int
}

func (d *disk) WriteAt(p []byte, off int64) (int, error) {
	n := min(len(p), d.left)
	d.left -= n
	if _, err := d.File.WriteAt(p[:n], off); err != nil || n == len(p) {
		return n, err
	}
	return n, errors.New("power cut")
}

func (d *disk) Sync() error { return nil }

func (d *disk) size(t *testing.T) int64 {
	t.Helper()
	st, err := d.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// spoil changes the bytes at an offset; negative counts from the end.
func (d *disk) spoil(t *testing.T, at int64, n int, change func([]byte)) {
	t.Helper()
	if at < 0 {
		at += d.size(t)
	}
	b := make([]byte, n)
	if _, err := d.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	change(b)
	if _, err := d.File.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// image is a disk of size bytes that begins with an image as it ships: ESP, root and hash tree, and the backup table where
// the image ended.
func image(t *testing.T, size, sector int64) *disk {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	m := &disk{f, 1 << 40}
	table := &Table{Sector: sector, sectors: uint64(70 * mib / sector), entries: make([]byte, 128*128), size: 128}
	copy(table.header[:], signature+"\x00\x00\x01\x00\x5c\x00\x00\x00")
	binary.LittleEndian.PutUint64(table.header[atFirstUsable:], uint64(2+128*128/sector))
	binary.LittleEndian.PutUint32(table.header[atCount:], 128)
	binary.LittleEndian.PutUint32(table.header[atEntrySize:], 128)
	table.moveEnd()
	at := uint64(mib / sector)
	for i, p := range []struct {
		kind, name string
		size       int64
	}{{TypeESP, "esp", 16 * mib}, {TypeRoot, "root-a", 48 * mib}, {TypeVerity, "verity-a", 3 * mib}} {
		last := at + uint64(p.size/sector) - 1
		table.put(Partition{i + 1, p.kind, fmt.Sprintf("0000000%d-0000-4000-8000-000000000000", i+1), p.name, at, last})
		at = last + 1
	}
	if err := table.Write(m); err != nil {
		t.Fatal(err)
	}
	m.spoil(t, 446, 66, func(b []byte) { b[4], b[64], b[65] = 0xee, 0x55, 0xaa })
	return m
}

// counter gives GUIDs that are told apart.
func counter() func() []byte {
	n := byte(0)
	return func() []byte {
		n++
		return bytes.Repeat([]byte{n}, 16)
	}
}

func listing(t *Table) string {
	var b strings.Builder
	for _, p := range t.Partitions() {
		fmt.Fprintf(&b, "%d %s %.8s %d+%d MiB\n", p.Number, p.Name, p.GUID, int64(p.First)*t.Sector/mib, int64(p.Sectors())*t.Sector/mib)
	}
	return b.String()
}

func read(t *testing.T, m *disk, sector int64) *Table {
	t.Helper()
	table, err := Read(m, m.size(t), sector)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestGrow(t *testing.T) {
	const grown = `1 esp 04040404 1+16 MiB
2 root-a 00000002 17+48 MiB
3 verity-a 00000003 65+3 MiB
4 _empty 01010101 68+48 MiB
5 _empty 02020202 116+3 MiB
6 state 03030303 119+%d MiB
`
	for _, sector := range []int64{512, 4096} {
		m := image(t, 700*mib, sector)
		table := read(t, m, sector)
		changes, err := table.Grow(counter())
		if err != nil {
			t.Fatal(err)
		}
		if got := listing(table); got != fmt.Sprintf(grown, 580) || len(changes) != 3 {
			t.Errorf("%d changes:\n%s", len(changes), got)
		}
		if err := table.Write(m); err != nil {
			t.Fatal(err)
		}
		again := read(t, m, sector)
		if changes, err := again.Grow(counter()); err != nil || len(changes) != 0 {
			t.Errorf("a table that is complete: %v, %v", changes, err)
		}
		if err := m.Truncate(800 * mib); err != nil { // somebody made the disk larger
			t.Fatal(err)
		}
		larger := read(t, m, sector)
		changes, err = larger.Grow(counter())
		if err != nil || len(changes) != 1 || changes[0].New || changes[0].Number != 6 {
			t.Fatalf("a larger disk: %v, %v", changes, err)
		}
		if got := listing(larger); got != fmt.Sprintf(grown, 680) {
			t.Error(got)
		}
	}
}

// TestSmallDisk: the smallest disk that does, and one that is a MiB less.
func TestSmallDisk(t *testing.T) {
	const enough = 119 + 512 + 1
	if _, err := read(t, image(t, enough*mib, 512), 512).Grow(counter()); err != nil {
		t.Error(err)
	}
	_, err := read(t, image(t, (enough-1)*mib, 512), 512).Grow(counter())
	if want := fmt.Sprintf("the disk has %d MiB and must have", enough-1); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// TestTornWrite: wherever the power goes while the table is written, the next start reads the table of before or the new
// one, and can write it again.
func TestTornWrite(t *testing.T) {
	before := listing(read(t, image(t, 700*mib, 512), 512))
	whole := 2 * (128*128 + headerSize)
	for _, left := range []int{0, 1, 511, 16383, 16384, 16385, 16384 + headerSize, 16384 + headerSize + 1, whole - 16384, whole - headerSize, whole - 1, whole} {
		m := image(t, 700*mib, 512)
		table := read(t, m, 512)
		if _, err := table.Grow(counter()); err != nil {
			t.Fatal(err)
		}
		m.left = left
		if err := table.Write(m); (err == nil) != (left == whole) {
			t.Fatalf("%d bytes: %v", left, err)
		}
		m.left = 1 << 40
		next := read(t, m, 512)
		if got := listing(next); got != before && got != listing(table) {
			t.Errorf("cut off after %d bytes, the disk has\n%s", left, got)
		}
		if _, err := next.Grow(counter()); err != nil {
			t.Errorf("cut off after %d bytes: %v", left, err)
		}
		if err := next.Write(m); err != nil {
			t.Error(err)
		}
	}
}

func TestBadTables(t *testing.T) {
	for name, spoil := range map[string]func(*disk){
		"nothing": func(d *disk) { d.Truncate(0); d.Truncate(80 * mib) },
		"both headers": func(d *disk) {
			d.spoil(t, 512, 40, func(b []byte) { b[30]++ })
			d.spoil(t, 70*mib-512, 512, func(b []byte) { clear(b) })
		},
		"entries":       func(d *disk) { d.spoil(t, 1024, 1, func(b []byte) { b[0]++ }) },
		"endless table": func(d *disk) { d.spoil(t, 512, headerSize, forge(atCount, 1<<31)) },
		"far away":      func(d *disk) { d.spoil(t, 512, headerSize, forge(atEntries, 1<<31)) },
		"tiny entries":  func(d *disk) { d.spoil(t, 512, headerSize, forge(atEntrySize, 1)) },
	} {
		m := image(t, 80*mib, 512)
		spoil(m)
		if _, err := Read(m, m.size(t), 512); err == nil {
			t.Errorf("%s: passes", name)
		}
	}
	m := image(t, 80*mib, 512)
	table := read(t, m, 512)
	clear(table.entry(2))
	if _, err := table.Grow(counter()); err == nil {
		t.Error("a disk without a root was divided")
	}
}

// forge changes a field of a header and its checksum with it.
func forge(at int, v uint32) func([]byte) {
	return func(h []byte) {
		binary.LittleEndian.PutUint32(h[at:], v)
		clear(h[atCRC : atCRC+4])
		binary.LittleEndian.PutUint32(h[atCRC:], crc32.ChecksumIEEE(h))
	}
}

// TestSgdisk: a foreign checker has nothing to say about a table that has grown.
func TestSgdisk(t *testing.T) {
	sgdisk := testtool.Find(t, "sgdisk")
	m := image(t, 700*mib, 512)
	table := read(t, m, 512)
	if _, err := table.Grow(counter()); err != nil {
		t.Fatal(err)
	}
	if err := table.Write(m); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(sgdisk, "--verify", m.Name()).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "No problems found") {
		t.Errorf("%v: %s", err, out)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(make([]byte, 64*512))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if t, err := Read(bytes.NewReader(b), int64(len(b)), 512); err == nil {
			t.Partitions()
			t.Grow(counter())
		}
	})
}
