package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"slipway/internal/golden"
	"slipway/internal/testtool"
)

const mib = 1 << 20

func testLayout() Layout {
	l := Layout{ESP: 3 * mib, Root: 5 * mib, Verity: 1 * mib, Seed: "slipway/test"}
	for i := range l.RootHash {
		l.RootHash[i] = byte(i + 1)
	}
	return l
}

func mustPlan(t testing.TB, l Layout) Plan {
	t.Helper()
	p, err := NewPlan(l)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// testSources fills root-a with zeros around two short texts, and leaves the rest of the disk empty but for one byte.
func testSources() map[string]Source {
	root := make([]byte, 4*mib+5)
	copy(root[8192:], "near the front")
	copy(root[4*mib:], "tail!")
	return map[string]Source{
		ESP:     func(w io.WriterAt) error { _, err := w.WriteAt([]byte("x"), 3*mib-1); return err },
		RootA:   Copy(bytes.NewReader(root), int64(len(root))),
		VerityA: Copy(strings.NewReader("verity"), 6),
	}
}

func TestPlanText(t *testing.T) {
	real := testLayout()
	real.ESP, real.Root, real.Verity = 256*mib, 450*mib, 5*mib
	got := mustPlan(t, testLayout()).String() + mustPlan(t, real).String()
	golden.Check(t, "testdata/plan.txt", got)
}

func TestNewPlanRefusals(t *testing.T) {
	for name, change := range map[string]func(*Layout){
		`"root-a": size of 0 bytes`:     func(l *Layout) { l.Root = 0 },
		`"esp": size of 3145729 bytes`:  func(l *Layout) { l.ESP++ },
		`"verity-a": size of -1048576 `: func(l *Layout) { l.Verity = -mib },
	} {
		l := testLayout()
		change(&l)
		if _, err := NewPlan(l); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %s", err, name)
		}
	}
}

func TestWriteThenRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk.raw")
	p := mustPlan(t, testLayout())
	if err := Write(t.Context(), path, p, testSources()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, problems, err := ReadTable(bytes.NewReader(b), int64(len(b)))
	if err != nil || len(problems) > 0 || got.String() != p.String() {
		t.Errorf("%v %v\n%swant\n%s", err, problems, got, p)
	}
	for at, want := range map[int]string{4*mib - 1: "x", 4*mib + 8192: "near the front", 8 * mib: "tail!", 9 * mib: "verity"} {
		if !bytes.HasPrefix(b[at:], []byte(want)) {
			t.Errorf("at %d: %q, want %q", at, b[at:at+len(want)], want)
		}
	}
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	if st.Blocks*512 > 512<<10 {
		t.Errorf("image takes %d bytes on disk: holes are not holes", st.Blocks*512)
	}
}

func TestWriteTwiceIsTheSame(t *testing.T) {
	dir := t.TempDir()
	var all [2][]byte
	for i := range all {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := Write(t.Context(), path, mustPlan(t, testLayout()), testSources()); err != nil {
			t.Fatal(err)
		}
		all[i], _ = os.ReadFile(path)
	}
	if !bytes.Equal(all[0], all[1]) {
		t.Error("two images differ")
	}
}

// TestFailureLeavesWhatWasThere checks that no failed Write leaves a partial file or touches the image before.
func TestFailureLeavesWhatWasThere(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	for name, c := range map[string]struct {
		change func(map[string]Source)
		want   string
	}{
		"cancelled": {func(s map[string]Source) {
			s[VerityA] = func(w io.WriterAt) error { cancel(); _, err := w.WriteAt([]byte("x"), 0); return err }
		}, "context canceled"},
		"no space": {func(s map[string]Source) { s[RootA] = func(io.WriterAt) error { return syscall.ENOSPC } },
			"filling partition \"root-a\": no space left on device\nhint: the image takes up to 11 MiB"},
		"no source": {func(s map[string]Source) { delete(s, RootA) }, `partition "root-a" has no source`},
		"one more":  {func(s map[string]Source) { s["swap"] = Copy(nil, 0) }, "4 sources for 3 partitions"},
		"short":     {func(s map[string]Source) { s[RootA] = Copy(strings.NewReader("abc"), 4) }, "unexpected EOF after 3 of 4 bytes"},
		"too long":  {func(s map[string]Source) { s[VerityA] = Copy(bytes.NewReader(make([]byte, mib+1)), mib+1) }, "1 bytes at 1048576 do not fit"},
		"before it": {func(s map[string]Source) {
			s[VerityA] = func(w io.WriterAt) error { _, err := w.WriteAt([]byte("x"), -1); return err }
		}, "do not fit"},
		"far beyond": {func(s map[string]Source) {
			s[ESP] = func(w io.WriterAt) error { _, err := w.WriteAt([]byte("x"), 1<<62); return err }
		}, "do not fit"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "disk.raw")
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		use := t.Context()
		if name == "cancelled" {
			use = ctx
		}
		sources := testSources()
		c.change(sources)
		err := Write(use, path, mustPlan(t, testLayout()), sources)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if name == "cancelled" && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v is not context.Canceled", name, err)
		}
		left, _ := os.ReadDir(dir)
		if b, _ := os.ReadFile(path); len(left) != 1 || string(b) != "old" {
			t.Errorf("%s: left %v, image %.10q", name, left, b)
		}
	}
}

func TestReadTableFindsDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk.raw")
	if err := Write(t.Context(), path, mustPlan(t, testLayout()), testSources()); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	size := len(good)
	for name, c := range map[string]struct {
		at   []int
		want string
	}{
		"MBR":            {[]int{511}, "446 protective MBR is missing"},
		"primary header": {[]int{512 + 56}, "512 primary GPT: CRC of the header is"},
		"primary entry":  {[]int{1024 + 33}, "512 primary GPT: CRC of the entries at byte 1024 is"},
		"backup entry":   {[]int{size - 33*512 + 33}, fmt.Sprintf("%d backup GPT: CRC of the entries", size-512)},
		"backup header":  {[]int{size - 512}, fmt.Sprintf("%d backup GPT: no header", size-512)},
		"both":           {[]int{512, size - 512}, "reading partition table: primary: no header; backup: no header"},
	} {
		b := bytes.Clone(good)
		for _, at := range c.at {
			b[at] ^= 1
		}
		_, problems, err := ReadTable(bytes.NewReader(b), int64(size))
		got := fmt.Sprint(err)
		if len(problems) == 1 {
			got = fmt.Sprintf("%d %s", problems[0].Offset, problems[0].Text)
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %v, %v, want %q", name, err, problems, c.want)
		}
	}
}

func TestProblems(t *testing.T) {
	p := mustPlan(t, testLayout())
	p.Partitions[0].Size += mib
	p.Partitions[1].Size += 512
	p.Partitions[2].Start += 512
	p.Partitions[2].Size = 3 * mib
	got := p.problems(p.Size)
	if len(got) != 2 || got[0].Offset != 4*mib || !strings.Contains(got[0].Text, `"root-a" overlaps`) || !strings.Contains(got[1].Text, "out of range") {
		t.Errorf("%v", got)
	}
}

func TestSgdiskAgrees(t *testing.T) {
	sgdisk := testtool.Find(t, "sgdisk")
	path := filepath.Join(t.TempDir(), "disk.raw")
	if err := Write(t.Context(), path, mustPlan(t, testLayout()), testSources()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ arg, want string }{
		{"-v", "No problems found."},
		{"-p", "   2            8192           18431   5.0 MiB     8304  root-a"},
		{"-i=2", "Partition unique GUID: 01020304-0506-0708-090A-0B0C0D0E0F10"},
		{"-i=3", "Partition unique GUID: 11121314-1516-1718-191A-1B1C1D1E1F20"},
		{"-i=3", "Attribute flags: 1000000000000000"},
		{"-i=1", "Attribute flags: 0000000000000000"},
		{"-i=1", "Partition GUID code: C12A7328-F81F-11D2-BA4B-00A0C93EC93B"},
	} {
		out, err := exec.Command(sgdisk, c.arg, path).CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) || strings.Contains(string(out), "Warning") {
			t.Errorf("sgdisk %s: %v, want %q:\n%s", c.arg, err, c.want, out)
		}
	}
}

func TestGUID(t *testing.T) {
	g, err := ParseGUID(TypeESP)
	if err != nil || g.String() != TypeESP || g.onDisk().onDisk() != g || g.onDisk()[0] != 0x28 {
		t.Errorf("%v %v", g, err)
	}
	for _, bad := range []string{"", "c12a7328", "c12a7328f81f11d2ba4b00a0c93ec93b", "x12a7328-f81f-11d2-ba4b-00a0c93ec93b", TypeESP + "00"} {
		if _, err := ParseGUID(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if a, b := DeriveGUID("s", "a"), DeriveGUID("s", "b"); a == b || a != DeriveGUID("s", "a") || a.String()[14] != '8' {
		t.Errorf("derived %s and %s", a, b)
	}
}

func FuzzReadTable(f *testing.F) {
	p := mustPlan(f, testLayout())
	tables, err := p.tables()
	if err != nil {
		f.Fatal(err)
	}
	base := make([]byte, p.Size)
	for _, t := range tables {
		copy(base[t.at:], t.data)
	}
	f.Add(uint32(512+72), []byte{0xff, 0xff})
	f.Fuzz(func(_ *testing.T, at uint32, patch []byte) {
		b := bytes.Clone(base)
		copy(b[int(at)%len(b):], patch)
		_, _, _ = ReadTable(bytes.NewReader(b), int64(len(b)))
		_, _ = decodeEntries(append(bytes.Clone(patch), make([]byte, entryCount*entrySize)...))
	})
}

// TestWindowWritesWhatItIsGiven writes random pieces, mostly zeros, and compares with a plain buffer.
func TestWindowWritesWhatItIsGiven(t *testing.T) {
	src := rand.New(rand.NewPCG(1, 2))
	got, want := make([]byte, 1<<16), make([]byte, 1<<16)
	x := &window{t.Context(), sliceWriter(got[4096:]), 0, 1<<16 - 4096}
	for at := 0; at < len(want)-4096; {
		p := make([]byte, min(1+src.IntN(9000), len(want)-4096-at))
		for range src.IntN(3) {
			p[src.IntN(len(p))] = byte(1 + src.IntN(255))
		}
		copy(want[4096+at:], p)
		if n, err := x.WriteAt(p, int64(at)); err != nil || n != len(p) {
			t.Fatalf("%d of %d bytes at %d: %v", n, len(p), at, err)
		}
		at += len(p)
	}
	if !bytes.Equal(got, want) {
		t.Error("what was written differs")
	}
}

type sliceWriter []byte

func (s sliceWriter) WriteAt(p []byte, off int64) (int, error) { return copy(s[off:], p), nil }
