package pack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"slipway/internal/finding"
	"slipway/internal/grain"
)

// check verifies b and returns its findings, one a line.
func check(t *testing.T, b []byte) (*Report, string) {
	t.Helper()
	report, err := Verify(t.Context(), bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range report.Findings {
		lines = append(lines, f.String())
	}
	return report, strings.Join(lines, "\n")
}

func TestDetect(t *testing.T) {
	raw := rawFile(t)
	for name, o := range targets() {
		if f, err := Detect(bytes.NewReader(read(t, mustPack(t, raw, name, o).Path))); err != nil || "."+string(f) != filepath.Ext(name) {
			t.Errorf("%s is %q %v", name, f, err)
		}
	}
	for text, want := range map[string]Format{"x": Raw, "QFI": Raw, "QFI\xfb": QCOW2, "KDMV": VMDK, strings.Repeat("x", 257) + "ustar": OVA, "": ""} {
		if f, err := Detect(strings.NewReader(text)); f != want || (err == nil) != (want != "") {
			t.Errorf("%.10q is %q %v", text, f, err)
		}
	}
	if _, err := Detect(broken{}); err == nil || exitCode(err) != 1 {
		t.Errorf("an unreadable file: %v", err)
	}
}

// broken cannot be read.
type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error)    { return 0, errors.New("input/output error") }
func (broken) Size() int64                          { return 1000 }
func (broken) Data(off int64) (int64, int64, error) { return off, 1000, nil }

func TestVerifyGood(t *testing.T) {
	raw := goodDisk(t)
	want, got := check(t, read(t, raw))
	if got != "" || want.Format != Raw {
		t.Fatalf("raw: %+v", want)
	}
	for name, o := range targets() {
		res := mustPack(t, raw, name, o)
		report, got := check(t, read(t, res.Path))
		if got != "" || report.Format != res.Format || report.Size != res.Size || (report.Machine == "node") != (res.Format == OVA) {
			t.Errorf("%s: %+v", name, report)
		}
		if report.RootHash != want.RootHash || report.RootFiles != want.RootFiles || len(report.Partitions) != 3 || report.Kernel != "7.2.12" {
			t.Errorf("%s: %+v, raw %+v", name, report, want)
		}
		if b, err := json.Marshal(report); err != nil || !strings.HasPrefix(string(b), `{"format":"`+string(res.Format)+`","size":`) || !strings.Contains(string(b), `"findings":[]`) {
			t.Errorf("%s: %s %v", name, b, err)
		}
	}
}

// TestVerifyDamage spoils one thing at a time. Each finding is a line that begins with the part and the offset.
func TestVerifyDamage(t *testing.T) {
	raw := goodDisk(t)
	files := map[string][]byte{}
	for name, o := range targets() {
		files[name] = read(t, mustPack(t, raw, name, o).Path)
	}
	disk := bytes.Index(files["x.ova"], []byte("KDMV"))
	line := regexp.MustCompile(`^(qcow2|vmdk|ova|disk|disk gpt) at byte \d+: .`)
	flip := func(at int) func([]byte) []byte { return func(b []byte) []byte { b[at] ^= 1; return b } }
	past := func(text string, n int) func([]byte) []byte {
		return flip(bytes.Index(files["x.ova"], []byte(text)) + n)
	}
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }
	for name, c := range map[string]struct {
		file  string
		spoil func([]byte) []byte
		want  []string // what some lines begin with
	}{
		"L1 entry":       {"x.qcow2", flip(65536), []string{"qcow2 at byte 65536: L1 entry", "qcow2 at byte 131072: cluster leaks", "disk at byte 0: "}},
		"refcount":       {"x.qcow2", flip(len(files["x.qcow2"]) - 65536 + 1), []string{"qcow2 at byte 0: cluster's reference count is 0, it has 1 references"}},
		"a cluster":      {"x.qcow2", func(b []byte) []byte { b[131072] = 0xff; return b }, []string{"disk at byte 0: reading disk at byte 0: decoding zlib cluster at byte 131072", "disk gpt at byte 512: "}},
		"zstd":           {"zstd.x.qcow2", flip(131072), []string{"disk at byte 0: reading disk at byte 0: decoding zstd cluster at byte 131072"}},
		"short qcow2":    {"x.qcow2", cut(65536), []string{"qcow2 at byte 262144: refcount block at byte 327680 is out of place"}},
		"VMDK flags":     {"x.vmdk", flip(8), []string{"vmdk at byte 8: header: flags is 0x30000, want 0x30001"}},
		"padding":        {"x.vmdk", flip(1024), []string{"vmdk at byte 1024: padding of the descriptor is not zero"}},
		"grain":          {"x.vmdk", flip(len(files["x.vmdk"]) - 1024), []string{"vmdk at byte ", "disk gpt at byte 40893952: backup GPT"}},
		"short VMDK":     {"x.vmdk", cut(512), []string{"vmdk at byte "}},
		"header only":    {"x.vmdk", func(b []byte) []byte { return b[:512] }, []string{"vmdk at byte 0: "}},
		"descriptor":     {"x.ova", past("<?xml", 0), []string{"ova at byte 512: \"node.ovf\": there is text", "ova at byte 512: \"node.ovf\" has SHA-256"}},
		"capacity":       {"x.ova", past(`ovf:capacity="`, 14), []string{fmt.Sprintf("ova at byte %d: the descriptor gives node-disk1.vmdk 30408704 bytes, the disk itself has 40894464", disk)}},
		"manifest":       {"x.ova", past("SHA256(", 20), []string{"ova at byte 512: \"node.ovf\" has SHA-256"}},
		"tar header":     {"x.ova", flip(148), []string{"ova at byte 148: header of \"node.ovf\" has a wrong checksum"}},
		"disk in OVA":    {"x.ova", flip(disk + 20), []string{fmt.Sprintf("vmdk at byte %d: header: grain size is 0x81", disk+20), "ova at byte 0: opening VMDK"}},
		"end of OVA":     {"x.ova", cut(1024), []string{"ova at byte ", "ova at byte "}},
		"no disk at all": {"x.ova", func(b []byte) []byte { return b[:disk-512] }, []string{"ova at byte 0: there is no VMDK in the archive"}},
	} {
		report, got := check(t, c.spoil(bytes.Clone(files[c.file])))
		for _, l := range strings.Split(got, "\n") {
			if !line.MatchString(l) {
				t.Errorf("%s: no finding: %q", name, l)
			}
		}
		for _, want := range c.want {
			if !strings.Contains("\n"+got, "\n"+want) {
				t.Errorf("%s:\n%s\nwant %q", name, got, want)
			}
		}
		if !slices.IsSortedFunc(report.Findings, inOrder) {
			t.Errorf("%s: not in order:\n%s", name, got)
		}
	}
}

