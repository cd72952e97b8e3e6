package payload

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const anELF = "\x7fELF and so on"

type fakeFetcher struct {
	content []byte
	size    int64
	err     error
}

func (f fakeFetcher) Fetch(context.Context, string) (io.ReadCloser, int64, error) {
	return io.NopCloser(bytes.NewReader(f.content)), f.size, f.err
}

func tarball(t *testing.T, members ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	gz := gzip.NewWriter(&buf)
	w := tar.NewWriter(gz)
	for _, m := range members {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: m, Size: int64(len(anELF)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, anELF); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func release(content []byte, names ...string) Item {
	i := Item{Name: "etcd", Version: "v3.6.16", Source: SourceRelease, URL: "https://x/y", SHA256: fmt.Sprintf("%x", sha256.Sum256(content))}
	for _, n := range names {
		i.Binaries = append(i.Binaries, Binary{Name: n, Path: "/usr/bin/" + n})
	}
	return i
}

func TestRelease(t *testing.T) {
	for name, content := range map[string][]byte{
		"archive": tarball(t, "etcd-v3/README", "etcd-v3/etcd", "etcd-v3/etcdctl"),
	} {
		env := fakeEnv(t, &fakeGo{})
		env.Fetch = fakeFetcher{content: content, size: int64(len(content))}
		var last Event
		env.Progress = func(e Event) { last = e }
		res, err := Build(t.Context(), release(content, "etcd", "etcdctl"), env)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, f := range res.Files {
			info, err := os.Stat(f.HostPath)
			if err != nil || info.Mode().Perm() != 0o755 || f.Size != int64(len(anELF)) {
				t.Errorf("%s: %+v: %v", name, f, err)
			}
		}
		if last.Done != int64(len(content)) || last.Total != last.Done {
			t.Errorf("progress ended at %d of %d", last.Done, last.Total)
		}
	}
}

func TestReleaseRefusals(t *testing.T) {
	whole := tarball(t, "etcd", "etcdctl")
	for _, c := range []struct {
		name    string
		fetch   fakeFetcher
		item    Item
		want    string
		digests bool
	}{
		{"wrong digest", fakeFetcher{content: []byte(anELF), size: -1}, release(whole, "etcd"), "set payloads.etcd.sha256", true},
		{"cut off", fakeFetcher{content: whole[:9], size: int64(len(whole))}, release(whole, "etcd"), "got 9 of", false},
		{"no network", fakeFetcher{err: errors.New("dial tcp: refused")}, release(whole, "etcd"), "is the url right", false},
		{"not in the archive", fakeFetcher{content: whole, size: -1}, release(whole, "etcd", "etcdutl"), "the archive has no etcdutl", false},
		{"two of a name", fakeFetcher{content: tarball(t, "a/etcd", "b/etcd"), size: -1}, release(tarball(t, "a/etcd", "b/etcd"), "etcd"), "could be etcd", false},
		{"no archive", fakeFetcher{content: []byte(anELF), size: -1}, release([]byte(anELF), "etcd", "etcdctl"), "it is no .tar.gz, and 2 programs", false},
		{"no program", fakeFetcher{content: []byte("<html>"), size: -1}, release([]byte("<html>"), "etcd"), "no ELF header", false},
	} {
		env := fakeEnv(t, &fakeGo{})
		env.Fetch = c.fetch
		_, err := Build(t.Context(), c.item, env)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
			continue
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(c.fetch.content)); c.digests && (!strings.Contains(err.Error(), got) || !strings.Contains(err.Error(), c.item.SHA256)) {
			t.Errorf("%s: %v does not name both digests", c.name, err)
		}
		if names := left(t, env.CacheDir); len(names) != 0 {
			t.Errorf("%s: left %v", c.name, names)
		}
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slipwayd")
	if err := os.WriteFile(path, []byte(anELF), 0o600); err != nil {
		t.Fatal(err)
	}
	item := release([]byte(anELF), "slipwayd")
	item.Source, item.Path = SourceFile, path
	res, err := Build(t.Context(), item, fakeEnv(t, &fakeGo{}))
	if err != nil || res.Files[0].SHA256 != item.SHA256 {
		t.Errorf("%+v: %v", res.Files, err)
	}
	item.Path = filepath.Dir(path)
	if _, err := Build(t.Context(), item, fakeEnv(t, &fakeGo{})); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	item.Path = "/nowhere/x"
	if _, err := Build(t.Context(), item, fakeEnv(t, &fakeGo{})); err == nil || !strings.Contains(err.Error(), "relative to the spec") {
		t.Errorf("nothing: %v", err)
	}
}
