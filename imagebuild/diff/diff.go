// Package diff says how two images differ: packages, programs, files, what they boot, and how large they are. Start with
// Compare; FromImage and FromBill make what it compares. It reads images and changes nothing; whether one is whole is for
// package verify.
package diff

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"slipway/imagebuild/sbom"
	"slipway/imagebuild/verify"
)

// Side is one of two images.
type Side struct {
	About
	packages map[string]string // version by name
	bill     *sbom.Bill        // nil: it has none
	image    *verify.Image     // nil: there is only the bill
}

// About is what is said of each image as a whole. What is not known is empty.
type About struct {
	File      string `json:"file"`
	Kernel    string `json:"kernel,omitempty"`
	Cmdline   string `json:"cmdline,omitempty"` // without the root hash
	RootHash  string `json:"rootHash,omitempty"`
	RootBytes int64  `json:"rootBytes,omitempty"` // as it is packed
	BootBytes int64  `json:"bootBytes,omitempty"` // of the boot file
}

// FromBill is an image of which there is only the bill of materials.
func FromBill(file string, b *sbom.Bill) Side {
	s := Side{About: About{File: file}, bill: b, packages: map[string]string{}}
	for _, p := range b.In(string(sbom.Root), sbom.Contains, sbom.Package) {
		s.packages[p.Name] = p.Version
	}
	for _, p := range b.In(string(sbom.Boot), sbom.Contains, sbom.File) {
		if p.Name == kernelPart {
			s.Kernel = p.Version
		}
	}
	return s
}

const kernelPart = "kernel"

// FromImage reads the packages of an image, and its bill if it has one.
func FromImage(file string, i *verify.Image) (Side, error) {
	s := Side{image: i, packages: map[string]string{}, About: About{
		File: file, Kernel: i.Kernel, Cmdline: i.Cmdline, RootHash: i.RootHash, RootBytes: i.RootBytes, BootBytes: i.BootBytes,
	}}
	packages, err := verify.Packages(i.Root())
	if err != nil {
		return s, fmt.Errorf("reading the packages of %q: %w", file, err)
	}
	for _, p := range packages {
		s.packages[p.Name] = p.Version
	}
	if s.bill, _, err = verify.Bill(i.Root()); err != nil {
		return s, fmt.Errorf("reading %s of %q: %w", sbom.Path, file, err)
	}
	return s, nil
}

// Report is how B differs from A. Its lists are sorted by name or path, and have only what differs.
type Report struct {
	A           About    `json:"a"`
	B           About    `json:"b"`
	Equal       bool     `json:"equal"` // in all that was compared
	Packages    []Change `json:"packages"`
	Payloads    []Change `json:"payloads"`
	Containers  []Change `json:"containers"`
	Programs    []Change `json:"programs"` // Go's, by path
	Modules     []Change `json:"modules"`  // Go's; of one module an image may have many versions
	Boot        []Change `json:"boot"`     // digests of the loader and of the parts of the boot file
	Files       []File   `json:"files"`    // in the root
	NotCompared []string `json:"notCompared,omitempty"`
}

// Change is one thing with its versions; "" where there is none.
type Change struct {
	Name string `json:"name"`
	A    string `json:"a,omitempty"`
	B    string `json:"b,omitempty"`
}

// Compare says how b differs from a.
func Compare(a, b Side) (*Report, error) {
	r := &Report{A: a.About, B: b.About, Packages: changes(a.packages, b.packages)}
	r.bills(a, b)
	if a.image != nil && b.image != nil {
		r.Boot = changes(bootSums(a.image), bootSums(b.image))
		var err error
		if r.Files, err = files(a, b); err != nil {
			return nil, err
		}
	} else {
		r.NotCompared = append(r.NotCompared, "files, the command line and sizes: a bill of materials does not have them")
	}
	for _, list := range []*[]Change{&r.Packages, &r.Payloads, &r.Containers, &r.Programs, &r.Modules, &r.Boot} {
		*list = append([]Change{}, *list...) // [] in JSON, never null
	}
	r.Files = append([]File{}, r.Files...)
	a.File, b.File = "", ""
	same := a.About == b.About
	if a.image == nil || b.image == nil {
		same = a.Kernel == b.Kernel
	}
	r.Equal = same && len(r.Packages)+len(r.Payloads)+len(r.Containers)+len(r.Programs)+len(r.Modules)+len(r.Boot)+len(r.Files) == 0
	return r, nil
}

// bills compares what only bills have.
func (r *Report) bills(a, b Side) {
	for _, s := range []Side{a, b} {
		if s.bill == nil {
			r.NotCompared = append(r.NotCompared, fmt.Sprintf("payloads, container images, Go programs and modules: %s has no bill of materials", s.File))
			return
		}
	}
	name, file := func(p sbom.Part) string { return p.Name }, func(p sbom.Part) string { return p.Path }
	for _, of := range []struct {
		to   *[]Change
		kind sbom.Kind
		key  func(sbom.Part) string
	}{{&r.Payloads, sbom.Payload, name}, {&r.Containers, sbom.Container, name}, {&r.Programs, sbom.Program, file}, {&r.Modules, sbom.Module, name}} {
		*of.to = changes(versions(a.bill, of.kind, of.key), versions(b.bill, of.kind, of.key))
	}
	if a.image == nil || b.image == nil {
		r.Boot = changes(billSums(a.bill), billSums(b.bill))
	}
}

// versions are of all parts of a kind; of some with one name, all.
func versions(b *sbom.Bill, kind sbom.Kind, key func(sbom.Part) string) map[string]string {
	out := map[string]string{}
	for _, p := range b.Of(kind) {
		if was := out[key(p)]; was != "" {
			p.Version = was + ", " + p.Version
		}
		out[key(p)] = cmp.Or(p.Version, "?")
	}
	return out
}

func bootSums(i *verify.Image) map[string]string {
	out := map[string]string{}
	for _, p := range i.Boot {
		out[p.Name] = p.SHA256
	}
	return out
}

func billSums(b *sbom.Bill) map[string]string {
	out := map[string]string{}
	for _, p := range b.In(string(sbom.Boot), sbom.Contains, sbom.File) {
		out[p.Name] = p.SHA256
	}
	return out
}

// changes compares two maps of versions.
func changes(a, b map[string]string) []Change {
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	var out []Change
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if a[name] != b[name] {
			out = append(out, Change{name, a[name], b[name]})
		}
	}
	return out
}
