package qcow2

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// places of the tables in the image that small makes
const (
	l1At    = 1 * clusterSize
	plainAt = 3 * clusterSize // the clusters' data: compressed from 2, plain at 3
	l2At    = 4 * clusterSize
	tableAt = 5 * clusterSize
	blockAt = 6 * clusterSize
	smallAt = 7 * clusterSize // its end
)

// small is an image of a disk of five clusters: two of text, noise, zeros and text.
func small(t testing.TB, c Compression) (raw, image []byte) {
	raw = make([]byte, 5*clusterSize)
	for i := range 2 * clusterSize {
		raw[i] = byte(i / 100)
	}
	copy(raw[2*clusterSize:], noise())
	copy(raw[4*clusterSize:], "the end")
	image = mustWrite(t, raw, Options{Compression: c})
	if len(image) != smallAt || word(image, l1At)&offsetMask != l2At || word(image, l2At+16)&offsetMask != plainAt {
		t.Fatal("the small image is laid out in another way:\n" + fmt.Sprint(len(image), word(image, l1At), word(image, l2At+16)))
	}
	return raw, image
}

func noise() []byte {
	b := make([]byte, clusterSize)
	rand.NewChaCha8([32]byte{5}).Read(b)
	return b
}

// TestFindings damages the small image, and wants exactly one sort of finding or error.
func TestFindings(t *testing.T) {
	_, good := small(t, Zlib)
	packed := word(good, l2At)
	for name, c := range map[string]struct {
		damage func(b []byte)
		want   string
	}{
		"magic":             {func(b []byte) { b[3] = 0 }, "byte 0: not a qcow2 image"},
		"crypt":             {func(b []byte) { b[35] = 2 }, "byte 32: encrypted by method 2"},
		"sectors":           {func(b []byte) { b[31] = 1 }, "byte 24: a disk of 327681 bytes is not of whole sectors"},
		"too large":         {func(b []byte) { b[24] = 1 }, "byte 24: a disk of 72057594038255616 bytes is too large"},
		"l1 size":           {func(b []byte) { b[39] = 0 }, "byte 36: L1 table of 0 entries is too small for 327680 bytes"},
		"dirty":             {func(b []byte) { b[79] |= dirtyBit }, "byte 72: marked dirty"},
		"corrupt":           {func(b []byte) { b[79] |= corruptBit }, "byte 72: marked corrupt"},
		"incompatible":      {func(b []byte) { b[72] = 1 }, "byte 72: unknown features 0x1"},
		"header length":     {func(b []byte) { b[103] = 100 }, "byte 100: header of 100 bytes"},
		"feature, no type":  {func(b []byte) { b[79] |= compressionBit }, "byte 104: compression type and feature bit"},
		"extension":         {func(b []byte) { b[104], b[108] = 1, 1 }, "byte 104: header extension 0x1000000 of 16777216 bytes does not fit"},
		"l1 offset":         {func(b []byte) { b[47] = 1 }, "byte 40: L1 table at byte 65537 is out of place"},
		"l1 in the header":  {func(b []byte) { b[45] = 0 }, "byte 40: L1 table at byte 0 overlaps something else"},
		"l1 reserved":       {func(b []byte) { b[l1At+7] = 1 }, "byte 65536: L1 entry 0x8000000000040001 has reserved bits"},
		"l1 copied":         {func(b []byte) { b[l1At] = 0 }, "byte 65536: entry 0x40000: copied bit and reference count do not agree"},
		"l1 out of file":    {func(b []byte) { b[l1At+4] = 1 }, "byte 65536: L2 table at byte 17039360 is out of place"},
		"l1 twice":          {func(b []byte) { b[39] = 2; copy(b[l1At+8:], b[l1At:l1At+8]) }, "byte 65544: L2 table at byte 262144 overlaps something else"},
		"l1 past the end":   {func(b []byte) { b[39] = 2; copy(b[l1At+8:], b[l1At:l1At+8]); putWord(b, l1At, 0) }, "byte 65544: L1 entry 0x8000000000040000 is past"},
		"l2 past the end":   {func(b []byte) { b[29] = 4 }, "byte 262176: L2 entry 0x"},
		"l2 reserved":       {func(b []byte) { b[l2At+16] |= 1 }, "byte 262160: L2 entry 0x8100000000030000 has reserved bits"},
		"l2 copied":         {func(b []byte) { b[l2At+16] = 0 }, "byte 262160: entry 0x30000: copied bit and"},
		"l2 to nowhere":     {func(b []byte) { putWord(b, l2At+24, copied) }, "byte 262168: L2 entry 0x8000000000000000 is copied to nowhere"},
		"plain unaligned":   {func(b []byte) { b[l2At+16+6] = 2 }, "byte 262160: cluster at byte 197120 is out of place"},
		"plain on l2":       {func(b []byte) { putWord(b, l2At+16, l2At) }, "byte 262160: cluster at byte 262144 overlaps something else"},
		"plain on packed":   {func(b []byte) { putWord(b, l2At+16, 2*clusterSize) }, "byte 262160: cluster at byte 131072 overlaps something else"},
		"packed on plain":   {func(b []byte) { putWord(b, l2At+32, packedEntry(plainAt, 100)) }, "byte 262176: compressed cluster at byte 196608 overlaps something else"},
		"packed out":        {func(b []byte) { putWord(b, l2At+32, packedEntry(smallAt, 100)) }, "byte 262176: compressed cluster from byte 458752 to 459264 is out of the file"},
		"packed copied":     {func(b []byte) { putWord(b, l2At, packed|copied) }, "byte 262144: compressed cluster at byte 131072 is marked copied"},
		"packed twice":      {func(b []byte) { putWord(b, l2At+8, packed) }, "byte 131072: compressed clusters overlap: from byte 131072 to"},
		"table of nothing":  {func(b []byte) { b[59] = 0 }, "byte 56: refcount table of 0 clusters"},
		"table too large":   {func(b []byte) { b[56] = 1 }, "byte 56: refcount table of 16777217 clusters"},
		"table out of file": {func(b []byte) { b[52] = 1 }, "byte 48: refcount table at byte 17104896 is out of place"},
		"table reserved":    {func(b []byte) { b[tableAt+7] = 1 }, "byte 327680: refcount table entry 0x60001 has reserved bits"},
		"block twice":       {func(b []byte) { copy(b[tableAt+8:], b[tableAt:tableAt+8]) }, "byte 327688: refcount table entry 0x60000 is past the file's end"},
		"block on l2":       {func(b []byte) { putWord(b, tableAt, l2At) }, "byte 327680: refcount block at byte 262144 overlaps something else"},
		"leak":              {func(b []byte) { b[blockAt+7]++ }, "byte 196608: cluster leaks: its reference count is 2, it has 1 references"},
		"count too low":     {func(b []byte) { b[blockAt+5]-- }, "byte 131072: cluster's reference count is 2, it has 3 references"},
		"count past end":    {func(b []byte) { b[blockAt+15] = 1 }, "byte 393230: the cluster at byte 458752, past the file's end, has reference count 1"},
	} {
		b := bytes.Clone(good)
		c.damage(b)
		found, err := check(b)
		if got := fmt.Sprint(found, err); !strings.Contains(got, c.want) || err != nil && !strings.HasPrefix(err.Error(), "checking qcow2: ") {
			t.Errorf("%s: %s, want %q", name, got, c.want)
		}
	}
}

