package qcow2

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	qcow2reader "github.com/lima-vm/go-qcow2reader"
	foreign "github.com/lima-vm/go-qcow2reader/image/qcow2"

	"slipway/internal/grain"
	"slipway/internal/testtool"
)

func TestQEMUReadsOurs(t *testing.T) {
	testtool.Find(t, "qemu-img")
	for i, n := range []int{0, 1, 511, 512, 513, clusterSize - 1, clusterSize, clusterSize + 1, 32<<20 - 1, 32<<20 + 1} {
		raw := disk(n, uint64(100+i))
		path := save(t, "disk.raw", padded(raw))
		for _, c := range both {
			sameAs(t, path, save(t, "disk.qcow2", mustWrite(t, raw, Options{Compression: c})))
		}
	}
}

// TestWeReadQEMUs also shows that Check finds nothing wrong where nothing is.
func TestWeReadQEMUs(t *testing.T) {
	testtool.Find(t, "qemu-img")
	raw := disk(3<<20+512, 8)
	path := save(t, "disk.raw", raw)
	for _, args := range [][]string{
		{"-c", "-o", "compression_type=zlib"}, {"-c", "-o", "compression_type=zstd"}, {"-c", "-m", "2", "-W"},
		{}, {"-S", "0"}, {"-o", "preallocation=metadata"}, {"-o", "lazy_refcounts=on"},
	} {
		image := filepath.Join(t.TempDir(), "disk.qcow2")
		qemuImg(t, append(append([]string{"convert", "-O", "qcow2"}, args...), path, image)...)
		if got := mustRead(t, load(t, image)); !bytes.Equal(got, raw) {
			t.Errorf("%q: differs", args)
		}
	}
}

// TestRefusesByName takes images of QEMU's that are of another kind.
func TestRefusesByName(t *testing.T) {
	testtool.Find(t, "qemu-img")
	base := save(t, "base.raw", make([]byte, 1<<20))
	for want, args := range map[string][]string{
		"byte 4: version 2, want 3":               {"-o", "compat=0.10"},
		"byte 20: cluster bits are 12, want 16":   {"-o", "cluster_size=4k"},
		"byte 96: refcount order is 3, want 4":    {"-o", "refcount_bits=8"},
		"byte 72: extended L2 tables":             {"-o", "extended_l2=on"},
		"byte 72: the data is in another file":    {"-o", "data_file=" + base + ".data"},
		"byte 8: a backing file holds a part of ": {"-b", base, "-F", "raw"},
	} {
		image := filepath.Join(t.TempDir(), "disk.qcow2")
		qemuImg(t, append(append([]string{"create", "-f", "qcow2"}, args...), image, "1M")...)
		b := load(t, image)
		_, openErr := Open(bytes.NewReader(b), int64(len(b)))
		_, checkErr := check(b)
		for _, err := range []error{openErr, checkErr} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", args, err, want)
			}
		}
	}
	snapshot := save(t, "snap.qcow2", mustWrite(t, disk(1<<20, 1), Options{}))
	qemuImg(t, "snapshot", "-c", "one", snapshot)
	if _, err := check(load(t, snapshot)); err == nil || !strings.Contains(err.Error(), "byte 60: 1 snapshots") {
		t.Error(err)
	}
	bitmap := save(t, "bitmap.qcow2", mustWrite(t, disk(1<<20, 1), Options{}))
	qemuImg(t, "bitmap", "--add", bitmap, "b")
	if _, err := check(load(t, bitmap)); err == nil || !strings.Contains(err.Error(), "byte 88: bitmaps or other features 0x1") {
		t.Error(err)
	}
}

func TestInfo(t *testing.T) {
	for _, c := range both {
		path := save(t, "disk.qcow2", mustWrite(t, make([]byte, 1<<20-5), Options{Compression: c}))
		var info struct {
			Size     int64 `json:"virtual-size"`
			Specific struct {
				Data struct {
					Compat      string
					Compression string `json:"compression-type"`
					Bits        int    `json:"refcount-bits"`
					Corrupt     bool
				}
			} `json:"format-specific"`
		}
		if err := json.Unmarshal([]byte(qemuImg(t, "info", "--output=json", path)), &info); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(info); got != fmt.Sprintf("{1048576 {{1.1 %s 16 false}}}", c) {
			t.Error(got)
		}
	}
}

