package distro

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	Pool      string // directory, files named by their digest and Suffix
	Suffix    string // of archive files
	Places    func(Package) []string
	Snapshots string // how mirrors of an earlier day look, for a hint
	Vendor    string // optional directory, to look for archives in it and below before the network
	Client    *http.Client
	Done      func(bytes, total int64) // progress; may be nil
}

const (
	partial         = "part-" // begins the name of an archive that is not whole yet
	parallelFetches = 8
	tries           = 3             // of each archive
	patience        = time.Minute   // with a server that sends nothing
	longest         = 2 * time.Hour // all tries of one archive
	excess          = 1 << 20       // bytes beyond the size that are read, to tell the digest of another archive
)

// Fetch makes sure that every package is in the pool with the right digest.
func (f Fetcher) Fetch(ctx context.Context, pkgs []Package) error {
	if err := os.MkdirAll(f.Pool, 0o755); err != nil {
		return fmt.Errorf("making the package pool: %w", err)
	}
	f.sweep()
	vendored, err := f.vendored(pkgs)
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
func (f Fetcher) PoolFile(p Package) string { return filepath.Join(f.Pool, p.SHA256+f.Suffix) }

// one tries three times, unless trying again is of no use.
func (f Fetcher) one(ctx context.Context, p Package, vendored string) error {
	if f.has(p) {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, longest, fmt.Errorf("fetching %s: it took longer than %v\nhint: set image.mirror to another mirror", p.Name, longest))
	defer cancel()
	for attempt := 1; ; attempt++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := f.try(ctx, p, vendored)
		if err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, again := errors.AsType[*networkError](err); !again || attempt == tries {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(attempt) * time.Second):
		}
	}
}

// has says whether the pool has p, the whole of it and nothing else: disks rot, and others may write there.
func (f Fetcher) has(p Package) bool {
	st, err := os.Stat(f.PoolFile(p))
	if err != nil || st.Size() != p.Size {
		return false
	}
	sum, err := durable.Digest(f.PoolFile(p))
	return err == nil && sum == p.SHA256
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

// open takes the first place that has p. A digest says what p is, so any place will do.
func (f Fetcher) open(ctx context.Context, p Package, vendored string) (io.ReadCloser, error) {
	if vendored != "" {
		return os.Open(vendored)
	}
	places := f.Places(p)
	for _, place := range places {
		src, err := f.get(ctx, p, place)
		if src != nil || err != nil {
			return src, err
		}
	}
	return nil, &GoneError{Package: p, URLs: places, Snapshots: f.Snapshots}
}

// get returns neither a file nor an error when the place does not have it.
func (f Fetcher) get(ctx context.Context, p Package, place string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", p.Name, err)
	}
	if req.URL.Scheme == "file" {
		return openLocal(req.URL.Path)
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
		return nil, nil
	}
	err = &networkError{fmt.Errorf("%s answers %s", place, resp.Status)}
	return nil, fmt.Errorf("fetching %s: %w\nhint: try again later, or set image.mirror to another mirror", p.Name, err)
}

func openLocal(path string) (io.ReadCloser, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err // and not a nil *os.File in an interface
	}
	return file, nil
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
	n, err := io.Copy(io.MultiWriter(tmp, sum), io.LimitReader(src, p.Size+excess))
	if err != nil {
		return fmt.Errorf("fetching %s: %w", p.Name, err)
	}
	if n == p.Size+excess {
		return fmt.Errorf("fetching %s %s: it goes on beyond the %d bytes that are locked\nhint: the mirror or the lock is wrong; never use this archive", p.Name, p.Version, p.Size)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != p.SHA256 {
		return fmt.Errorf("fetching %s %s: the digest does not match\n  want sha256 %s\n  got  sha256 %s\nhint: the mirror or the lock is wrong; never use this archive", p.Name, p.Version, p.SHA256, got)
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("storing %s: %w", p.Name, err)
	}
	return os.Rename(tmp.Name(), f.PoolFile(p))
}

// vendored maps digests to files of the vendor folder. Only files of a wanted size are read: the folder may be a mirror.
func (f Fetcher) vendored(pkgs []Package) (map[string]string, error) {
	if f.Vendor == "" {
		return nil, nil
	}
	sizes := map[int64]bool{}
	for _, p := range pkgs {
		sizes[p.Size] = true
	}
	out := map[string]string{}
	err := filepath.WalkDir(f.Vendor, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != f.Suffix {
			return err
		}
		st, err := os.Stat(path) // a link to an archive is one too
		if err != nil || !sizes[st.Size()] {
			return err
		}
		sum, err := durable.Digest(path)
		out[sum] = path
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the vendor folder: %w", err)
	}
	return out, nil
}