// TestNoFlipPassesUnnoticed flips each bit of all tables: either Check finds it, or reading fails, or the disk reads as
// before. What the structure cannot tell is left out.
func TestNoFlipPassesUnnoticed(t *testing.T) {
	for _, c := range both {
		raw, image := small(t, c)
		for _, part := range []span{{0, longHeader + 8}, {l1At, l1At + 16}, {l2At, l2At + 6*8}, {tableAt, tableAt + 16}, {blockAt, blockAt + 18}} {
			for at := part.start; at < part.end; at++ {
				for bit := range 8 {
					if at >= 24 && at < 32 || at == l2At+16+7 && bit == 0 {
						continue // the disk's size, and the bit that makes a cluster read as zeros
					}
					image[at] ^= 1 << bit
					if found, err := check(image); err == nil && len(found) == 0 {
						if got, err := content(image); err == nil && !bytes.Equal(got, raw) {
							t.Errorf("%s: bit %d of byte %d: other content", c, bit, at)
						}
					}
					image[at] ^= 1 << bit
				}
			}
		}
	}
}

// TestFlipsAreFound is for what must be found even if the disk reads as before. An L1 table may be longer than needed.
func TestFlipsAreFound(t *testing.T) {
	_, image := small(t, Zstd)
	for _, part := range []span{{0, 24}, {40, 64}, {72, 80}, {88, longHeader}, {l1At, l1At + 8}, {tableAt, tableAt + 16}, {blockAt, blockAt + 18}} {
		for at := part.start; at < part.end; at++ {
			for bit := range 8 {
				image[at] ^= 1 << bit
				if found, err := check(image); err == nil && len(found) == 0 {
					t.Errorf("bit %d of byte %d is not found", bit, at)
				}
				image[at] ^= 1 << bit
			}
		}
	}
}