// TestWrittenOnByQEMU changes an image and checks it again: QEMU relies on all reference counts and copied bits.
func TestWrittenOnByQEMU(t *testing.T) {
	tool := "qemu-io"
	testtool.Find(t, tool)
	for _, c := range both {
		path := save(t, "disk.qcow2", mustWrite(t, disk(4<<20, 9), Options{Compression: c}))
		args := []string{"-f", "qcow2", path}
		for at := 0; at < 4<<20; at += 100 << 10 {
			args = append(args, "-c", fmt.Sprintf("write -P 0x55 %d 60k", at))
		}
		runTool(t, tool, args...)
		qemuImg(t, "check", "-f", "qcow2", path)
		got := mustRead(t, load(t, path))
		for at := 0; at < 4<<20-60<<10; at += 100 << 10 {
			if !bytes.Equal(got[at:at+60<<10], bytes.Repeat([]byte{0x55}, 60<<10)) {
				t.Errorf("%s: at byte %d: not what QEMU wrote", c, at)
			}
		}
	}
}

// TestForeignReader reads whole images with a reader that is neither QEMU's nor ours.
func TestForeignReader(t *testing.T) {
	foreign.SetDecompressor(foreign.CompressionTypeZstd, func(r io.Reader) (io.ReadCloser, error) {
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	})
	for i, n := range []int{512, clusterSize, 5*clusterSize + 1024, 20 << 20} {
		raw := disk(n, uint64(40+i))
		for _, c := range both {
			b := mustWrite(t, raw, Options{Compression: c})
			m, err := qcow2reader.Open(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if m.Size() != int64(n) || hash(t, m, m.Size()) != hash(t, bytes.NewReader(raw), int64(n)) {
				t.Errorf("%d bytes, %s: the disk of %d bytes differs", n, c, m.Size())
			}
		}
	}
}

// TestLargeSparseDisk has data at both sides of 4 GiB and of an L2 table's end, and at the end of 3 TiB.
func TestLargeSparseDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk.raw")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, at := range []int64{4<<30 - 3, 4 << 30, l2Span - 9, 3<<40 - 700000} {
		if _, err := f.WriteAt(disk(700000, uint64(i)), at); err != nil {
			t.Fatal(err)
		}
	}
	src, err := grain.File(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range both {
		image, err := os.Create(filepath.Join(t.TempDir(), "disk.qcow2"))
		if err != nil {
			t.Fatal(err)
		}
		defer image.Close()
		n, err := Write(t.Context(), image, src, Options{Compression: c})
		if err != nil || n > 4<<20 {
			t.Fatalf("%d bytes, %v", n, err)
		}
		if found, err := Check(image, n); err != nil || len(found) > 0 {
			t.Errorf("%v %v", found, err)
		}
		sameAs(t, path, image.Name())
	}
}

// TestFileOfManyRefcountBlocks makes an image of 40000 plain clusters of holes, more than one refcount block counts.
func TestFileOfManyRefcountBlocks(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "disk.qcow2"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const clusters = 40000
	w := &writer{out: f, l1: make([]uint64, l1Entries(clusters*clusterSize)), at: -1}
	w.room.clusters(2)
	for i := range int64(clusters) {
		if err := w.cluster(grain.Grain{Index: i}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	n, err := w.finish(newHeader(clusters*clusterSize, Zlib))
	if err != nil {
		t.Fatal(err)
	}
	if found, err := Check(f, n); err != nil || len(found) > 0 {
		t.Errorf("%v %v", found, err)
	}
	qemuImg(t, "check", "-f", "qcow2", f.Name())
}

// TestRandomSparseDisks lets qemu-img compare random disks of random sizes.
func TestRandomSparseDisks(t *testing.T) {
	testtool.Find(t, "qemu-img")
	r := rand.New(rand.NewPCG(11, 12))
	for i := range 6 {
		raw := disk(1+r.IntN(8<<20), r.Uint64())
		path := save(t, "disk.raw", padded(raw))
		sameAs(t, path, save(t, "disk.qcow2", mustWrite(t, raw, Options{Compression: both[i%2]})))
	}
}

// TestAsSmallAsQEMUs compares sizes for this test's own program.
func TestAsSmallAsQEMUs(t *testing.T) {
	testtool.Find(t, "qemu-img")
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	raw := load(t, path)
	raw = raw[:min(len(raw), 4<<20)/sectorSize*sectorSize]
	path = save(t, "disk.raw", raw)
	for _, c := range both {
		image := filepath.Join(t.TempDir(), "disk.qcow2")
		qemuImg(t, "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", "compression_type="+c.String(), path, image)
		ours, theirs := len(mustWrite(t, raw, Options{Compression: c})), len(load(t, image))
		if t.Logf("%s: %d bytes, QEMU's %d", c, ours, theirs); ours*100 > theirs*102+100*clusterSize {
			t.Error("more than a fiftieth and a cluster larger")
		}
	}
}
