package esp

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/internal/testtool"
)

const mib = 1 << 20

func testOptions(size int64) Options {
	return Options{Size: size, Label: "ESP", VolumeID: 0x12345678, Time: time.Date(2026, 11, 4, 17, 6, 8, 0, time.UTC)}
}

func text(path, s string) File {
	return File{Path: path, Data: strings.NewReader(s), Size: int64(len(s))}
}

func testFiles() []File {
	big := bytes.Repeat([]byte("0123456789abcdef"), 3*mib/16)
	return []File{
		text("loader/loader.conf", "timeout 0\n"),
		text("EFI/BOOT/BOOTX64.EFI", strings.Repeat("boot", 1000)),
		{Path: "EFI/Linux/slipway-a+3.efi", Data: bytes.NewReader(big), Size: int64(len(big))},
		text("EFI/Linux/slipway-a.efi", "x"),
		text("EFI/Linux/a name of exactly 26 units", "y"),
		text("empty", ""),
	}
}

// image writes a file system into a sparse file.
func image(t testing.TB, o Options, files []File) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "esp.img"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(o.Size); err != nil {
		t.Fatal(err)
	}
	if err := Write(f, o, files); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestWriteThenRead(t *testing.T) {
	v, err := Read(image(t, testOptions(64*mib), testFiles()))
	if err != nil {
		t.Fatal(err)
	}
	if v.Label != "ESP" || v.VolumeID != 0x12345678 {
		t.Errorf("label %q, id %x", v.Label, v.VolumeID)
	}
	want := map[string]File{}
	for _, f := range testFiles() {
		want[f.Path] = f
	}
	for _, got := range v.Files {
		w, ok := want[got.Path]
		if !ok {
			t.Errorf("unexpected %q", got.Path)
			continue
		}
		delete(want, got.Path)
		a, _ := io.ReadAll(got)
		b, _ := io.ReadAll(io.NewSectionReader(w.Data, 0, w.Size))
		if !bytes.Equal(a, b) {
			t.Errorf("%s: %d bytes, want %d, or other content", got.Path, len(a), len(b))
		}
	}
	if len(want) > 0 {
		t.Errorf("missing %v", want)
	}
}

func TestSameBytesInAnyOrder(t *testing.T) {
	digest := func(files []File) string {
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(image(t, testOptions(34*mib), files), 0, 34*mib)); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	a := testFiles()
	b := testFiles()
	b[0], b[3] = b[3], b[0]
	if digest(a) != digest(b) {
		t.Error("the order of files changes the image")
	}
}

func TestFsckAndMtoolsAgree(t *testing.T) {
	fsck, mdir := testtool.Find(t, "fsck.vfat"), testtool.Find(t, "mdir")
	many := testFiles()
	for i := range 300 { // a folder of several clusters
		many = append(many, text(fmt.Sprintf("many/a rather long name %03d.conf", i), "z"))
	}
	for _, size := range []int64{34 * mib, 64 * mib, 128 * mib, 256 * mib, 300*mib + 512, 1024 * mib} {
		path := image(t, testOptions(size), many).Name()
		if out, err := exec.Command(fsck, "-n", path).CombinedOutput(); err != nil || strings.Count(string(out), "\n") != 2 {
			t.Errorf("%d bytes: fsck.vfat: %v\n%s", size, err, out)
		}
		out, err := exec.Command(mdir, "-b", "-i", path, "::/EFI/Linux").CombinedOutput()
		want := "::/EFI/Linux/a name of exactly 26 units\n::/EFI/Linux/slipway-a+3.efi\n::/EFI/Linux/slipway-a.efi\n"
		if err != nil || string(out) != want {
			t.Errorf("%d bytes: mdir: %v\n%s", size, err, out)
		}
	}
}

func TestMtoolsReadsContentAndTime(t *testing.T) {
	mtype, mdir := testtool.Find(t, "mtype"), testtool.Find(t, "mdir")
	path := image(t, testOptions(34*mib), testFiles()).Name()
	out, err := exec.Command(mtype, "-i", path, "::/loader/loader.conf").CombinedOutput()
	if err != nil || string(out) != "timeout 0\n" {
		t.Errorf("mtype: %v %q", err, out)
	}
	out, err = exec.Command(mdir, "-i", path, "::/").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "2026-11-04  17:06") || !strings.Contains(string(out), "1234-5678") {
		t.Errorf("mdir: %v\n%s", err, out)
	}
}

