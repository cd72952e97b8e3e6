package vmdk

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"sync"
	"testing"
)

func TestReadAtAnywhere(t *testing.T) {
	image := randomImage(seeded(9), align)
	file, _ := mustWrite(t, image)
	d, err := Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range uint64(4) {
		wg.Go(func() {
			r := seeded(i)
			for range 50 {
				off := r.IntN(len(image))
				p := make([]byte, r.IntN(3*grainSize))
				n, err := d.ReadAt(p, int64(off))
				want := image[off:min(off+len(p), len(image))]
				if !bytes.Equal(p[:n], want) || (n < len(p)) != (err == io.EOF) || err != nil && err != io.EOF {
					t.Errorf("%d bytes at %d: %d, %v", len(p), off, n, err)
				}
			}
		})
	}
	wg.Wait()
	if n, err := d.ReadAt(make([]byte, 1), d.Size()); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if _, err := d.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset was accepted")
	}
}

// foreign is a file with grains of another size, tables in odd places, a zero grain and a short last one.
func foreign(t *testing.T) ([]byte, []byte) {
	t.Helper()
	const perGrain = 8 // sectors
	image := make([]byte, 5*perGrain*sector-2*sector)
	noise(seeded(1), image[perGrain*sector:])
	clear(image[2*perGrain*sector : 3*perGrain*sector])
	h := newHeader(uint64(len(image) / sector))
	h.Version, h.GrainSize, h.Flags, h.DirectoryOffset, h.Overhead = 1, perGrain, flags|flagZeroGrain, 3, 8
	b := append(mustEncode(t, h), make([]byte, 7*sector)...)
	binary.LittleEndian.PutUint32(b[3*sector:], 4)
	table := b[4*sector:]
	binary.LittleEndian.PutUint32(table[4*2:], zeroEntry)
	for _, i := range []int{4, 1, 3} {
		binary.LittleEndian.PutUint32(table[4*i:], uint32(len(b)/sector))
		g := appendStored(make([]byte, markerSize), image[i*perGrain*sector:min((i+1)*perGrain*sector, len(image))])
		putMarker(g, uint64(i*perGrain), len(g)-markerSize)
		b = append(append(b, g...), make([]byte, -len(g)&(sector-1))...)
		table = b[4*sector:]
	}
	return b, image
}

func TestForeignFile(t *testing.T) {
	b, image := foreign(t)
	got, err := content(b)
	if err != nil || !bytes.Equal(got, image) {
		t.Errorf("content differs, %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := good(t)["front"]
	for name, c := range map[string]struct {
		off   int
		value uint64
		size  int
		want  string
	}{
		"other file":       {0, 0x1234, 4, `it starts with "4\x12\x00\x00", not "KDMV"`},
		"version":          {4, 4, 4, "version 4: 1 to 3 can be read"},
		"sparse":           {8, 3, 4, "only streamOptimized files can be read\nhint: "},
		"compression":      {77, 0, 2, "only streamOptimized"},
		"no capacity":      {12, 0, 8, "capacity of 0 sectors"},
		"huge":             {12, 1 << 60, 8, "capacity of 1152921504606846976 sectors is out of range"},
		"tiny grains":      {20, 4, 8, "grains of 4 sectors"},
		"huge grains":      {20, 1 << 20, 8, "grains of 1048576 sectors"},
		"odd grains":       {20, 129, 8, "grains of 129 sectors"},
		"entries":          {44, 1 << 31, 4, "2147483648 entries in a grain table"},
		"directory":        {56, 1 << 31, 8, "before its grain directory at sector 2147483648 does"},
		"wide directory":   {12, 62 << 31, 8, "before its grain directory"},
		"footer elsewhere": {56, atEnd, 8, "reading footer"},
	} {
		b := bytes.Clone(file)
		var v [8]byte
		binary.LittleEndian.PutUint64(v[:], c.value)
		copy(b[c.off:], v[:c.size])
		if _, err := Open(bytes.NewReader(b), int64(len(b))); err == nil || !strings.HasPrefix(err.Error(), "opening VMDK: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for _, n := range []int{0, 1, sector - 1, sector} {
		if _, err := Open(bytes.NewReader(file[:n]), int64(n)); err == nil {
			t.Errorf("%d bytes were opened", n)
		}
	}
	back := good(t)["back"]
	copy(back[len(back)-2*sector+56:], bytes.Repeat([]byte{0xff}, 8))
	if _, err := Open(bytes.NewReader(back), int64(len(back))); err == nil || !strings.Contains(err.Error(), "the footer has no place") {
		t.Errorf("footer without directory: %v", err)
	}
}

func TestReadFindsDamage(t *testing.T) {
	file := good(t)["front"]
	at := place(file, 5)
	for name, c := range map[string]struct {
		off  int
		want string
	}{
		"place":    {at, "its marker is for sector 641 of the disk"},
		"length":   {at + 11, "its marker has 16"},
		"data":     {at + markerSize + 30, "inflating: "},
		"table":    {22*sector + 4*5 + 3, "the file ends at byte"},
		"no table": {directoryStart*sector + 3, "grain table 0: the file ends"},
	} {
		b := bytes.Clone(file)
		b[c.off] ^= 1
		d, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.ReadAt(make([]byte, 10), 5*grainSize); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "reading VMDK at byte 327680 of the disk: ") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
