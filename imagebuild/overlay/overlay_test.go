package overlay

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"slipway/internal/golden"
)

func entries(t *testing.T) []Entry {
	t.Helper()
	host := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(host, []byte("ELF"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []Entry{
		{Path: "/usr/lib/systemd/system/a.service", Mode: 0o644, Content: []byte("[Unit]\n")},
		{Path: "/usr/bin/kube", Mode: 0o755, Host: host, Sum: "1"},
		{Path: "/usr/bin/kubelet", Link: "kube"},
		{Path: "/usr/lib/a-b", Mode: 0o644, Content: []byte("sorts before lib/a/x by byte, after it by tree")},
		{Path: "/usr/lib/a/x", Mode: 0o400, Content: []byte("x")},
		{Path: "/var/lib/slipway", Dir: true, Mode: 0o700},
		{Path: "/var/lib/slipway/journal.json", Mode: 0o600, Content: []byte("{}")},
	}
}

func pack(t *testing.T, list []Entry, epoch int64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteTar(&b, list, epoch); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func list(t *testing.T, raw []byte) string {
	t.Helper()
	var b strings.Builder
	for r := tar.NewReader(bytes.NewReader(raw)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %d:%d %d %d %s %s\n", h.FileInfo().Mode(), h.Uid, h.Gid, h.ModTime.Unix(), h.Size, h.Name, h.Linkname)
	}
}

func TestTarListing(t *testing.T) {
	got := list(t, pack(t, entries(t), 1_780_000_000))
	golden.Check(t, "testdata/listing.txt", got)
}

func TestTarDoesNotDependOnOrder(t *testing.T) {
	in := entries(t)
	turned := slices.Clone(in)
	slices.Reverse(turned)
	a, b := pack(t, in, 7), pack(t, turned, 7)
	if la, lb := list(t, a), list(t, b); la != lb {
		t.Errorf("listings differ:\n%s\n%s", la, lb)
	}
	if !bytes.Equal(a, b) {
		t.Error("bytes differ though the listings agree")
	}
	if Digest(in) != Digest(turned) {
		t.Error("digests differ")
	}
}

func TestLaterEntryWins(t *testing.T) {
	in := []Entry{{Path: "/a", Mode: 0o644, Content: []byte("first")}, {Path: "/a", Mode: 0o600, Content: []byte("2")}}
	if got := list(t, pack(t, in, 0)); got != "-rw------- 0:0 0 1 a \n" {
		t.Errorf("got %q", got)
	}
}

func TestDigestSeesContentNotHostPath(t *testing.T) {
	in := Entry{Path: "/a", Mode: 0o755, Host: "/here/a", Sum: "1"}
	base := Digest([]Entry{in})
	moved := in
	moved.Host = "/there/a"
	if Digest([]Entry{moved}) != base {
		t.Error("the path on the build machine is part of the digest")
	}
	for name, change := range map[string]func(*Entry){
		"sum": func(e *Entry) { e.Sum = "2" }, "mode": func(e *Entry) { e.Mode = 0o700 },
		"path": func(e *Entry) { e.Path = "/b" }, "content": func(e *Entry) { e.Content = []byte("x") }, "link": func(e *Entry) { e.Link = "x" },
	} {
		other := in
		change(&other)
		if Digest([]Entry{other}) == base {
			t.Errorf("another %s gives the same digest", name)
		}
	}
}

func TestMissingHostFileIsNamed(t *testing.T) {
	err := WriteTar(io.Discard, []Entry{{Path: "/usr/bin/kube", Host: "/nonexistent/kube"}}, 0)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "adding /usr/bin/kube: ") {
		t.Errorf("got %v", err)
	}
}

func TestFromFS(t *testing.T) {
	fsys := fstest.MapFS{"files/root/etc/a": {Data: []byte("a")}, "files/root/usr/b": {Data: []byte("b")}, "files/other": {Data: []byte("c")}}
	got, err := FromFS(fsys, "files/root", "/dest")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, e := range got {
		paths = append(paths, fmt.Sprint(e.Path, " ", e.Mode, " ", string(e.Content)))
	}
	if want := []string{"/dest/etc/a -rw-r--r-- a", "/dest/usr/b -rw-r--r-- b"}; !slices.Equal(paths, want) {
		t.Errorf("got %q", paths)
	}
	if _, err := FromFS(fsys, "nowhere", "/"); err == nil {
		t.Error("a root that is not there gave no error")
	}
}
