package debian

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Purge leaves out of buildOnly what the spec's own packages are or need: dpkg is told to purge whatever depends on it.
func (d Driver) Purge(tree string, extra []string) ([]string, error) {
	needs, err := readNeeds(filepath.Join(tree, "var/lib/dpkg/status"))
	if err != nil {
		return nil, fmt.Errorf("reading the package database: %w", err)
	}
	keep := map[string]bool{}
	for todo := slices.Clone(extra); len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		if !keep[name] {
			keep[name] = true
			todo = append(todo, needs[name]...)
		}
	}
	return slices.DeleteFunc(append(d.BuildOnly(), standIn), func(name string) bool { return keep[name] }), nil
}

// nameInRelation is one package of a field like "libc6 (>= 2.41), cron:any | anacron".
var nameInRelation = regexp.MustCompile(`(?:^|[,|])\s*([a-z0-9][a-z0-9.+-]*)`)

// readNeeds tells of every package, and of every name that one provides, which others it depends on. Of alternatives it
// takes all: too much kept is a few bytes, too little a broken package.
func readNeeds(status string) (map[string][]string, error) {
	f, err := os.Open(status)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	needs := map[string][]string{}
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 4<<20)
	sc.Split(splitParagraph)
	for sc.Scan() {
		var name string
		for line := range strings.SplitSeq(sc.Text(), "\n") {
			switch key, value, _ := strings.Cut(line, ": "); key {
			case "Package":
				name = value
			case "Depends", "Pre-Depends":
				needs[name] = append(needs[name], names(value)...)
			case "Provides":
				for _, virtual := range names(value) {
					needs[virtual] = append(needs[virtual], name)
				}
			}
		}
	}
	return needs, sc.Err()
}

func names(relation string) []string {
	var out []string
	for _, m := range nameInRelation.FindAllStringSubmatch(relation, -1) {
		out = append(out, m[1])
	}
	return out
}
