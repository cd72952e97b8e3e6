package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"slipway/internal/durable"
)

// Fetcher brings archives into a pool: one file per digest, so the pool never goes stale.
type Fetcher struct {
	Pool   string // directory, files named <sha256>.deb
	Vendor string // optional directory of .deb files to look into before the network
	Client *http.Client
	Done   func(bytes, total int64) // progress; may be nil
}

const (
	partial         = "part-" // begins the name of an archive that is not whole yet
	parallelFetches = 8
	tries           = 3           // of each archive
	patience        = time.Minute // with a server that sends nothing
)

// Fetch makes sure that every package is in the pool with the right digest.
func (f Fetcher) Fetch(ctx context.Context, pkgs []Package) error {
	if err := os.MkdirAll(f.Pool, 0o755); err != nil {
		return fmt.Errorf("making the package pool: %w", err)
	}
	f.sweep()
	vendored, err := f.vendored()
	if err != nil {
		return err
	}
	var total int64
	for _, p := range pkgs {
		total += p.Size
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var done atomic.Int64
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallelFetches)
	for _, p := range pkgs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := f.one(ctx, p, vendored[p.SHA256]); err != nil {
				cancel(err)
				return
			}
			if n := done.Add(p.Size); f.Done != nil {
				f.Done(n, total)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// sweep removes what killed runs left behind: no download takes a day.
func (f Fetcher) sweep() {
	left, _ := filepath.Glob(filepath.Join(f.Pool, partial+"*"))
	for _, name := range left {
		if st, err := os.Stat(name); err == nil && time.Since(st.ModTime()) > 24*time.Hour {
			os.Remove(name)
		}
	}
}

// PoolFile is where the pool keeps p.
func (f Fetcher) PoolFile(p Package) string { return filepath.Join(f.Pool, p.SHA256+".deb") }

// one tries three times, unless trying again is of no use.
func (f Fetcher) one(ctx context.Context, p Package, vendored string) error {
	if st, err := os.Stat(f.PoolFile(p)); err == nil && st.Size() == p.Size {
		return nil
	}
	for attempt := 1; ; attempt++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := f.try(ctx, p, vendored)
		if _, again := errors.AsType[*networkError](err); !again || attempt == tries {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(attempt) * time.Second):
		}
	}
}

func (f Fetcher) try(ctx context.Context, p Package, vendored string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	src, err := f.open(ctx, p, vendored)
	if err != nil {
		return err
	}
	defer src.Close()
	return f.store(p, &patientReader{src, time.AfterFunc(patience, cancel)})
}

func (f Fetcher) open(ctx context.Context, p Package, vendored string) (io.ReadCloser, error) {
	if vendored != "" {
		return os.Open(vendored)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return nil, err
	}
	resp, err := f.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w\nhint: is the mirror reachable?", p.Name, &networkError{err})
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone {
		return nil, &GoneError{Package: p, Status: resp.Status}
	}
	err = &networkError{fmt.Errorf("%s answers %s", p.URL, resp.Status)}
	return nil, fmt.Errorf("fetching %s: %w\nhint: try again later, or set image.mirror to another mirror", p.Name, err)
}

// networkError is what may be better at the next try.
type networkError struct{ error }

func (e *networkError) Unwrap() error { return e.error }

// patientReader gives up, by its timer, on a server that sends nothing for a while.
type patientReader struct {
	io.Reader
	timer *time.Timer
}

func (r *patientReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if !r.timer.Reset(patience) && err != nil {
		err = fmt.Errorf("nothing came for %v", patience)
	}
	if err != nil {
		r.timer.Stop()
	}
	if err != nil && err != io.EOF {
		err = &networkError{err}
	}
	return n, err
}

// store writes src under a temporary name, checks it and only then gives it its place.
func (f Fetcher) store(p Package, src io.Reader) error {
	tmp, err := os.CreateTemp(f.Pool, partial)
	if err != nil {
		return fmt.Errorf("storing %s: %w", p.Name, err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(tmp, sum), src); err != nil {
		return fmt.Errorf("fetching %s: %w", p.Name, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != p.SHA256 {
		return fmt.Errorf("fetching %s %s: the digest does not match\n  want sha256 %s\n  got  sha256 %s\nhint: the mirror or the lock is wrong; never use this archive", p.Name, p.Version, p.SHA256, got)
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("storing %s: %w", p.Name, err)
	}
	return os.Rename(tmp.Name(), f.PoolFile(p))
}

// vendored maps digests to files of the vendor folder.
func (f Fetcher) vendored() (map[string]string, error) {
	if f.Vendor == "" {
		return nil, nil
	}
	files, err := filepath.Glob(filepath.Join(f.Vendor, "*.deb"))
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, path := range files {
		sum, err := durable.Digest(path)
		if err != nil {
			return nil, fmt.Errorf("reading the vendor folder: %w", err)
		}
		out[sum] = path
	}
	return out, nil
}
