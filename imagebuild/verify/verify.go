// Package verify re-reads a finished raw disk image with nothing but the file itself: partition table, EFI system
// partition, unified kernel image, hash tree and root file system must be whole and belong together.
//
// Start with [Raw]. The package needs no privileges, mounts nothing and changes nothing. It does not check signatures.
package verify

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"slipway/imagebuild/disk"
)

// Finding is one thing that is wrong.
type Finding struct {
	Offset int64  `json:"offset"` // bytes from the start of the image: where it is, or where the part begins that has it
	Part   string `json:"part"`   // gpt, esp, uki, root, verity
	Text   string `json:"text"`
}

// String is the finding in one line.
func (f Finding) String() string { return fmt.Sprintf("%s at byte %d: %s", f.Part, f.Offset, f.Text) }

// Report is what an image holds and everything that is wrong with it.
type Report struct {
	Size       int64     `json:"size"`
	Partitions []string  `json:"partitions"` // one line each
	RootHash   string    `json:"rootHash"`
	Cmdline    string    `json:"cmdline"`
	Kernel     string    `json:"kernel"`
	Debug      bool      `json:"debug,omitempty"` // a person can get into its nodes
	RootFiles  int       `json:"rootFiles"`       // looked at in the root file system; 0 if it was not read
	Findings   []Finding `json:"findings"`        // in order of offset
}

// mostFindings is how many are kept; of the others there is the number.
const mostFindings = 200

// checker collects while it goes through the image.
type checker struct {
	r      io.ReaderAt
	report *Report
	table  disk.Plan
	more   int // findings not kept
}

func (c *checker) find(offset int64, part, format string, args ...any) {
	if len(c.report.Findings) == mostFindings {
		c.more++
		return
	}
	c.report.Findings = append(c.report.Findings, Finding{offset, part, fmt.Sprintf(format, args...)})
}

// Raw checks the image r of size bytes. An error means that r is no disk image at all.
func Raw(r io.ReaderAt, size int64) (*Report, error) {
	table, problems, err := disk.ReadTable(r, size)
	if err != nil {
		return nil, fmt.Errorf("verifying disk image: %w", err)
	}
	c := &checker{r: r, table: table, report: &Report{Size: size, Findings: []Finding{}}}
	for _, p := range problems {
		c.find(p.Offset, "gpt", "%s", p.Text)
	}
	c.report.Partitions = strings.Split(strings.TrimSpace(table.String()), "\n")[1:]
	parts := c.partitions()
	if p, ok := parts[disk.TypeESP]; ok {
		c.boot(p)
	}
	c.root(parts)
	slices.SortStableFunc(c.report.Findings, func(a, b Finding) int { return cmp.Compare(a.Offset, b.Offset) })
	if c.more > 0 {
		c.report.Findings = append(c.report.Findings, Finding{size, "gpt", fmt.Sprintf("%d more findings are not shown", c.more)})
	}
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
