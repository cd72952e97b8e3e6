package distro

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"slipway/internal/durable"
)

// mirror serves the name of each file as its content and counts.
func mirror(t *testing.T) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var hits atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		io.WriteString(w, filepath.Base(r.URL.Path))
	}))
	t.Cleanup(srv.Close)
	return srv, &hits
}

func TestFetchFillsThePoolOnce(t *testing.T) {
	srv, hits := mirror(t)
	var last, total atomic.Int64
	f := Fetcher{Suffix: ".deb", Pool: filepath.Join(t.TempDir(), "pool"), Places: at(srv.URL), Client: srv.Client(), Done: func(n, of int64) { last.Store(max(n, last.Load())); total.Store(of) }}
	pkgs := []Package{archive("a", "a.deb", "a.deb"), archive("bb", "bb.deb", "bb.deb")}
	for range 2 {
		if err := f.Fetch(t.Context(), pkgs); err != nil {
			t.Fatal(err)
		}
	}
	if hits.Load() != 2 {
		t.Errorf("%d requests for two archives", hits.Load())
	}
	if last.Load() != 11 || total.Load() != 11 {
		t.Errorf("progress ended at %d of %d", last.Load(), total.Load())
	}
	for _, p := range pkgs {
		if sum, err := durable.Digest(f.PoolFile(p)); err != nil || sum != p.SHA256 {
			t.Errorf("%s: %s %v", p.Name, sum, err)
		}
	}
	if err := os.Truncate(f.PoolFile(pkgs[0]), 1); err != nil { // a file cut short is fetched again
		t.Fatal(err)
	}
	if err := f.Fetch(t.Context(), pkgs); err != nil || hits.Load() != 3 {
		t.Errorf("%d requests, %v", hits.Load(), err)
	}
}

func TestFetchRefusesAnotherDigest(t *testing.T) {
	srv, _ := mirror(t)
	f := Fetcher{Suffix: ".deb", Pool: t.TempDir(), Places: at(srv.URL), Client: srv.Client()}
	want, got := archive("jq", "jq.deb", "other.deb"), archive("jq", "other.deb", "")
	err := f.Fetch(t.Context(), []Package{want})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"fetching jq 1.0-1: the digest does not match", want.SHA256, got.SHA256, "\nhint: "} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	if left := files(t, f.Pool); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestFetchGone(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusGone} {
		hits := 0
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { hits++; w.WriteHeader(status) }))
		defer srv.Close()
		p := archive("containerd", "x", "pool/containerd.deb")
		f := Fetcher{Suffix: ".deb", Snapshots: "https://snapshot.debian.org/archive/debian/<time>", Pool: t.TempDir(), Places: at(srv.URL), Client: srv.Client()}
		err := f.Fetch(t.Context(), []Package{p})
		gone, ok := errors.AsType[*GoneError](err)
		if want := srv.URL + "/" + p.Path; !ok || gone.Package != p || hits != 1 || !slices.Equal(gone.URLs, []string{want}) {
			t.Fatalf("%d requests, %v", hits, err)
		}
		for _, part := range []string{"containerd 1.0-1", srv.URL + "/pool/containerd.deb", "--update=containerd", "https://snapshot.debian.org/archive/debian/", "--vendor", p.SHA256} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q is not in: %v", part, err)
			}
		}
	}
}

// transport answers requests by their number, from 1, without a network.
type transport func(n int64) (*http.Response, error)

func (f transport) client() (*http.Client, *atomic.Int64) {
	var n atomic.Int64
	return &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return f(n.Add(1)) })}, &n
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: io.NopCloser(strings.NewReader(body))}
}

