// Package verify re-reads a finished raw disk image with nothing but the file itself: partition table, EFI system
// partition, unified kernel image, hash tree and root file system must be whole and belong together.
//
// Start with [Raw]. The package needs no privileges, mounts nothing and changes nothing. It does not check signatures.
package verify

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"slipway/imagebuild/disk"
	"slipway/internal/finding"
)

// Report is what an image holds and everything that is wrong with it.
type Report struct {
	Size       int64             `json:"size"`
	Partitions []string          `json:"partitions"` // one line each
	RootHash   string            `json:"rootHash"`
	Cmdline    string            `json:"cmdline"`
	Kernel     string            `json:"kernel"`
	Debug      bool              `json:"debug,omitempty"` // a person can get into its nodes
	RootFiles  int               `json:"rootFiles"`       // looked at in the root file system; 0 if it was not read
	Findings   []finding.Finding `json:"findings"`        // in order of offset; part is gpt, esp, uki, root or verity
}

// mostFindings is how many are kept; of the others there is the number.
const mostFindings = 200

// checker collects while it goes through the image.
type checker struct {
	r      io.ReaderAt
	report *Report
	table  disk.Plan
	found  finding.List
}

func newChecker(r io.ReaderAt, size int64, table disk.Plan) *checker {
	return &checker{r: r, table: table, found: finding.List{Most: mostFindings}, report: &Report{Size: size}}
}

func (c *checker) find(offset int64, part, format string, args ...any) {
	c.found.Note(finding.Finding{Offset: offset, Part: part}, format, args...)
}

// Raw checks the image r of size bytes. An error means that r is no disk image at all.
func Raw(r io.ReaderAt, size int64) (*Report, error) {
	table, problems, err := disk.ReadTable(r, size)
	if err != nil {
		return nil, fmt.Errorf("verifying disk image: %w", err)
	}
	c := newChecker(r, size, table)
	for _, p := range problems {
		c.find(p.Offset, "gpt", "%s", p.Text)
	}
	c.report.Partitions = strings.Split(strings.TrimSpace(table.String()), "\n")[1:]
	parts := c.partitions()
	if p, ok := parts[disk.TypeESP]; ok {
		c.boot(p)
	}
	c.root(parts)
	c.report.Findings = c.found.Sorted(size)
	return c.report, nil
}

// partitions returns the usable partitions by type and says which are missing, doubled or writable.
func (c *checker) partitions() map[string]disk.Partition {
	out := map[string]disk.Partition{}
	for _, p := range c.table.Partitions {
		typ := p.Type.String()
		if _, ok := out[typ]; ok {
			c.find(p.Start, "gpt", "partition %q is another one of type %s", p.Name, typ)
			continue
		}
		if p.Size > 0 && p.Start+p.Size <= c.report.Size {
			out[typ] = p
		}
	}
	for _, want := range []struct {
		typ, name string
		readOnly  bool
	}{{disk.TypeESP, disk.ESP, false}, {disk.TypeRoot, disk.RootA, true}, {disk.TypeVerity, disk.VerityA, true}} {
		p, ok := out[want.typ]
		if !ok {
			c.find(0, "gpt", "there is no %s partition (type %s)", want.name, want.typ)
		} else if p.ReadOnly != want.readOnly {
			c.find(p.Start, "gpt", "partition %q has its read-only attribute %t, want %t", p.Name, p.ReadOnly, want.readOnly)
		}
	}
	return out
}

func (c *checker) section(p disk.Partition) *io.SectionReader {
	return io.NewSectionReader(c.r, p.Start, p.Size)
}

// rootHash returns the root hash of the report, once a UKI gave one.
func (c *checker) rootHash() (hash [32]byte, ok bool) {
	b, err := hex.DecodeString(c.report.RootHash)
	return hash, err == nil && copy(hash[:], b) == len(hash)
}
