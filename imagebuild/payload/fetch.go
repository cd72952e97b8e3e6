package payload

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

// Fetcher opens a URL; size is -1 when it is not known.
type Fetcher interface {
	Fetch(ctx context.Context, url string) (body io.ReadCloser, size int64, err error)
}

// HTTP fetches with an HTTP client.
type HTTP struct{ Client *http.Client }

// Fetch implements Fetcher; any answer but 200 is an error.
func (h HTTP) Fetch(ctx context.Context, url string) (io.ReadCloser, int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, err
	}
	resp, err := h.Client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, 0, fmt.Errorf("the server said %s", resp.Status)
	}
	return resp.Body, resp.ContentLength, nil
}

// DigestError is content that is not what the spec names.
type DigestError struct{ Item, Origin, Got, Want string }

func (e *DigestError) Error() string {
	return fmt.Sprintf("checking %q: sha256 is %s, the spec says %s\nhint: if the new content is what you want, set payloads.%s.sha256 to the first",
		e.Origin, e.Got, e.Want, e.Item)
}

// take gets a release or file item: its download is verified in work, then its programs are placed in out.
func take(ctx context.Context, item Item, env Env, work, out string) error {
	path := filepath.Join(work, "download")
	origin, got, err := download(ctx, item, env, path)
	if err != nil {
		return err
	}
	if got != item.SHA256 {
		return &DigestError{Item: item.Name, Origin: origin, Got: got, Want: item.SHA256}
	}
	if err := unpack(item, path, out, env.bounds.orDefaults()); err != nil {
		return fmt.Errorf("unpacking %q: %w", origin, err)
	}
	return nil
}

// download brings the item's file to path, within bounds, and returns its digest.
func download(ctx context.Context, item Item, env Env, path string) (origin, digest string, err error) {
	bounds := env.bounds.orDefaults()
	patient, progress, cancel := bounds.patient(ctx)
	defer cancel()
	origin, body, size, err := open(patient, item, env)
	if err == nil {
		defer body.Close()
		var counted io.Reader = &meter{ctx: patient, r: atMost(body, bounds.download, "it"), came: progress,
			tell: func(done int64) { env.bytes(item, "fetching", done, size) }}
		if digest, err = store(path, counted, size); err != nil {
			err = fmt.Errorf("fetching %q: %w", origin, err)
		}
	}
	if err != nil && patient.Err() != nil && ctx.Err() == nil { // the reason is ours and not the context's
		err = fmt.Errorf("fetching %q: %w\nhint: try again later, or download it by hand and set the source to file", cmp.Or(origin, item.URL), context.Cause(patient))
	}
	return origin, digest, err
}

func open(ctx context.Context, item Item, env Env) (origin string, body io.ReadCloser, size int64, err error) {
	if item.Source == SourceRelease {
		body, size, err = env.Fetch.Fetch(ctx, item.URL)
		if err != nil {
			return "", nil, 0, fmt.Errorf("fetching %q: %w\nhint: is the url right and the network up? source file takes a local copy", item.URL, err)
		}
		return item.URL, body, size, nil
	}
	f, err := os.Open(item.Path)
	if err != nil {
		return "", nil, 0, fmt.Errorf("opening the payload's file: %w\nhint: payloads.%s.path is relative to the spec", err, item.Name)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		f.Close()
		return "", nil, 0, fmt.Errorf("opening %q: %w", item.Path, err)
	}
	return item.Path, f, info.Size(), nil
}

// store copies body to path and returns its digest.
func store(path string, body io.Reader, size int64) (string, error) {
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	buf := bufio.NewWriterSize(io.MultiWriter(f, h), 1<<20)
	n, err := io.Copy(buf, body)
	if err != nil {
		return "", err
	}
	if size >= 0 && n != size {
		return "", fmt.Errorf("got %d of %d bytes", n, size)
	}
	if err := buf.Flush(); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), f.Close()
}

// meter is a reader that tells how far it is, once a mebibyte, and stops when ctx does.
type meter struct {
	ctx        context.Context
	r          io.Reader
	came       func() // something did
	tell       func(done int64)
	done, told int64
}

func (m *meter) Read(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.r.Read(p)
	if m.done += int64(n); n > 0 {
		m.came()
	}
	if m.done-m.told >= 1<<20 || err != nil {
		m.told = m.done
		m.tell(m.done)
	}
	return n, err
}
