package centos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Purge leaves out of what does not ship whatever the spec's own packages are or need: rpm is told to ignore dependencies.
func (d Driver) Purge(tree string, extra []string) ([]string, error) {
	installed, err := readInstalled(filepath.Join(tree, database, "rpmdb.sqlite"))
	if err != nil {
		return nil, fmt.Errorf("reading the package database: %w", err)
	}
	provider := map[string][]string{} // a name, or what one provides -> packages
	for _, p := range installed {
		for _, name := range p.provides {
			provider[name] = append(provider[name], p.name)
		}
	}
	keep := map[string]bool{}
	for todo := slices.Clone(extra); len(todo) > 0; {
		name, _, _ := strings.Cut(todo[0], "/")
		todo = todo[1:]
		if keep[name] {
			continue
		}
		keep[name] = true
		for _, p := range installed {
			if p.name != name {
				continue
			}
			for _, need := range p.requires {
				todo = append(todo, provider[need]...)
			}
		}
	}
	candidates := d.BuildOnly()
	for _, p := range unused {
		candidates = append(candidates, p.name)
	}
	return slices.DeleteFunc(candidates, func(name string) bool {
		return keep[name] || !slices.ContainsFunc(installed, func(p installedPackage) bool { return p.name == name })
	}), nil
}

type installedPackage struct {
	name               string
	provides, requires []string
}

// readInstalled asks rpm, of a copy: a reader of the database would write beside it, and a tree is never written to.
func readInstalled(db string) ([]installedPackage, error) {
	dir, err := os.MkdirTemp("", "slipway-rpmdb-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := copyFile(db, filepath.Join(dir, "rpmdb.sqlite")); err != nil {
		return nil, err
	}
	cmd := exec.Command("rpm", "--dbpath", dir, "--query", "--all", "--queryformat", `%{NAME}\t[%{PROVIDENAME} ]\t[%{REQUIRENAME} ]\n`)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=" + dir}
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var all []installedPackage
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) == 3 {
			all = append(all, installedPackage{f[0], strings.Fields(f[1]), strings.Fields(f[2])})
		}
	}
	slices.SortFunc(all, func(a, b installedPackage) int { return strings.Compare(a.name, b.name) })
	return all, nil
}
