package debian

import (
	"regexp"
	"strings"
)

// translate writes a licence of a copyright file as an SPDX expression. "and" binds stronger than "or", and a comma before
// one of them weakens it. What has no name in SPDX, unknown names.
func translate(text string, unknown func(string) string) string {
	for _, op := range []struct {
		split *regexp.Regexp
		word  string
		inner string // words in a part that call for parentheses
	}{
		{weakAnd, " AND ", " OR "}, {weakOr, " OR ", " AND "}, {strongOr, " OR ", " AND "}, {strongAnd, " AND ", " OR "},
	} {
		parts := op.split.Split(text, -1)
		if len(parts) < 2 {
			continue
		}
		for i, part := range parts {
			parts[i] = translate(part, unknown)
			if strings.Contains(parts[i], op.inner) {
				parts[i] = "(" + parts[i] + ")"
			}
		}
		return strings.Join(parts, op.word)
	}
	if id := spdxName(text); id != "" {
		return id
	}
	return unknown(text)
}

var (
	weakAnd   = regexp.MustCompile(`(?i), and `)
	weakOr    = regexp.MustCompile(`(?i), or `)
	strongOr  = regexp.MustCompile(`(?i) or `)
	strongAnd = regexp.MustCompile(`(?i) and `)
)

// spdxName is what SPDX calls a single licence, "" if it has no name that surely means the same.
func spdxName(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if base, exception, ok := strings.Cut(name, " with "); ok {
		id, with := spdxName(base), exceptions()[exception]
		if id == "" || with == "" {
			return ""
		}
		return id + " WITH " + with
	}
	if m := gnu.FindStringSubmatch(name); m != nil {
		version := m[2]
		if !strings.Contains(version, ".") {
			version += ".0"
		}
		switch m[1] + version { // those that there are
		case "gpl1.0", "gpl2.0", "gpl3.0", "lgpl2.0", "lgpl2.1", "lgpl3.0", "agpl3.0":
			return strings.ToUpper(m[1]) + "-" + version + orLater(m[3])
		}
		return ""
	}
	if m := gfdl.FindStringSubmatch(name); m != nil {
		invariants := ""
		if m[1] != "" || m[4] != "" {
			invariants = "-no-invariants"
		}
		return "GFDL-" + m[2] + invariants + orLater(m[3])
	}
	return spdxNames()[name]
}

// orLater is the end of a name in GNU's family.
func orLater(mark string) string {
	if mark == "+" || mark == "-or-later" {
		return "-or-later"
	}
	return "-only"
}

var (
	gnu  = regexp.MustCompile(`^(gpl|lgpl|agpl)-([0-9.]+)(\+|-only|-or-later)?$`)
	gfdl = regexp.MustCompile(`^gfdl(-niv)?-(1\.[123])(\+)?(-no-invariants?)?$`)
)

// exceptions are those of which Debian's name says which one it is.
func exceptions() map[string]string {
	return map[string]string{
		"linux-syscall-note exception": "Linux-syscall-note",
		"bison exception":              "Bison-exception-2.2", "bison-2.2 exception": "Bison-exception-2.2",
		"llvm exception":    "LLVM-exception",
		"texinfo exception": "Texinfo-exception",
	}
}

// spdxNames are SPDX's names for Debian's, in small letters. A name without a version, as GPL, stands for any version, as those
// licences say themselves; Artistic is the one of /usr/share/common-licenses.
func spdxNames() map[string]string {
	return map[string]string{
		"0bsd": "0BSD", "afl-2.0": "AFL-2.0", "afl-2.1": "AFL-2.1", "apache-2": "Apache-2.0", "apache-2.0": "Apache-2.0",
		"artistic": "Artistic-1.0-Perl", "artistic-2": "Artistic-2.0", "artistic-2.0": "Artistic-2.0", "beerware": "Beerware",
		"bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause", "bsd-4-clause": "BSD-4-Clause", "bsd-4-clause-uc": "BSD-4-Clause-UC",
		"bsl-1": "BSL-1.0", "bsl-1.0": "BSL-1.0", "bzip2-1.0.6": "bzip2-1.0.6", "cc0": "CC0-1.0", "cc0-1.0": "CC0-1.0",
		"cc-by-3.0": "CC-BY-3.0", "cc-by-4.0": "CC-BY-4.0", "cc-by-sa-3.0": "CC-BY-SA-3.0", "cc-by-sa-4.0": "CC-BY-SA-4.0",
		"expat": "MIT", "fsfap": "FSFAP", "fsful": "FSFUL", "fsfullr": "FSFULLR", "gpl": "GPL-1.0-or-later", "isc": "ISC",
		"latex2e": "Latex2e", "lgpl": "LGPL-2.0-or-later", "linux-man-pages-copyleft": "Linux-man-pages-copyleft", "mit": "MIT",
		"mpl-1.1": "MPL-1.1", "mpl-2.0": "MPL-2.0", "ms-pl": "MS-PL", "openssl": "OpenSSL", "sleepycat": "Sleepycat",
		"unicode-dfs-2016": "Unicode-DFS-2016", "x11": "X11", "zlib": "Zlib",
	}
}