// inOrder compares findings: those in the file come before those on the disk inside.
func inOrder(a, b finding.Finding) int {
	inside := func(f finding.Finding) int { return min(1, strings.Count(f.Part, "disk")) }
	return cmp.Or(cmp.Compare(inside(a), inside(b)), cmp.Compare(a.Part, b.Part)*inside(a), cmp.Compare(a.Offset, b.Offset))
}

// What is in no partition is decoded, too, and a disk that is spoilt all over does not fill the screen.
func TestVerifyReadsAllClusters(t *testing.T) {
	noise := make([]byte, 16*mib)
	for i := range noise {
		noise[i] = byte(i >> 9)
	}
	copy(noise[mib:], content())
	raw := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(raw, noise, 0o644); err != nil {
		t.Fatal(err)
	}
	b := read(t, mustPack(t, raw, "x.qcow2", Options{}).Path)
	table := int(binary.BigEndian.Uint64(b[65536:]) & (1<<56 - 1))
	for i := range 256 { // the first byte of each compressed cluster
		if entry := binary.BigEndian.Uint64(b[table+8*i:]); entry>>62 == 1 {
			b[entry&(1<<54-1)] = 0xff
		}
	}
	_, got := check(t, b)
	lines := strings.Split(got, "\n")
	if len(lines) != mostFindings+2 || !strings.HasPrefix(lines[0], "disk at byte 0: reading disk at byte 0: decoding zlib cluster") ||
		!strings.HasSuffix(lines[mostFindings], "more places from here on cannot be read") || !strings.Contains(lines[mostFindings+1], "verifying disk image") {
		t.Errorf("%d lines:\n%s", len(lines), got)
	}
}

func TestVerifyRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty": nil, "text": []byte("text"), "other qcow2": append([]byte("QFI\xfb\x00\x00\x00\x02"), make([]byte, 1000)...),
		"short tar": []byte(strings.Repeat("x", 257) + "ustar"),
	} {
		if report, err := Verify(t.Context(), bytes.NewReader(b), int64(len(b))); err == nil || exitCode(err) != 2 {
			t.Errorf("%s: %+v %v", name, report, err)
		}
	}
}

func TestVerifyCancelled(t *testing.T) {
	for name, o := range targets() {
		b := read(t, mustPack(t, rawFile(t), name, o).Path)
		ctx, cancel := context.WithCancel(t.Context())
		r := &counting{ReaderAt: bytes.NewReader(b), then: cancel, left: 3}
		if _, err := Verify(ctx, r, int64(len(b))); !errors.Is(err, context.Canceled) || r.left < -1 {
			t.Errorf("%s: %v, %d reads too many", name, err, -1-r.left)
		}
	}
}

// counting does something after so many reads.
type counting struct {
	io.ReaderAt
	left int
	then func()
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	if c.left--; c.left == 0 {
		c.then()
	}
	return c.ReaderAt.ReadAt(p, off)
}