func TestFetchTriesThreeTimes(t *testing.T) {
	down := errors.New("connection refused")
	for _, c := range []struct {
		name  string
		reply transport
		tries int64
		want  []string // nothing: it works
	}{
		{"mirror down", func(int64) (*http.Response, error) { return nil, down }, 3,
			[]string{"fetching jq: ", "http://mirror.example/jq.deb", "connection refused", "\nhint: is the mirror reachable?"}},
		{"server error", func(int64) (*http.Response, error) { return answer(503, ""), nil }, 3,
			[]string{"fetching jq: http://mirror.example/jq.deb answers Service Unavailable", "\nhint: try again later"}},
		{"recovers", func(n int64) (*http.Response, error) {
			if n < 3 {
				return nil, down
			}
			return answer(200, "jq"), nil
		}, 3, nil},
		{"cut off", func(n int64) (*http.Response, error) {
			resp := answer(200, "jq")
			if n < 3 {
				resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("j"), iotest.ErrReader(io.ErrUnexpectedEOF)))
			}
			return resp, nil
		}, 3, nil},
		{"always cut off", func(int64) (*http.Response, error) {
			resp := answer(200, "")
			resp.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))
			return resp, nil
		}, 3, []string{"fetching jq: unexpected EOF"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, n := c.reply.client()
				f := Fetcher{Suffix: ".deb", Pool: t.TempDir(), Places: at("http://mirror.example"), Client: client}
				err := f.Fetch(t.Context(), []Package{archive("jq", "jq", "jq.deb")})
				if n.Load() != c.tries || (err == nil) != (c.want == nil) {
					t.Fatalf("%d tries, %v", n.Load(), err)
				}
				for _, part := range c.want {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%q is not in: %v", part, err)
					}
				}
			})
		})
	}
}

func TestVendorFolderComesFirst(t *testing.T) {
	srv, hits := mirror(t)
	vendor := t.TempDir()
	for name, content := range map[string]string{"pool/a/any-name.deb": "a.deb", "wrong.deb": "not what the lock says", "b.txt": "b.deb"} {
		writeFile(t, filepath.Join(vendor, name), content)
	}
	f := Fetcher{Suffix: ".deb", Pool: t.TempDir(), Vendor: vendor, Places: at(srv.URL), Client: srv.Client()}
	a, b := archive("a", "a.deb", "gone/a.deb"), archive("b", "b.deb", "b.deb")
	if err := f.Fetch(t.Context(), []Package{a}); err != nil || hits.Load() != 0 {
		t.Fatalf("%d requests, %v", hits.Load(), err)
	}
	if err := f.Fetch(t.Context(), []Package{a, b}); err != nil || hits.Load() != 1 {
		t.Fatalf("what the folder lacks comes from the mirror: %d requests, %v", hits.Load(), err)
	}
}

func TestCancelledFetchLeavesNothing(t *testing.T) {
	const content = "half and half"
	half := make(chan struct{})
	stalled := true
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !stalled {
			io.WriteString(w, content)
			return
		}
		w.Header().Set("Content-Length", "13")
		io.WriteString(w, content[:5])
		w.(http.Flusher).Flush()
		close(half)
		<-r.Context().Done()
	}))
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-half; cancel() }()
	f := Fetcher{Suffix: ".deb", Pool: t.TempDir(), Places: at(srv.URL), Client: srv.Client()}
	pkgs := []Package{archive("a", content, "a.deb")}
	if err := f.Fetch(ctx, pkgs); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if left := files(t, f.Pool); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	stalled = false
	if err := f.Fetch(t.Context(), pkgs); err != nil {
		t.Errorf("the next run: %v", err)
	}
	if got := files(t, f.Pool); len(got) != 1 {
		t.Errorf("the pool holds %v", got)
	}
}

func TestFetchSweepsThePool(t *testing.T) {
	srv, _ := mirror(t)
	f := Fetcher{Suffix: ".deb", Pool: t.TempDir(), Places: at(srv.URL), Client: srv.Client()}
	for name, age := range map[string]time.Duration{"part-old": 25 * time.Hour, "part-new": time.Hour, "other": 25 * time.Hour} {
		path := filepath.Join(f.Pool, name)
		if err := errors.Join(os.WriteFile(path, nil, 0o644), os.Chtimes(path, time.Time{}, time.Now().Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Fetch(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if left := files(t, f.Pool); !slices.Equal(left, []string{"other", "part-new"}) {
		t.Errorf("left %v", left)
	}
}

// stalled is a body that sends nothing until its request is given up.
type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) { <-s.ctx.Done(); return 0, s.ctx.Err() }

func TestFetchGivesUpOnSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, n := time.Now(), 0
		client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			n++
			resp := answer(200, "")
			resp.Body = io.NopCloser(stalled{r.Context()})
			return resp, nil
		})}
		err := Fetcher{Suffix: ".deb", Pool: t.TempDir(), Places: at("http://mirror.example"), Client: client}.Fetch(t.Context(), []Package{archive("jq", "jq", "jq.deb")})
		if n != tries || err == nil || !strings.Contains(err.Error(), "fetching jq: nothing came for 1m0s") {
			t.Fatalf("%d tries, %v", n, err)
		}
		if took := time.Since(start); took < tries*patience || took > (tries+1)*patience {
			t.Errorf("gave up after %v", took)
		}
	})
}

