package centos

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// filelistsPackage is one element of filelists.xml.
type filelistsPackage struct {
	Name  string   `xml:"name,attr"`
	Files []string `xml:"file"`
}

// Brings names the packages that have modules of a kernel, sorted. It reads the metadata that dnf has below dir, ResolveInput.Dir, from the
// last time that something was resolved: without any it knows nothing.
func (Driver) Brings(dir, kernel string, modules []string) ([]string, error) {
	lists, err := filepath.Glob(filepath.Join(dir, "dnf/cache/*/repodata/*filelists.xml*"))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, list := range lists {
		err := eachElement(list, "package", func(decode func(any) error) error {
			var p filelistsPackage
			if err := decode(&p); err != nil {
				return err
			}
			for _, file := range p.Files {
				module, ok := moduleOf(file, kernel)
				if ok && slices.ContainsFunc(modules, func(m string) bool { return normal(m) == module }) {
					out = append(out, p.Name)
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("reading which package has which module: %w", err)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// moduleOf is the name of a module of a kernel, if the file is one.
func moduleOf(file, kernel string) (string, bool) {
	if !strings.Contains(file, "/modules/"+kernel+"/") {
		return "", false
	}
	name, _, ok := strings.Cut(path.Base(file), ".ko")
	return normal(name), ok
}

// normal makes no difference between - and _, as modprobe does.
func normal(name string) string { return strings.ReplaceAll(name, "-", "_") }
