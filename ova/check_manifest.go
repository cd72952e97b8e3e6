package ova

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strings"
)

// manifest compares the manifest with the digests of what is in the archive.
func (c *checker) manifest(ctx context.Context, stem string) {
	m, ok := c.Member(stem + ".mf")
	if !ok {
		c.find(0, "there is no manifest %q", stem+".mf")
		return
	}
	b, ok := c.small(m, maxText)
	if !ok {
		return
	}
	digests := c.lines(m, string(b))
	for _, f := range c.Members {
		if f.Type != typeFile || f.Name == m.Name || f.Name == stem+".cert" {
			continue
		}
		want, ok := digests[f.Name]
		if !ok {
			c.find(m.Data, "%q does not list %q", m.Name, f.Name)
			continue
		}
		if got, ok := c.digest(ctx, f); ok && !bytes.Equal(got, want) {
			c.find(f.Data, "%q has SHA-256 %x, and %q says %x", f.Name, got, m.Name, want)
		}
	}
}

// lines reads the manifest m.
func (c *checker) lines(m Member, content string) map[string][]byte {
	digests := map[string][]byte{}
	at := m.Data
	for text := range strings.Lines(content) {
		c.line(m, at, text, digests)
		at += int64(len(text))
	}
	return digests
}

func (c *checker) line(m Member, at int64, text string, digests map[string][]byte) {
	text, whole := strings.CutSuffix(text, "\n")
	if !whole {
		c.find(at, "%q: the last line does not end", m.Name)
	}
	l, err := parseLine(text)
	if err != nil {
		c.find(at, "%q: %v", m.Name, err)
		return
	}
	if len(l.value) != sha256.Size {
		c.find(at, "%q: digest of %q has %d bytes, want %d", m.Name, l.name, len(l.value), sha256.Size)
		return
	}
	if _, ok := digests[l.name]; ok {
		c.find(at, "%q lists %q twice", m.Name, short(l.name))
	}
	digests[l.name] = l.value
	switch _, ok := c.Member(l.name); {
	case l.name == m.Name, strings.HasSuffix(l.name, ".cert"):
		c.find(at, "%q lists %q, which cannot be", m.Name, short(l.name))
	case !ok:
		c.find(at, "%q lists %q, which is not in the archive", m.Name, short(l.name))
	}
}
