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
	"testing/synctest"
	"time"
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

// endless sends zeros for ever, or nothing at all.
type endless struct {
	every time.Duration
	done  <-chan struct{}
}

func (e endless) Read(p []byte) (int, error) {
	if e.every == 0 {
		<-e.done
		return 0, errors.New("connection closed")
	}
	time.Sleep(e.every)
	return 1, nil
}

func (endless) Close() error { return nil }

// endlessFetcher stops sending when the request's context ends, as HTTP does.
type endlessFetcher struct {
	every  time.Duration
	silent bool // not even an answer
}

func (f endlessFetcher) Fetch(ctx context.Context, _ string) (io.ReadCloser, int64, error) {
	if f.silent {
		<-ctx.Done()
		return nil, 0, ctx.Err()
	}
	return endless{f.every, ctx.Done()}, -1, nil
}

// A server may send nothing, or a byte a minute for ever, or more than any disk holds.
func TestDownloadsAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		fetch Fetcher
		took  time.Duration
		want  string
	}{
		"no answer":    {endlessFetcher{silent: true}, time.Minute, "nothing came for 1m0s"},
		"no content":   {endlessFetcher{}, time.Minute, "nothing came for 1m0s"},
		"a drip":       {endlessFetcher{every: 59 * time.Second}, 2 * time.Hour, "it took longer than 2h0m0s"},
		"without end":  {endlessFetcher{every: time.Millisecond}, 0, "it has more than 0 MiB"},
		"said to grow": {fakeFetcher{content: make([]byte, 3000), size: 3000}, 0, "it has more than 0 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				env := fakeEnv(t, &fakeGo{})
				env.Fetch, env.bounds = c.fetch, defaults()
				env.bounds.download = 2000
				start := time.Now()
				_, err := Build(t.Context(), release([]byte("x"), "etcd"), env)
				if err == nil || !strings.Contains(err.Error(), `fetching "https://x/y": `+c.want) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(start); c.took > 0 && (took < c.took || took > c.took+time.Minute) {
					t.Errorf("it took %v", took)
				}
				if c.took > 0 && !strings.Contains(err.Error(), "\nhint: try again later") {
					t.Errorf("no way out: %v", err)
				}
			})
		})
	}
}

// An interruption stays one, and is no server's fault.
func TestInterruptedDownload(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	env := fakeEnv(t, &fakeGo{})
	env.Fetch = endlessFetcher{}
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := Build(ctx, release([]byte("x"), "etcd"), env); !errors.Is(err, context.Canceled) && (err == nil || strings.Contains(err.Error(), "nothing came")) {
		t.Errorf("got %v", err)
	}
}

func TestUnpackingIsBounded(t *testing.T) {
	archive := tarball(t, "etcd", "etcdctl")
	for want, b := range map[string]bounds{
		`member "etcd": the program has more than 0 MiB`: {download: 1 << 20, unpacked: 1 << 20, program: 4, patience: time.Hour, time: time.Hour},
		"the archive has more than 0 MiB":                {download: 1 << 20, unpacked: 600, program: 1 << 20, patience: time.Hour, time: time.Hour},
	} {
		env := fakeEnv(t, &fakeGo{})
		env.Fetch, env.bounds = fakeFetcher{content: archive, size: -1}, b
		if _, err := Build(t.Context(), release(archive, "etcd", "etcdctl"), env); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if names := left(t, env.CacheDir); len(names) != 0 {
			t.Errorf("left %v", names)
		}
	}
}
