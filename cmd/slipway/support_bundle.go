package main

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// What a node may put into a bundle. Nodes keep to less by themselves (package inside).
const (
	mostBundleFile  = 16 << 20  // bytes of one file
	mostBundleBytes = 128 << 20 // of all
	mostBundleFiles = 1000
)

// bundle is a compressed archive to which several nodes add files at once, a whole file at a time.
type bundle struct {
	made time.Time
	zip  *zstd.Encoder

	mu  sync.Mutex
	tar *tar.Writer
	err error // of the first write that failed
}

func newBundle(to io.Writer, made time.Time) (*bundle, error) {
	zip, err := zstd.NewWriter(to)
	if err != nil {
		return nil, fmt.Errorf("starting compression: %w", err)
	}
	return &bundle{made: made, zip: zip, tar: tar.NewWriter(zip)}, nil
}

// receive adds the files that a node sends, and counts them. Those that came whole stay, whatever comes after.
func (b *bundle) receive(ctx context.Context, n target) (files int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // so that nobody goes on writing into the pipe
	from, to := io.Pipe()
	asked := make(chan error, 1)
	go func() {
		err := n.client.Support(ctx, to)
		to.CloseWithError(err)
		asked <- err
	}()
	files, err = b.unpack(n.name, tar.NewReader(io.LimitReader(from, mostBundleBytes)))
	if err == nil {
		_, err = io.Copy(io.Discard, from) // what pads the archive
	}
	from.CloseWithError(errors.Join(err, io.ErrClosedPipe))
	if said := <-asked; said != nil && !errors.Is(said, io.ErrClosedPipe) {
		err = said
	}
	return files, err
}

func (b *bundle) unpack(node string, from *tar.Reader) (files int, err error) {
	for {
		h, err := from.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return files, fmt.Errorf("reading what %q sends: %w", node, err)
		}
		if files >= mostBundleFiles || h.Size > mostBundleFile || h.Typeflag != tar.TypeReg || !filepath.IsLocal(h.Name) {
			return files, fmt.Errorf("reading what %q sends: %q of %d bytes is not what belongs into a bundle", node, h.Name, h.Size)
		}
		data, err := io.ReadAll(from)
		if err != nil {
			return files, fmt.Errorf("reading what %q sends: %w", node, err)
		}
		if err := b.put(path.Join(node, h.Name), data); err != nil {
			return files, err
		}
		files++
	}
}

// put adds one file.
func (b *bundle) put(name string, data []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = b.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(data)), ModTime: b.made})
	}
	if b.err == nil {
		_, b.err = b.tar.Write(data)
	}
	return b.err
}

// finish adds how each node answered, and ends the archive.
func (b *bundle) finish(report bundleReport) error {
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the summary: %w", err)
	}
	for _, n := range report.Nodes {
		if n.Error != "" {
			b.put(path.Join(n.Node, "unanswered.txt"), []byte(n.Error+"\n")) // the error stays in b
		}
	}
	b.put("summary.json", append(text, '\n'))
	return errors.Join(b.err, b.tar.Close(), b.zip.Close())
}
