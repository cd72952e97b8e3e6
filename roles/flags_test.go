package roles_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"slipway/roles"
)

var execStart = regexp.MustCompile(`(?m)^ExecStart=/usr/bin/(\S+)((?: \\\n    \S+)+)`)

// TestFlagsExist checks every generated flag against what the programs' own --help lists (testdata/flags): an unknown
// flag stops a program at once.
func TestFlagsExist(t *testing.T) {
	checked := 0
	for _, path := range cases(t, "[^b]*") {
		archive := parse(t, path)
		out, err := roles.Render(contract(t, archive))
		if err != nil {
			t.Fatal(err)
		}
		for _, unit := range out.Units {
			for _, m := range execStart.FindAllStringSubmatch(string(unit.Content), -1) {
				checked += checkFlags(t, filepath.Base(path), m[1], strings.Fields(m[2]))
			}
		}
	}
	if checked < 200 {
		t.Errorf("only %d flags were checked: does the units' form still match?", checked)
	}
}

func checkFlags(t *testing.T, name, program string, args []string) int {
	t.Helper()
	help, err := os.ReadFile(filepath.Join("testdata", "flags", program+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, arg := range args {
		flag, _, found := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if !found { // the backslash at a line's end
			continue
		}
		checked++
		if strings.HasPrefix(flag, "experimental-") && name == "nftables.txtar" {
			continue // etcd 3.5, whose help is not kept
		}
		if !strings.Contains("\n"+string(help), "\n"+flag+"\n") {
			t.Errorf("%s: %s knows no --%s", name, program, flag)
		}
	}
	return checked
}
