package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// debian is one package of the tree.
type debian struct {
	name, version string
	depends       []string // the first of alternatives that the tree has
	files         []string // as the tree has them: below /usr where Debian's lists say /lib
}

// readTree reads dpkg's database, whose order is by name.
func readTree(tree string) ([]debian, error) {
	data, err := os.ReadFile(filepath.Join(tree, "var/lib/dpkg/status"))
	if err != nil {
		return nil, fmt.Errorf("reading the package database: %w", err)
	}
	has := map[string]string{} // a package, or what one provides -> package
	var stanzas []map[string]string
	for text := range strings.SplitSeq(string(data), "\n\n") {
		s := fields(text)
		if s["Package"] == "" {
			continue
		}
		stanzas = append(stanzas, s)
		for _, name := range relationNames(s["Provides"]) {
			has[name[0]] = s["Package"]
		}
	}
	for _, s := range stanzas {
		has[s["Package"]] = s["Package"]
	}
	var out []debian
	for _, s := range stanzas {
		p := debian{name: s["Package"], version: s["Version"]}
		for _, alternatives := range append(relationNames(s["Pre-Depends"]), relationNames(s["Depends"])...) {
			for _, name := range alternatives {
				if has[name] != "" {
					p.depends = append(p.depends, has[name])
					break
				}
			}
		}
		if p.files, err = readList(tree, p.name); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// fields are those of a deb822 paragraph that have one line.
func fields(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		if key, value, ok := strings.Cut(line, ": "); ok && !strings.HasPrefix(line, " ") {
			out[key] = value
		}
	}
	return out
}

var relationName = regexp.MustCompile(`^\s*([a-z0-9][a-z0-9.+-]*)`)

// relationNames are the names in a field like "a (>= 1) | b, c", alternatives together.
func relationNames(field string) (out [][]string) {
	if field == "" {
		return nil
	}
	for clause := range strings.SplitSeq(field, ",") {
		var names []string
		for alternative := range strings.SplitSeq(clause, "|") {
			if m := relationName.FindStringSubmatch(alternative); m != nil {
				names = append(names, m[1])
			}
		}
		if names != nil {
			out = append(out, names)
		}
	}
	return out
}

var aboveUsr = regexp.MustCompile(`^/(bin|sbin|lib|lib64)(/|$)`)

func readList(tree, name string) (files []string, err error) {
	info := filepath.Join(tree, "var/lib/dpkg/info")
	data, err := os.ReadFile(filepath.Join(info, name+".list"))
	if os.IsNotExist(err) {
		data, err = os.ReadFile(filepath.Join(info, name+":amd64.list"))
	}
	if err != nil {
		return nil, fmt.Errorf("reading what %s has: %w", name, err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		path := aboveUsr.ReplaceAllString(lines.Text(), "/usr/$1$2")
		if path != "/." {
			files = append(files, path)
		}
	}
	return files, nil
}
