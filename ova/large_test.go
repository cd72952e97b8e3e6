package ova

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// large makes a sparse archive whose disk has size bytes of zeros, header by header as Write does.
func large(t *testing.T, size int64) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "node.ova"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	p := testPackage()
	p.Disks[0].Size = size
	members, err := p.members()
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(f)
	for i, m := range members {
		if err := w.WriteHeader(m.header(p.Time)); err != nil {
			t.Fatal(err)
		}
		if i < 2 {
			if err := m.copy(t.Context(), w); err != nil {
				t.Fatal(err)
			}
		}
	}
	total, err := p.Size()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(total); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestLargeDisk has disks at both sides of what 11 octal digits can hold.
func TestLargeDisk(t *testing.T) {
	for _, c := range []struct {
		size   int64
		magic  string
		binary bool
	}{
		{ustarLimit - 1, magicUSTAR, false}, {ustarLimit, magicGNU, true}, {ustarLimit + 1, magicGNU, true}, {5 << 40, magicGNU, true},
	} {
		f := large(t, c.size)
		st, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		a, err := Open(f, st.Size())
		if err != nil {
			t.Fatal(err)
		}
		m, ok := a.Member("node.vmdk")
		if !ok || m.Size != c.size || m.Magic != c.magic || m.Binary != c.binary || m.Content().Size() != c.size {
			t.Errorf("%d: %+v", c.size, m.Header)
		}
		if ovf := a.Members[0]; ovf.Magic != magicUSTAR {
			t.Errorf("%d: the descriptor has magic %q", c.size, ovf.Magic)
		}
		k := newChecker(a)
		k.headers()
		k.end()
		k.descriptor("node.ovf")
		if k.err != nil || k.found.Count() > 0 {
			t.Errorf("%d: %v %s", c.size, k.err, lines(k.found.Sorted(0)))
		}
		if got := run(t, filepath.Dir(f.Name()), "tar", "--numeric-owner", "-tvf", "node.ova"); strings.Count(got, "\n") != 3 || !strings.Contains(got, " 0/0 ") {
			t.Errorf("%d: tar lists\n%s", c.size, got)
		}
	}
}

// TestWrongFormatOfLargeDisk spoils the header of a disk of 8 GiB, and of a small one.
func TestWrongFormatOfLargeDisk(t *testing.T) {
	for want, c := range map[string]struct {
		size   int64
		format tar.Format
	}{
		"is a PAX header: importers cannot read it":            {ustarLimit, tar.FormatPAX},
		`"node.vmdk" has magic "ustar  \x00", want "ustar\x00`: {1000, tar.FormatGNU},
	} {
		var out bytes.Buffer
		h := member{name: "node.vmdk", size: c.size}.header(time.Unix(testTime, 0))
		h.Format = c.format
		if err := tar.NewWriter(&out).WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		head := out.Bytes()
		total := int64(len(head)) + padded(c.size) + 2*blockSize
		a, err := Open(io.NewSectionReader(sparse(head), 0, total), total)
		if err != nil {
			t.Fatal(err)
		}
		k := newChecker(a)
		k.headers()
		if got := lines(k.found.Sorted(0)); !strings.Contains(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// sparse is some bytes with zeros after them, without an end.
type sparse []byte

func (s sparse) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if off < int64(len(s)) {
		copy(p, s[off:])
	}
	return len(p), nil
}
