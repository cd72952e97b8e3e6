package payload

import (
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// private are the modules that the user keeps from the checksum database, as patterns: GONOSUMDB, or GOPRIVATE where that
// is not set, as in go itself.
func private(environ []string) string {
	value := map[string]string{}
	for _, kv := range environ {
		name, v, _ := strings.Cut(kv, "=")
		value[name] = v
	}
	if v := value["GONOSUMDB"]; v != "" {
		return v
	}
	return value["GOPRIVATE"]
}

// markPrivate marks the modules that nobody but their source vouches for. Of a known one that is known, too: go takes its
// checksum and asks nobody.
func markPrivate(sums, known []ModuleSum, patterns string) []ModuleSum {
	for i, m := range sums {
		same := func(k ModuleSum) bool { return k.Path == m.Path && k.Version == m.Version && k.Sum == m.Sum }
		if at := slices.IndexFunc(known, same); at >= 0 {
			sums[i].Private = known[at].Private
			continue
		}
		sums[i].Private = module.MatchPrefixPatterns(patterns, m.Path)
	}
	return sums
}