func TestCompare(t *testing.T) {
	raw := rawFile(t)
	for name, o := range targets() {
		packed := mustPack(t, raw, name, o).Path
		for what, c := range map[string]struct {
			change func([]byte) []byte
			want   string
		}{
			"equal":        {func(b []byte) []byte { return b }, ""},
			"zeros behind": {func(b []byte) []byte { return append(b, make([]byte, 5*mib)...) }, ""},
			"first byte":   {func(b []byte) []byte { b[0]++; return b }, "disk at byte 0: from here on it is not that of the raw image"},
			"in a hole":    {func(b []byte) []byte { b[mib+5]++; return b }, "disk at byte 1048581: from here"},
			"last byte":    {func(b []byte) []byte { b[len(b)-1]++; return b }, "disk at byte 3146427: from here"},
			"shorter":      {func(b []byte) []byte { return b[:len(b)-5] }, "disk at byte 3146423: from here"},
			"longer":       {func(b []byte) []byte { return append(append(b, make([]byte, 5*mib)...), 1) }, "disk at byte 8389308: from here"},
		} {
			other := c.change(content())
			b := read(t, packed)
			report := &Report{}
			err := report.Compare(t.Context(), bytes.NewReader(b), int64(len(b)), grain.ReaderAt(bytes.NewReader(other), int64(len(other))))
			got := ""
			for _, f := range report.Findings {
				got += f.String()
			}
			if err != nil || !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
				t.Errorf("%s, %s: %q %v, want %q", name, what, got, err, c.want)
			}
		}
	}
}

// A damaged file is a finding; an unreadable raw image is not.
func TestCompareUnreadable(t *testing.T) {
	b := read(t, mustPack(t, rawFile(t), "x.qcow2", Options{}).Path)
	report := &Report{}
	if err := report.Compare(t.Context(), bytes.NewReader(b), int64(len(b)), broken{}); err == nil || len(report.Findings) > 0 {
		t.Errorf("%v %v", err, report.Findings)
	}
	b[131072] = 0xff
	raw := content()
	err := report.Compare(t.Context(), bytes.NewReader(b), int64(len(b)), grain.ReaderAt(bytes.NewReader(raw), int64(len(raw))))
	if err != nil || len(report.Findings) != 1 || !strings.HasPrefix(report.Findings[0].String(), "disk at byte 0: it cannot be compared with the raw image: reading disk at byte 0") {
		t.Errorf("%v %v", err, report.Findings)
	}
}

// Tables that do not say for certain where the disk is end the reading, and the report says so; a wrong count does not.
func TestVerifyLostDisk(t *testing.T) {
	good := read(t, mustPack(t, goodDisk(t), "x.qcow2", Options{}).Path)
	table := int(binary.BigEndian.Uint64(good[65536:]) & (1<<56 - 1))
	const lost = "disk at byte 0: it was not read, as the tables do not say for certain where it is"
	for name, c := range map[string]struct {
		spoil func([]byte)
		want  bool
	}{
		"twice":      {func(b []byte) { copy(b[table+8*17:], b[table+8*16:table+8*17]) }, true},
		"outside":    {func(b []byte) { b[table+8*16+1] = 1 }, true},
		"count":      {func(b []byte) { b[len(b)-65536+1] ^= 1 }, false},
		"copied bit": {func(b []byte) { b[65536] ^= 0x80 }, false},
	} {
		b := bytes.Clone(good)
		c.spoil(b)
		if report, got := check(t, b); strings.Contains(got, lost) != c.want || (report.RootFiles == 0) != c.want {
			t.Errorf("%s: %d files\n%s", name, report.RootFiles, got)
		}
	}
}

// A forgiving disk counts what it is told of, and keeps the first ones, in whatever order they come.
func TestForgivingCounts(t *testing.T) {
	f := &forgiving{Source: broken{}}
	for i := range 100_000 {
		if _, err := f.ReadAt(make([]byte, 1), int64(i*7919%100_000)); err != nil {
			t.Fatal(err)
		}
	}
	f.sort()
	if f.count != 100_000 || len(f.bad) != mostFindings+1 || cap(f.bad) > 1000 || f.bad[mostFindings].at != mostFindings {
		t.Errorf("%d counted, %d kept in %d", f.count, len(f.bad), cap(f.bad))
	}
}

// An interrupt ends a search for data that never finds any.
func TestMeteredCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := &manyExtents{then: cancel, after: 1000}
	if _, err := metered(ctx, m, func(int64, int64) {}); !errors.Is(err, context.Canceled) || m.asked > 1001 {
		t.Errorf("%v after %d extents", err, m.asked)
	}
}

// manyExtents is a disk of holes and single bytes, and does something after so many of them.
type manyExtents struct {
	broken
	asked, after int
	then         func()
}

func (m *manyExtents) Data(off int64) (int64, int64, error) {
	if m.asked++; m.asked == m.after {
		m.then()
	}
	return off + 1, off + 2, nil
}
