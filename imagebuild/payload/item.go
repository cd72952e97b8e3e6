package payload

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"slipway/imagebuild/payload/ignition"
)

// Source says where an item comes from.
type Source string

// The sources, spelled as in the spec.
const (
	SourceGomod   Source = "gomod"
	SourceRelease Source = "release"
	SourceFile    Source = "file"
)

// Class says which part of the image an item's files belong to.
type Class string

// The classes.
const (
	ClassRoot Class = "root" // the root tree
	ClassOCI  Class = "oci"  // a container image; paths are inside it
)

// Item is one payload and everything that decides its content.
type Item struct {
	Name    string
	Version string
	Class   Class
	Source  Source

	Modules  []string    // gomod: module paths, all at Version; empty for programs of our own
	Template string      // gomod: embedded main package, built as package "."; "" when packages are built as they are
	Vars     []string    // gomod: string variables set by the linker, "import/path.name=value"
	Patched  bool        // gomod: the module's source is changed first, by package ignition
	Go       string      // gomod: version of the Go toolchain, "go1.26.8"
	Known    []ModuleSum // gomod: checksums of an earlier build, which what is downloaded must have

	URL    string // release
	Path   string // file: on the building machine
	SHA256 string // release and file: of the download or file as it is

	Binaries []Binary // sorted by Path
}

// Binary is one program of an item.
type Binary struct {
	Name    string   // file name in the cache, a download's member to look for
	Package string   // gomod: import path, or "." for the item's template
	Path    string   // absolute, in the image part that the item's class says
	Links   []string // absolute paths of symlinks to it, sorted
}

// Key is the hex SHA-256 of every input that decides the content of the item's files. Where the files go in the image,
// where a verified download came from and what is already known of it are no such inputs.
func (i Item) Key() string { return i.key(code(source), goVars()) }

// key takes what is the same for all items apart: this package's own code, and what is set for the toolchain.
func (i Item) key(code string, vars map[string]string) string {
	in := map[string]any{"code": code, "source": i.Source, "names": i.names()}
	if i.Source == SourceGomod {
		in["modules"], in["version"], in["packages"] = i.Modules, i.moduleVersion(), i.packages()
		in["template"], in["vars"], in["flags"] = templateText(i.Template), i.Vars, buildFlags
		in["go"], in["environment"] = i.Go, vars
	} else {
		in["sha256"] = i.SHA256
	}
	if i.Source == SourceGomod && i.Patched {
		in["patch"] = ignition.Digest()
	}
	raw, err := json.Marshal(in) // a map of strings, bools and lists: sorted, and it cannot fail
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// moduleVersion is the version that decides content: a program of our own only has it in Vars.
func (i Item) moduleVersion() string {
	if len(i.Modules) == 0 {
		return ""
	}
	return i.Version
}

func (i Item) names() []string {
	var names []string
	for _, b := range i.Binaries {
		names = append(names, b.Name)
	}
	return names
}

func (i Item) packages() []string {
	var packages []string
	for _, b := range i.Binaries {
		packages = append(packages, b.Package)
	}
	return packages
}

// String is the item as text for a printed plan: a headline, its source, then a line for each file.
func (i Item) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s (%s, %s)\n", i.Name, i.Version, i.Source, i.Class)
	switch i.Source {
	case SourceRelease:
		fmt.Fprintf(&b, "  from %s sha256 %s\n", i.URL, i.SHA256)
	case SourceFile:
		fmt.Fprintf(&b, "  from %s sha256 %s\n", path.Base(i.Path), i.SHA256)
	case SourceGomod:
		for _, m := range i.Modules {
			fmt.Fprintf(&b, "  module %s@%s\n", m, i.Version)
		}
		for _, v := range i.Vars {
			fmt.Fprintf(&b, "  var %s\n", v)
		}
	}
	for _, bin := range i.Binaries {
		fmt.Fprintf(&b, "  %s", bin.Path)
		if bin.Package != "" {
			fmt.Fprintf(&b, " = %s", bin.Package)
		}
		b.WriteByte('\n')
		for _, l := range bin.Links {
			fmt.Fprintf(&b, "  %s -> %s\n", l, path.Base(bin.Path))
		}
	}
	return b.String()
}
