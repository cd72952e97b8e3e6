// Package role holds what all roles share: the types of their output, one node's view of the contract, the merging of
// program flags, and the execution of the embedded templates.
//
// Start with NewNode and NewBuilder. It knows no role by itself and touches nothing outside its arguments.
package role

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
)

// File is one file that a node must have.
type File struct {
	Path    string      // absolute
	Mode    fs.FileMode // permission bits; owner is always root:root
	Content []byte
}

// Unit is one systemd unit; firstboot writes it to /run/systemd/system, so an image upgrade renews it.
type Unit struct {
	Name    string // kube-apiserver.service
	Content []byte
}

// Object is one Kubernetes object that slipwayd applies server-side, as JSON.
type Object struct {
	Path    string // API path for the PATCH: /api/v1/namespaces/kube-system/configmaps/coredns
	Content []byte
}

// Output is all that a node's roles ask for, each list sorted by name; Objects in the order to apply.
type Output struct {
	Files   []File
	Units   []Unit
	Objects []Object // only for control planes
}

// Merge joins the output of several roles and sorts it. Two roles that claim the same path, unit or object are a
// mistake in the roles and an error.
func Merge(parts ...Output) (Output, error) {
	var all Output
	for _, p := range parts {
		all.Files = append(all.Files, p.Files...)
		all.Units = append(all.Units, p.Units...)
		all.Objects = append(all.Objects, p.Objects...)
	}
	slices.SortFunc(all.Files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	slices.SortFunc(all.Units, func(a, b Unit) int { return cmp.Compare(a.Name, b.Name) })
	return all, all.checkUnique()
}

func (o Output) checkUnique() error {
	seen := map[string]bool{}
	for _, name := range o.names() {
		if seen[name] {
			return fmt.Errorf("merging roles: %q is claimed twice", name)
		}
		seen[name] = true
	}
	return nil
}

// names lists everything in the output. Files and objects have paths, units have plain names: they cannot collide.
func (o Output) names() []string {
	var names []string
	for _, f := range o.Files {
		names = append(names, f.Path)
	}
	for _, u := range o.Units {
		names = append(names, u.Name)
	}
	for _, obj := range o.Objects {
		names = append(names, obj.Path)
	}
	return names
}
