package debian

import (
	"regexp"
	"testing"

	"github.com/github/go-spdx/v2/spdxexp"
)

const format = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"

// TestLicences: what copyright files say, as SPDX's own grammar and list of names take it.
func TestLicences(t *testing.T) {
	for name, c := range map[string]struct{ copyright, want string }{
		"one":              {"Files: *\nLicense: Expat\n", "MIT"},
		"many":             {"Files: *\nLicense: GPL-2+\n text\n\nFiles: debian/*\nLicense: Expat\n\nFiles: x\nLicense: GPL-2+\n", "GPL-2.0-or-later AND MIT"},
		"only":             {"Files: *\nLicense: LGPL-2.1\n", "LGPL-2.1-only"},
		"SPDX's own names": {"License: GPL-3.0+\n\nLicense: LGPL-2.0-or-later\n\nLicense: BSD-3-Clause\n", "BSD-3-Clause AND GPL-3.0-or-later AND LGPL-2.0-or-later"},
		"a choice":         {"License: GPL-1+ or Artistic\n", "GPL-1.0-or-later OR Artistic-1.0-Perl"},
		"a choice and one": {"License: BSD-2-clause or GPL-2\n\nLicense: ISC\n", "(BSD-2-Clause OR GPL-2.0-only) AND ISC"},
		"and binds first":  {"License: MPL-1.1 or GPL-2 and Expat\n", "MPL-1.1 OR (GPL-2.0-only AND MIT)"},
		"until a comma":    {"License: GPL-2+ or AFL-2.1, and Expat\n", "(GPL-2.0-or-later OR AFL-2.1) AND MIT"},
		"an exception":     {"License: GPL-2 with Linux-syscall-note exception OR BSD-3-Clause\n", "GPL-2.0-only WITH Linux-syscall-note OR BSD-3-Clause"},
		"documentation":    {"License: GFDL-NIV-1.3+\n\nLicense: GFDL-1.2\n", "GFDL-1.2-only AND GFDL-1.3-no-invariants-or-later"},
		"no such version":  {"License: GPL-4+\n", "LicenseRef-GPL-4-#"},
		"an unknown one":   {"License: Tcl-BSDish\n Do what you like.\n", "LicenseRef-Tcl-BSDish-#"},
		"and exception":    {"License: GPL-2+ with OpenSSL exception\n", "LicenseRef-GPL-2-with-OpenSSL-exception-#"},
		"no licence":       {"Files: *\nCopyright: somebody\nLicense: none\n", ""},
		"continued lines":  {"Files: *\nLicense: ISC\n License: GPL-3\n", "ISC"},
	} {
		got, texts := licences(format + c.copyright)
		if masked := regexp.MustCompile(`-[0-9a-f]{8}\b`).ReplaceAllString(got, "-#"); masked != c.want {
			t.Errorf("%s: got %s, want %s", name, masked, c.want)
		}
		if ok, invalid := spdxexp.ValidateLicenses([]string{got}); got != "" && !ok {
			t.Errorf("%s: %q is no SPDX expression", name, invalid)
		}
		for _, text := range texts {
			if text.Name == "" || text.Text == "" {
				t.Errorf("%s: %+v", name, text)
			}
		}
	}
	if got, _ := licences("This is free software.\nLicense: GPL\n"); got != "" {
		t.Errorf("a file in no format that programs can read says %q", got)
	}
}

// TestLicenceTexts: one name with two texts is two licences, and the text of an expression is that of each name in it.
func TestLicenceTexts(t *testing.T) {
	_, one := licences(format + "License: mine\n Do\n .\n what you like.\n")
	_, other := licences(format + "License: mine\n Do nothing.\n")
	_, again := licences(format + "Files: *\nLicense: mine\n\nLicense: mine\n Do\n .\n what you like.\n")
	if one[0].Text != "Do\n\nwhat you like." || one[0].ID == other[0].ID || one[0] != again[0] {
		t.Errorf("%+v\n%+v\n%+v", one, other, again)
	}
	if _, both := licences(format + "License: mine or yours\n A text.\n"); len(both) != 2 || both[0].Text != "A text." || both[1].Text != "A text." {
		t.Errorf("%+v", both)
	}
}

// TestAllNames: every name that is written of itself, without a text, is one of SPDX's.
func TestAllNames(t *testing.T) {
	for debian, spdx := range spdxNames() {
		if ok, _ := spdxexp.ValidateLicenses([]string{spdx}); !ok {
			t.Errorf("%s: SPDX has no %s", debian, spdx)
		}
	}
	for debian, exception := range exceptions() {
		if ok, _ := spdxexp.ValidateLicenses([]string{"GPL-2.0-only WITH " + exception}); !ok {
			t.Errorf("%s: SPDX has no exception %s", debian, exception)
		}
	}
}
