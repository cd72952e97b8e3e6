package inside

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

// Bounds of one file of a bundle.
const (
	mostOfFile   = 2 << 20 // bytes; of a journal the end is kept
	bundleLines  = 5000    // of each unit's journal
	patienceEach = 15 * time.Second
)

// Support gives all that helps to find out what is wrong with the node, as a tar archive: status, health, units, the journals of
// Slipway's units, the kernel's messages, the configs without keys. What cannot be had is named in errors.txt there.
//
// The journals are those of Slipway's own units. What other units and pods log is theirs, may hold anything, and is asked for by name
// with Logs.
func (n *Node) Support() Stream {
	return func(ctx context.Context, to io.Writer) error {
		b := &bundle{node: n, tar: tar.NewWriter(to), now: n.Now()}
		b.collect(ctx)
		if err := b.finish(); err != nil {
			return fmt.Errorf("writing the bundle: %w", err)
		}
		return ctx.Err()
	}
}

// bundle is a tar archive in the making.
type bundle struct {
	node    *Node
	tar     *tar.Writer
	now     time.Time
	trouble []string
	err     error // of writing: from then on nothing is done
}

// collect adds everything, what is most telling first.
func (b *bundle) collect(ctx context.Context) {
	n := b.node
	b.document(ctx, "status.json", func(context.Context) (any, error) { return n.Status(), nil })
	b.document(ctx, "health.json", func(ctx context.Context) (any, error) { return n.Health(ctx), nil })
	b.document(ctx, "services.json", func(ctx context.Context) (any, error) { return n.Services(ctx) })
	if n.Ready != nil {
		b.add(ctx, "readyz.txt", func(ctx context.Context, to io.Writer) error {
			text, err := n.Ready(ctx)
			io.WriteString(to, text)
			return err
		})
	}
	b.files()
	for _, p := range programs {
		b.add(ctx, p[0], n.redacted(p[1], p[2:]...))
	}
	kernel, err := n.Kernel(ctx, LogQuery{})
	b.addOr(ctx, "dmesg.txt", kernel, err)
	for _, unit := range n.own() {
		logs, err := n.Logs(ctx, LogQuery{Unit: unit, Lines: bundleLines})
		b.addOr(ctx, "journal/"+unit+".txt", logs, err)
	}
}

// files adds what the list of files names, and is there.
func (b *bundle) files() {
	patterns := slices.Clone(bundled)
	for _, unit := range b.node.Units {
		patterns = append(patterns, "/run/systemd/system/"+unit)
	}
	for _, pattern := range patterns {
		names, err := b.node.Files.Glob(pattern)
		if err != nil {
			b.fail(pattern, err)
		}
		for _, name := range names {
			data, err := b.node.Files.ReadFile(name)
			if err != nil {
				b.fail(name, err)
				continue
			}
			b.put(path.Join("files", name), b.node.redact(data))
		}
	}
}

// document adds something as JSON.
func (b *bundle) document(ctx context.Context, name string, get func(context.Context) (any, error)) {
	b.add(ctx, name, func(ctx context.Context, to io.Writer) error {
		v, err := get(ctx)
		if err != nil {
			return err
		}
		data, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		to.Write(append(b.node.redact(data), '\n')) // what cannot be written is told by the file that is missing
		return nil
	})
}

// addOr is add for a stream that there may not be: what the node does not have is not missed.
func (b *bundle) addOr(ctx context.Context, name string, from Stream, err error) {
	switch {
	case errors.Is(err, ErrMissing):
	case err != nil:
		b.fail(name, err)
	default:
		b.add(ctx, name, from)
	}
}

// add adds what a stream gives, its end if it is long, also if it failed half-way.
func (b *bundle) add(ctx context.Context, name string, from Stream) {
	if b.err != nil || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patienceEach)
	defer cancel()
	var t tail
	if err := from(ctx, &t); err != nil {
		b.fail(name, err)
	}
	if data := t.bytes(); len(data) > 0 {
		b.put(name, data)
	}
}

func (b *bundle) fail(name string, err error) {
	b.trouble = append(b.trouble, fmt.Sprintf("%s: %s", name, strings.ReplaceAll(err.Error(), "\n", "; ")))
}

func (b *bundle) put(name string, data []byte) {
	if b.err != nil {
		return
	}
	b.err = b.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: b.now})
	if b.err == nil {
		_, b.err = b.tar.Write(data)
	}
}

// finish adds what failed, and the archive's end.
func (b *bundle) finish() error {
	if len(b.trouble) > 0 {
		b.put("errors.txt", b.node.redact([]byte(strings.Join(b.trouble, "\n")+"\n")))
	}
	if b.err != nil {
		return b.err
	}
	return b.tar.Close()
}

// tail keeps the last mostOfFile bytes that are written to it.
type tail struct {
	buf bytes.Buffer
	cut bool
}

// Write takes everything.
func (t *tail) Write(p []byte) (int, error) {
	t.buf.Write(p)
	if over := t.buf.Len() - 2*mostOfFile; over > 0 { // seldom, so that little is moved
		t.buf.Next(t.buf.Len() - mostOfFile)
		t.cut = true
	}
	return len(p), nil
}

// bytes is what was kept, from the beginning of a line.
func (t *tail) bytes() []byte {
	data := t.buf.Bytes()
	if len(data) > mostOfFile {
		data, t.cut = data[len(data)-mostOfFile:], true
	}
	if !t.cut {
		return data
	}
	_, data, _ = bytes.Cut(data, []byte("\n"))
	return append([]byte("[what came before is left out]\n"), data...)
}