func TestRefusals(t *testing.T) {
	ok := testOptions(34 * mib)
	for name, c := range map[string]struct {
		o     Options
		files []File
		want  string
	}{
		"too small":        {testOptions(20 * mib), nil, "too small for FAT32"},
		"odd size":         {testOptions(34*mib + 1), nil, "not a multiple of 512"},
		"too full":         {ok, []File{{Path: "a", Data: zeros{}, Size: 40 * mib}}, `no room for "a": 41943040 bytes`},
		"over 4 GiB":       {ok, []File{{Path: "a", Data: zeros{}, Size: 1 << 32}}, "not below 4 GiB"},
		"same name":        {ok, []File{text("EFI/a", ""), text("efi/A", "")}, "another one of that name"},
		"file as folder":   {ok, []File{text("EFI", ""), text("EFI/a", "")}, `"EFI" is a file`},
		"absolute":         {ok, []File{text("/EFI", "")}, `"" is no file name`},
		"dots":             {ok, []File{text("EFI/../x", "")}, `".." is no file name`},
		"bad character":    {ok, []File{text("a:b", "")}, `has ':'`},
		"not ASCII":        {ok, []File{text("ü", "")}, `has 'ü'`},
		"short source":     {ok, []File{{Path: "a", Data: strings.NewReader("abc"), Size: 4}}, `copying "a": unexpected EOF`},
		"before 1980":      {Options{Size: 34 * mib, Time: time.Unix(0, 0)}, nil, "FAT holds 1980 to 2107"},
		"write error":      {ok, []File{text("a", "b")}, "no space"},
		"longest name fit": {ok, []File{text(strings.Repeat("n", 255), "")}, ""},
	} {
		var w io.WriterAt = discard{}
		if name == "write error" {
			w = full{}
		}
		err := Write(w, c.o, c.files)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestReadFindsDamage(t *testing.T) {
	g, err := newGeometry(34 * mib)
	if err != nil {
		t.Fatal(err)
	}
	fat := int64(reservedSectors * sectorSize)
	for name, c := range map[string]struct {
		at   int64
		data string
		want string
	}{
		"no boot sector": {510, "\x00\x00", "not FAT32's"},
		"backup":         {backupSector*sectorSize + 3, "X", "backup at byte 3072 differ"},
		"one FAT":        {fat + 4*40, "\xff", "FATs differ at entry 40, byte 16544"},
		"clusters":       {13, "\x00", "no room for data"},
		"two FATs":       {16, "\x01", "1 FATs"},
		"out of range":   {g.offset(rootCluster) + 32 + 20, "\xff", "cluster 16711683 is out of range"},
	} {
		f := image(t, testOptions(34*mib), testFiles())
		for _, at := range []int64{c.at, c.at + backupSector*sectorSize} { // the boot sector's twin too
			if at == c.at || c.at < sectorSize {
				if _, err := f.WriteAt([]byte(c.data), at); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := Read(f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestShortNames(t *testing.T) {
	taken := map[[11]byte]bool{}
	for _, c := range []struct{ name, want string }{
		{"BOOTX64.EFI", "BOOTX64 EFI"}, {"loader.conf", "LOADER~1CON"}, {"loader.confx", "LOADER~2CON"},
		{"EFI", "EFI        "}, {"a.b.c", "AB~1    C  "}, {".hidden", "~1      HID"},
	} {
		got := shortName(c.name, taken)
		taken[got] = true
		if string(got[:]) != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzRead flips parts of a valid image; Read may refuse, never crash or hang.
func FuzzRead(f *testing.F) {
	base, err := io.ReadAll(io.NewSectionReader(image(f, testOptions(34*mib), testFiles()), 0, 2*mib))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(13), []byte{0})
	f.Add(uint32(reservedSectors*sectorSize+8), []byte{2, 0, 0, 0})
	f.Fuzz(func(_ *testing.T, at uint32, patch []byte) {
		b := bytes.Clone(base)
		copy(b[int(at)%len(b):], patch)
		_, _ = Read(bytes.NewReader(b))
	})
}

func BenchmarkWrite256MiB(b *testing.B) {
	uki := bytes.NewReader(make([]byte, 60*mib))
	for b.Loop() {
		image(b, testOptions(256*mib), []File{{Path: "EFI/Linux/slipway.efi", Data: uki, Size: uki.Size()}})
	}
}

type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }

type discard struct{}

func (discard) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

type full struct{}

func (full) WriteAt([]byte, int64) (int, error) { return 0, fmt.Errorf("no space left on device") }
