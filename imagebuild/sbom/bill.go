// Package sbom says what an image is made of: its bill of materials, as SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/)
// and CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/). Start with Collect, which makes a Bill of a tree and a lock, and
// with Read, which takes one from the SPDX document that an image carries at Path.
//
// A bill knows the packages of the root, the Go programs there and every module in them, container images, and what the boot
// file is made of. It does not list every file, and judges nothing: no vulnerabilities, no conclusions about licences. What
// nobody said in a way that a program can read is NOASSERTION.
package sbom

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/imagebuild/distro"
)

// Path is where an image has its bill, as SPDX.
const Path = "/usr/share/slipway/sbom.spdx.json"

// Suffix follows an image's name in the name of the file beside it.
const Suffix = ".spdx.json"

// Bill is what an image is made of. Equal images have equal bills.
type Bill struct {
	Tool    string    // who made it: slipway-v1.2.0
	Created time.Time // of the image, as its lock says
	Parts   []Part    // sorted by ID
	Links   []Link    // sorted
	Texts   []distro.LicenceText
}

// Kind is what a part is.
type Kind string

// The kinds. Their IDs begin with them.
const (
	Image     Kind = "image"     // all of it; there is one
	Root      Kind = "root"      // the root file system; there is one
	Boot      Kind = "boot"      // the boot loader and the boot file; there is one
	Package   Kind = "package"   // of the distribution
	Source    Kind = "source"    // a source package of the distribution, of which a package took code
	Payload   Kind = "payload"   // what Slipway adds: kubernetes, etcd
	Container Kind = "container" // an image that is preloaded
	Program   Kind = "program"   // made by Go
	Module    Kind = "module"    // a Go module, in programs
	File      Kind = "file"      // any other that is named: the kernel
)

// Part is one thing that is in an image.
type Part struct {
	ID      string // unique in the bill: letters, digits, dot and minus
	Name    string
	Version string
	PURL    string
	Path    string // of a file: in the root or in its container
	SHA256  string // hex; of a package: of the archive that it came in; of a container image: of its manifest
	Licence string // SPDX expression, "" if nobody says
	By      string // who distributes it
	Home    string // URL
	From    string // URL that it was downloaded from
	Source  string // what it was built from, in words
	Note    string
}

// Kind of a part.
func (p Part) Kind() Kind {
	kind, _, _ := strings.Cut(p.ID, "-")
	return Kind(kind)
}

// How two parts belong together: SPDX's names.
type How string

// The ways.
const (
	Contains How = "CONTAINS"
	Links    How = "STATIC_LINK"    // the code of a module is in a program
	MadeOf   How = "GENERATED_FROM" // a file was taken from a package, or a package built with another's source
)

// Link says that one part has to do with another. Both are IDs.
type Link struct {
	From string
	How  How
	To   string
}

// id is a part's ID.
func id(kind Kind, name string) string {
	var b strings.Builder
	b.WriteString(string(kind))
	if name != "" {
		b.WriteByte('-')
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-':
			b.WriteByte(c)
		case c == '/' || c == '@' || c == ':':
			b.WriteString("--")
		default:
			fmt.Fprintf(&b, "-%02x-", c)
		}
	}
	return b.String()
}

// Of are the parts of one kind, sorted by ID.
func (b *Bill) Of(kind Kind) []Part {
	return slices.DeleteFunc(slices.Clone(b.Parts), func(p Part) bool { return p.Kind() != kind })
}

// In are the parts of one kind that a part contains, in the way that how says.
func (b *Bill) In(from string, how How, kind Kind) []Part {
	linked := map[string]bool{}
	for _, l := range b.Links {
		if l.From == from && l.How == how {
			linked[l.To] = true
		}
	}
	return slices.DeleteFunc(b.Of(kind), func(p Part) bool { return !linked[p.ID] })
}

// sort brings the bill into its one order, and refuses one that says two things of a part, or links what is not in it.
func (b *Bill) sort() error {
	slices.SortFunc(b.Parts, func(x, y Part) int { return strings.Compare(x.ID, y.ID) })
	known := map[string]bool{}
	for i, p := range b.Parts {
		if i > 0 && b.Parts[i-1].ID == p.ID && b.Parts[i-1] != p {
			return fmt.Errorf("two different parts are called %q", p.ID)
		}
		known[p.ID] = true
	}
	b.Parts = slices.Compact(b.Parts)
	slices.SortFunc(b.Links, func(x, y Link) int {
		return cmp.Or(strings.Compare(x.From, y.From), strings.Compare(string(x.How), string(y.How)), strings.Compare(x.To, y.To))
	})
	b.Links = slices.Compact(b.Links)
	for _, l := range b.Links {
		if !known[l.From] || !known[l.To] {
			return fmt.Errorf("%s %s %s: one of them is not in the bill", l.From, l.How, l.To)
		}
	}
	slices.SortFunc(b.Texts, func(x, y distro.LicenceText) int { return strings.Compare(x.ID, y.ID) })
	b.Texts = slices.Compact(b.Texts)
	return nil
}
