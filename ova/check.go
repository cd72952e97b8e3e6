package ova

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"

	"slipway/internal/finding"
)

// Report is what a package holds and everything that is wrong with it.
type Report struct {
	Name     string // of the virtual machine
	Product  Product
	Hardware Hardware
	Disks    []AttachedDisk
	Signer   string            // the subject of the certificate whose key signed; "" without a valid signature
	Findings []finding.Finding // in order of offset
}

// AttachedDisk is a disk as the descriptor has it. That its file is sound and of that capacity is for others to say.
type AttachedDisk struct {
	File     Member
	Capacity int64 // bytes
}

// Limits of what is read into memory, and of what is reported.
const (
	maxDescriptor = 256 << 10
	maxText       = 64 << 10 // manifest and signature
	mostFindings  = 100
)

// checker collects while it goes through an archive.
type checker struct {
	*Archive
	report Report
	found  finding.List
	err    error
}

func newChecker(a *Archive) *checker {
	return &checker{Archive: a, found: finding.List{Most: mostFindings}}
}

func (c *checker) find(offset int64, format string, args ...any) {
	c.found.Add(offset, format, args...)
}

// Check reads the whole archive and compares it with the formats and with what vSphere takes. It does not judge who
// signed, nor when. An error means that the archive could not be read, or that ctx ended.
func (a *Archive) Check(ctx context.Context) (Report, error) {
	c := newChecker(a)
	c.headers()
	c.end()
	if stem, ok := c.descriptorStem(); ok {
		c.order(stem)
		c.descriptor(stem + ".ovf")
		c.manifest(ctx, stem)
		c.signature(stem)
	}
	if c.err != nil {
		return Report{}, fmt.Errorf("checking package: %w", c.err)
	}
	c.report.Findings = c.found.Sorted(a.Size)
	return c.report, nil
}

// descriptorStem is the name of the descriptor without .ovf.
func (c *checker) descriptorStem() (string, bool) {
	for i, m := range c.Members {
		stem, ok := strings.CutSuffix(m.Name, ".ovf")
		if !ok || m.Type != typeFile {
			continue
		}
		if i > 0 {
			c.find(m.Offset, "descriptor %q is file %d of the archive, want the first", m.Name, i+1)
		}
		return stem, true
	}
	c.find(0, "there is no descriptor: no file ends in .ovf")
	return "", false
}

// order says whether manifest and signature follow the descriptor. The disks are compared with the descriptor later.
func (c *checker) order(stem string) {
	place := 1
	for _, name := range []string{stem + ".mf", stem + ".cert"} {
		i := slices.IndexFunc(c.Members, func(m Member) bool { return m.Name == name })
		if i < 0 {
			continue
		}
		if i != place {
			c.find(c.Members[i].Offset, "%q is file %d of the archive, want %d", name, i+1, place+1)
		}
		place++
	}
}

// small reads a member of up to limit bytes.
func (c *checker) small(m Member, limit int64) ([]byte, bool) {
	if m.stored > limit {
		c.find(m.Offset, "%q of %d bytes is larger than %d: it was not read", m.Name, m.stored, limit)
		return nil, false
	}
	b := make([]byte, m.stored)
	if err := c.read(b, m.Data); err != nil {
		c.err = cmp.Or(c.err, err)
		return nil, false
	}
	return b, true
}

// digest is the SHA-256 of a member.
func (c *checker) digest(ctx context.Context, m Member) ([]byte, bool) {
	sum := sha256.New()
	if _, err := io.CopyBuffer(sum, &stoppable{ctx, m.Content()}, buffer(m.stored)); err != nil {
		c.err = cmp.Or(c.err, fmt.Errorf("reading %q at byte %d: %w", m.Name, m.Data, err))
		return nil, false
	}
	return sum.Sum(nil), true
}

// signature compares the signature, if there is one, with the manifest.
func (c *checker) signature(stem string) {
	m, signed := c.Member(stem + ".cert")
	mf, ok := c.Member(stem + ".mf")
	if !signed || !ok {
		return
	}
	b, ok := c.small(m, maxText)
	manifest, ok2 := c.small(mf, maxText)
	if !ok || !ok2 {
		return
	}
	first, rest, _ := bytes.Cut(b, []byte("\n"))
	l, err := parseLine(string(first))
	if err == nil && l.name != mf.Name {
		err = fmt.Errorf("it signs %q, not %q", l.name, mf.Name)
	}
	if err != nil {
		c.find(m.Data, "%q: %v", m.Name, err)
		return
	}
	chain, err := parseChain(string(rest))
	if err != nil {
		c.find(m.Data+int64(len(first))+1, "%q: %v", m.Name, err)
		return
	}
	if err := verifySignature(chain[0], manifest, l.value); err != nil {
		c.find(m.Data, "%q: %v", m.Name, err)
		return
	}
	c.report.Signer = chain[0].Subject.String()
	if err := checkIssuers(chain); err != nil {
		c.find(m.Data, "%q: %v", m.Name, err)
	}
}
