package distro

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Places are URLs of a package at these paths: first in its own archive, then in the others.
func Places(p Package, m Mirrors, paths ...string) []string {
	bases := []string{m[p.Archive]}
	for _, archive := range slices.Sorted(maps.Keys(m)) {
		bases = append(bases, m[archive])
	}
	var out []string
	for _, base := range bases {
		for _, path := range paths {
			place := strings.TrimRight(base, "/") + "/" + escape(path)
			if base != "" && !slices.Contains(out, place) {
				out = append(out, place)
			}
		}
	}
	return out
}

// escape writes a path as a part of a URL. A plus is escaped too: some mirrors take it for a blank.
func escape(path string) string {
	return strings.ReplaceAll((&url.URL{Path: path}).EscapedPath(), "+", "%2B")
}