// A file of the pool is what its name says only if its digest says so.
func TestDamagedPoolIsFetchedAnew(t *testing.T) {
	srv, hits := mirror(t)
	f := Fetcher{Suffix: ".deb", Pool: t.TempDir(), Places: at(srv.URL), Client: srv.Client()}
	p := archive("a", "a.deb", "a.deb")
	writeFile(t, f.PoolFile(p), "A.deb") // the right size
	for range 2 {
		if err := f.Fetch(t.Context(), []Package{p}); err != nil {
			t.Fatal(err)
		}
		if sum, err := durable.Digest(f.PoolFile(p)); err != nil || sum != p.SHA256 || hits.Load() != 1 {
			t.Errorf("%d requests, the pool has %s: %v", hits.Load(), sum, err)
		}
	}
}

// drip sends a byte now and then, or much at once, for ever.
type drip struct{ every time.Duration }

func (d drip) Read(p []byte) (int, error) {
	if d.every == 0 {
		return len(p), nil
	}
	time.Sleep(d.every)
	return copy(p, "x"), nil
}

func (drip) Close() error { return nil }

// A server may send more than the archive has, or so slowly that it never ends.
func TestFetchIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		every time.Duration
		size  int64
		want  string
	}{
		"too much": {0, 4, "fetching jq 1.0-1: it goes on beyond the 4 bytes that are locked"},
		"too slow": {59 * time.Second, 1 << 20, "fetching jq: it took longer than 2h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, n := transport(func(int64) (*http.Response, error) {
					resp := answer(200, "")
					resp.Body = drip{c.every}
					return resp, nil
				}).client()
				p := archive("jq", "jq", "jq.deb")
				p.Size = c.size
				f := Fetcher{Suffix: ".deb", Pool: t.TempDir(), Places: at("http://mirror.example"), Client: client}
				err := f.Fetch(t.Context(), []Package{p})
				if err == nil || !strings.HasPrefix(err.Error(), c.want) || !strings.Contains(err.Error(), "\nhint: ") || n.Load() != 1 {
					t.Errorf("%d requests, %v", n.Load(), err)
				}
				if left := files(t, f.Pool); len(left) > 0 {
					t.Errorf("left %v", left)
				}
			})
		})
	}
}

func TestVendorFolderMayBeAMirror(t *testing.T) {
	vendor := t.TempDir()
	p := archive("jq", "content", "nowhere")
	writeFile(t, filepath.Join(vendor, "pool/main/j/jq/jq.deb"), "content")
	writeFile(t, filepath.Join(vendor, "pool/main/j/jq/same-size.deb"), "another")
	f := Fetcher{Suffix: ".deb", Pool: t.TempDir(), Vendor: vendor, Places: at("")}
	if err := f.Fetch(t.Context(), []Package{p}); err != nil {
		t.Fatal(err)
	}
	if sum, err := durable.Digest(f.PoolFile(p)); err != nil || sum != p.SHA256 {
		t.Errorf("%s %v", sum, err)
	}
}

func TestPlaces(t *testing.T) {
	m := Mirrors{"main": "http://a/debian/", "security": "file:///b", "updates": "http://a/debian"}
	got := Places(Package{Archive: "security"}, m, "pool/g++ 1.deb")
	if want := []string{"file:///b/pool/g%2B%2B%201.deb", "http://a/debian/pool/g%2B%2B%201.deb"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
