package payload

import (
	"debug/buildinfo"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// ModuleSum pins one module: Sum is its h1: hash, for which the checksum database vouches unless the module is private.
type ModuleSum struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum"`
	Private bool   `json:"private,omitempty"`
}

// linked lists the modules that an item's programs are made of and others that are known, sorted: the toolchain writes
// them into every program, with the checksums that it verified.
func linked(item Item, out string, others ...ModuleSum) ([]ModuleSum, error) {
	seen := map[ModuleSum]bool{}
	for _, m := range others {
		seen[m] = true
	}
	for _, b := range item.Binaries {
		info, err := buildinfo.ReadFile(filepath.Join(out, b.Name))
		if err != nil {
			return nil, fmt.Errorf("reading the modules of %s: %w", b.Name, err)
		}
		for _, m := range append(info.Deps, &info.Main) {
			if m.Replace != nil {
				m = m.Replace
			}
			if m.Sum != "" { // the throwaway module has none
				seen[ModuleSum{Path: m.Path, Version: m.Version, Sum: m.Sum}] = true
			}
		}
	}
	return sorted(seen), nil
}

func sorted(seen map[ModuleSum]bool) []ModuleSum {
	var sums []ModuleSum
	for m := range seen {
		sums = append(sums, m)
	}
	slices.SortFunc(sums, func(a, b ModuleSum) int {
		return strings.Compare(a.Path+"@"+a.Version, b.Path+"@"+b.Version)
	})
	return sums
}

// gosum writes checksums as go holds them against what it downloads.
func gosum(known []ModuleSum) []byte {
	var b strings.Builder
	for _, m := range known {
		fmt.Fprintf(&b, "%s %s %s\n", m.Path, m.Version, m.Sum)
	}
	return []byte(b.String())
}