func TestCutFilesAreFound(t *testing.T) {
	_, image := small(t, Zlib)
	for at := 0; at < len(image); at += clusterSize {
		for _, n := range []int{at - 1, at, at + 1, at + 512} {
			if n < 0 {
				continue
			}
			if found, err := check(image[:n]); err == nil && len(found) == 0 {
				t.Errorf("cut to %d bytes: not found", n)
			}
		}
	}
}

func TestFindingsAreBounded(t *testing.T) {
	_, image := small(t, Zlib)
	for i := range int64(5000) {
		putWord(image, l2At+8*i, 1<<60)
	}
	found, err := check(image)
	if err != nil || len(found) != maxFindings+1 || found[maxFindings].Text != "only the first 100 findings are shown" {
		t.Errorf("%d findings, %v", len(found), err)
	}
}

// endless reads as the start of an image that claims to be as large as one can be, and as one byte all over behind it.
type endless struct {
	front []byte
	fill  byte
}

func (e endless) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off < int64(len(e.front)) {
		n = copy(p, e.front[off:])
	}
	for i := range p[n:] {
		p[n+i] = e.fill
	}
	return len(p), nil
}

// TestHostileSizes opens and checks files whose tables are as large as they can be, in which all entries say the same.
func TestHostileSizes(t *testing.T) {
	h := newHeader(maxDisk, Zlib)
	h.RefTableOffset, h.RefTableClusters = 1<<32, 16
	front, err := h.encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, fill := range []byte{0, 0xff, 0x40} {
		r := endless{front, fill}
		for _, size := range []int64{clusterSize, 1 << 31, maxFile, maxFile + 1, 1<<63 - 1} {
			if found, err := Check(r, size); err == nil && len(found) == 0 {
				t.Errorf("size %d, fill %#x: nothing wrong", size, fill)
			}
		}
		m, err := Open(r, 1<<62)
		if fill != 0 {
			if err == nil || !strings.Contains(err.Error(), "two parts of the disk share the L2 table") {
				t.Errorf("fill %#x: %v", fill, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, off := range []int64{0, maxDisk - 1} {
			if _, err := m.ReadAt(make([]byte, 1), off); err != nil {
				t.Errorf("fill %#x: read at %d: %v", fill, off, err)
			}
		}
		if _, _, err := m.Data(0); err != io.EOF {
			t.Errorf("fill %#x: %v", fill, err)
		}
	}
}

// TestManyWindows has more compressed clusters than are compared at a time, so that the first and the last window, and
// what lies on their border, are looked at, too: each of two clusters is named twice, far apart.
func TestManyWindows(t *testing.T) {
	const tables = 200 // of 8192 clusters of 20 bytes each
	b, at := packedTables(t, tables)
	if found, err := Check(bytes.NewReader(b), int64(len(b))); err != nil || strings.Contains(fmt.Sprint(found), "overlap") {
		t.Fatalf("%v %v", found, err)
	}
	for _, twice := range []int64{0, tables*perL2/2 + 5, tables*perL2 - 2} {
		last := at(tables*perL2 - 1)
		good := word(b, last)
		putWord(b, last, word(b, at(twice)))
		want := fmt.Sprintf("compressed clusters overlap: from byte %d to", word(b, last)&packedMask)
		if found, err := Check(bytes.NewReader(b), int64(len(b))); err != nil || !strings.Contains(fmt.Sprint(found), want) {
			t.Errorf("%d: %v %v", twice, found, err)
		}
		putWord(b, last, good)
	}
}

// packedTables is an image whose L2 tables are sound and full of compressed clusters of 20 bytes; at is where in the file
// a cluster's entry is.
func packedTables(t *testing.T, tables int64) (image []byte, at func(cluster int64) int64) {
	t.Helper()
	h := newHeader(tables*l2Span, Zlib)
	h.RefTableOffset, h.RefTableClusters = 2*clusterSize, 1
	front, err := h.encode()
	if err != nil {
		t.Fatal(err)
	}
	data := (3 + tables) * clusterSize
	b := make([]byte, ceil(data+tables*perL2*20, sectorSize)*sectorSize)
	copy(b, front)
	at = func(cluster int64) int64 { return 3*clusterSize + cluster*8 }
	for i := range tables {
		putWord(b, clusterSize+8*i, copied|uint64(3*clusterSize+i*clusterSize))
	}
	for i := range tables * perL2 {
		putWord(b, at(i), packedEntry(data+i*20, 20))
	}
	return b, at
}
