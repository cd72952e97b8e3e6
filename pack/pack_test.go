package pack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"slipway/internal/golden"
)

func TestFile(t *testing.T) {
	raw := rawFile(t)
	for name, o := range targets() {
		var done, total int64
		o.Progress = func(d, n int64) { done, total = d, n }
		res := mustPack(t, raw, name, o)
		b := read(t, res.Path)
		if res.Size != int64(len(b)) || res.SHA256 != fmt.Sprintf("%x", sha256.Sum256(b)) {
			t.Errorf("%s: %+v is not what the file is", name, res)
		}
		got := disk(t, res.Path)
		if want := append(content(), make([]byte, max(0, len(got)-len(content())))...); !bytes.Equal(got, want) {
			t.Errorf("%s: another disk", name)
		}
		if res.Capacity != int64(len(got)) {
			t.Errorf("%s: capacity %d of a disk of %d bytes", name, res.Capacity, len(got))
		}
		if done != total || total < mib/2 || total >= 3*mib {
			t.Errorf("%s: %d of %d bytes are done at the end", name, done, total)
		}
		if got := names(t, filepath.Dir(res.Path)); got != name {
			t.Errorf("%s: beside it there is %s", name, got)
		}
	}
}

// The same disk makes the same bytes: on any machine, by any number of workers, from any format.
func TestSameBytes(t *testing.T) {
	raw := rawFile(t)
	var sums strings.Builder
	for _, name := range slices.Sorted(maps.Keys(targets())) {
		o := targets()[name]
		o.Workers = 1
		one := mustPack(t, raw, name, o)
		o.Workers = 5
		if five := mustPack(t, raw, name, o); five.SHA256 != one.SHA256 {
			t.Errorf("%s: %s by one worker, %s by five", name, one.SHA256, five.SHA256)
		}
		fmt.Fprintf(&sums, "%s  %s\n", one.SHA256, name)
		again := mustPack(t, mustPack(t, one.Path, "y.qcow2", Options{}).Path, name, o)
		if want := disk(t, one.Path); !bytes.Equal(disk(t, again.Path), want) {
			t.Errorf("%s: another disk after packing it again", name)
		}
		if again.Format != QCOW2 && again.SHA256 != one.SHA256 { // the other formats round the size up to 1 MiB, for good
			t.Errorf("%s: %s from raw, %s from itself", name, one.SHA256, again.SHA256)
		}
	}
	golden.Check(t, "testdata/SHA256SUMS", sums.String())
}

func TestFormatOf(t *testing.T) {
	for name, want := range map[string]Format{
		"a.qcow2": QCOW2, "b/a.VMDK": VMDK, "a.b.ova": OVA, "a": "", "ova": "", "a.raw": "", "a.ova/": "", "": "",
	} {
		if got, err := FormatOf(name); got != want || (err == nil) != (want != "") || err != nil && exitCode(err) != 2 {
			t.Errorf("%q: %q %v", name, got, err)
		}
	}
}

// TestRefusals is about input that is wrong: exit code 2, and nothing at all was written.
func TestRefusals(t *testing.T) {
	raw := rawFile(t)
	whole := mustPack(t, raw, "x.ova", Options{Machine: machine()})
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, b := range map[string][]byte{
		"empty.raw": nil, "cut.raw": content()[:2*mib], "almost.raw": content()[:3*mib+511],
		"cut.ova": read(t, whole.Path)[:2000], "bad.vmdk": []byte("KDMV"), "there.vmdk": []byte("old"),
	} {
		if err := os.WriteFile(in(name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(syscall.Mkfifo(in("pipe"), 0o644), os.Mkdir(in("dir.vmdk"), 0o755), os.Symlink("there.vmdk", in("link.vmdk"))); err != nil {
		t.Fatal(err)
	}
	bad := machine()
	bad.Hardware.CPUs = 0
	before := listing(t, dir)
	for name, c := range map[string]struct {
		raw, out string
		o        Options
		want     string
	}{
		"no raw":         {in("no.raw"), in("x.vmdk"), Options{}, "opening an image: stat " + in("no.raw") + ": no such file"},
		"raw is folder":  {dir, in("x.vmdk"), Options{}, "is neither a regular file nor a block device"},
		"raw is pipe":    {in("pipe"), in("x.vmdk"), Options{}, "is neither a regular file nor a block device"},
		"raw is empty":   {in("empty.raw"), in("x.vmdk"), Options{}, "the file is empty"},
		"raw is cut":     {in("cut.raw"), in("x.vmdk"), Options{}, "it was cut short: its partition table ends at sector 6144, the disk at 4096\nhint: copy"},
		"last sector":    {in("almost.raw"), in("x.vmdk"), Options{}, "it was cut short"},
		"OVA is cut":     {in("cut.ova"), in("x.vmdk"), Options{}, "opening the disk in"},
		"VMDK is bad":    {in("bad.vmdk"), in("x.vmdk"), Options{}, "opening VMDK: reading header"},
		"out exists":     {raw, in("there.vmdk"), Options{}, "exists\nhint: --force replaces it"},
		"out is folder":  {raw, in("dir.vmdk"), Options{Force: true}, "is no regular file"},
		"out is link":    {raw, in("link.vmdk"), Options{Force: true}, "is a symbolic link\nhint: name the file itself"},
		"no folder":      {raw, in("none/x.vmdk"), Options{}, "no such file or directory"},
		"folder is file": {raw, in("there.vmdk/x.vmdk"), Options{}, "not a directory"},
		"long name":      {raw, in(strings.Repeat("x", 250) + ".vmdk"), Options{}, "file name too long"},
		"raw again":      {raw, in("x.raw"), Options{}, `format "raw" cannot be written`},
		"no processor":   {raw, in("x.ova"), Options{Machine: bad}, "0 CPUs are not between"},
	} {
		f := Format(strings.TrimPrefix(filepath.Ext(c.out), "."))
		_, err := File(t.Context(), c.raw, c.out, f, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || exitCode(err) != 2 {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if after := listing(t, dir); after != before {
			t.Fatalf("%s: changed the folder from\n%s\nto\n%s", name, before, after)
		}
	}
}

// TestCancel ends the work when a part of the disk was read, and then when all was.
func TestCancel(t *testing.T) {
	raw := rawFile(t)
	for name, o := range targets() {
		for _, when := range []string{"at once", "late"} {
			dir := t.TempDir()
			out := filepath.Join(dir, name)
			if err := os.WriteFile(out, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			o.Force, o.Workers = true, 1
			o.Progress = func(done, total int64) {
				if when == "at once" || done == total {
					cancel()
				}
			}
			f, _ := FormatOf(name)
			if _, err := File(ctx, raw, out, f, o); !errors.Is(err, context.Canceled) {
				t.Errorf("%s, %s: %v", name, when, err)
			}
			cancel()
			if got := string(read(t, out)); got != "old" || names(t, dir) != name {
				t.Errorf("%s, %s: %q, in the folder are %s", name, when, got, names(t, dir))
			}
		}
	}
}
