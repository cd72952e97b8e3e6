package housetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pkg is what `go list -deps -json` tells of a package.
type pkg struct {
	ImportPath   string
	Dir          string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
}

// tags are the build tags of our files: the rules see what only a tag builds, too.
const tags = "qemu,fleet,all"

// list is every package of the module, with all that each depends on.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-tags="+tags, "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports,Deps", "./...")
	cmd.Dir = filepath.Join("..", "..")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var ours []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return ours
		} else if err != nil {
			t.Fatal(err)
		}
		if within(p.ImportPath, module) {
			ours = append(ours, p)
		}
	}
}

// watchSources walks our folders, so that a cached result of this test is not used after any of them changed: go test
// sees what the test reads, but not what go list does.
func watchSources(t *testing.T) {
	t.Helper()
	for _, r := range rooms {
		err := filepath.WalkDir(filepath.Join("..", "..", r.folder), func(string, fs.DirEntry, error) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestHouse(t *testing.T) {
	watchSources(t)
	ours := list(t)
	if len(ours) < 10 {
		t.Fatalf("go list found only %d packages", len(ours))
	}
	for _, p := range ours {
		for _, v := range violations(p) {
			t.Error(v)
		}
		if slices.ContainsFunc(clockless, func(f string) bool { return within(p.ImportPath, module+"/"+f) }) {
			for _, file := range p.GoFiles {
				checkClock(t, p.ImportPath, filepath.Join(p.Dir, file))
			}
		}
	}
}

// within says whether a path is folder or below it.
func within(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// roomOf is the room of one of our packages: that of the longest folder.
func roomOf(path string) (room, bool) {
	var best room
	for _, r := range rooms {
		if within(path, module+"/"+r.folder) && len(r.folder) > len(best.folder) {
			best = r
		}
	}
	return best, best.folder != ""
}

// violations lists the rules that a package breaks, with their reasons.
func violations(p pkg) []string {
	if p.ImportPath == module {
		return nil
	}
	from, ok := roomOf(p.ImportPath)
	if !ok {
		return []string{fmt.Sprintf("%s is in no room of the house: find the folder it belongs to, or give it one in rules_test.go", p.ImportPath)}
	}
	var found []string
	for _, i := range p.Imports {
		to, ours := roomOf(i)
		if !ours || to.folder == from.folder || slices.Contains(from.may, to.folder) {
			continue
		}
		found = append(found, fmt.Sprintf("%s imports %s: %s may import %q of ours, because %s", p.ImportPath, i, from.folder, from.may, from.why))
	}
	for _, b := range bans {
		if within(p.ImportPath, module+"/"+b.folder) {
			found = append(found, b.broken(p)...)
		}
	}
	return append(found, testViolations(p, from)...)
}

// testViolations lists what the tests of a package import though it is neither their room's to import nor help for
// tests.
func testViolations(p pkg, from room) []string {
	var found []string
	for _, i := range slices.Concat(p.TestImports, p.XTestImports) {
		to, ours := roomOf(i)
		if !ours || to.folder == from.folder || to.folder == "internal" || slices.Contains(from.may, to.folder) || slices.Contains(testRooms[from.folder], to.folder) {
			continue
		}
		found = append(found, fmt.Sprintf("a test of %s imports %s: tests of %s may import %q of ours and test helpers, because %s", p.ImportPath, i, from.folder, slices.Concat(from.may, testRooms[from.folder]), from.why))
	}
	return found
}

func (b ban) broken(p pkg) []string {
	candidates, verb := p.Deps, "depends on"
	if b.direct {
		candidates, verb = p.Imports, "imports"
	}
	var found []string
	for _, c := range candidates {
		banned := slices.ContainsFunc(b.packages, func(prefix string) bool { return within(c, prefix) })
		if banned && !slices.Contains(harmless, c) {
			found = append(found, fmt.Sprintf("%s %s %s, which is banned: %s", p.ImportPath, verb, c, b.why))
		}
	}
	return found
}

// checkClock refuses calls for the present time.
func checkClock(t *testing.T, importPath, file string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range clockUses(parsed) {
		t.Errorf("%s asks for time.%s in %s: the clock comes in as a value, so that the output depends on the input alone", importPath, name, filepath.Base(file))
	}
}

func clockUses(file *ast.File) []string {
	var uses []string
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		clock := []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"}
		if x, ok := selector.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, selector.Sel.Name) {
			uses = append(uses, selector.Sel.Name)
		}
		return true
	})
	return uses
}

// TestRulesCanFail feeds the rules what they must refuse, and what they must let pass.
func TestRulesCanFail(t *testing.T) {
	for name, c := range map[string]struct {
		p    pkg
		want string // "" for nothing
	}{
		"upwards":        {pkg{ImportPath: "slipway/cluster", Imports: []string{"slipway/imagebuild"}}, "the spec knows the contract"},
		"nobody's cmd":   {pkg{ImportPath: "slipway/qemu", Imports: []string{"slipway/cmd/slipway"}}, "slipway/cmd/slipway"},
		"not in table":   {pkg{ImportPath: "slipway/util"}, "in no room"},
		"ban, indirect":  {pkg{ImportPath: "slipway/firstboot/peer", Deps: []string{"github.com/spf13/cobra/doc"}}, "small, and it parses only its contract"},
		"roles and os":   {pkg{ImportPath: "slipway/roles/lb", Imports: []string{"os/exec"}}, "roles are pure"},
		"roles and net":  {pkg{ImportPath: "slipway/roles/lb", Imports: []string{"net/http"}}, "roles are pure"},
		"netip is fine":  {pkg{ImportPath: "slipway/roles/lb", Imports: []string{"net/netip", "strings", "slipway/roles/role"}, Deps: []string{"os"}}, ""},
		"process 1":      {pkg{ImportPath: "slipway/cmd/slipway-init", Deps: []string{"net/http"}}, "runs from the verified root"},
		"its tables":     {pkg{ImportPath: "slipway/imagebuild/initrd", Imports: []string{"slipway/initrd/modules"}}, ""},
		"not its boot":   {pkg{ImportPath: "slipway/imagebuild/initrd", Imports: []string{"slipway/initrd"}}, "imports slipway/initrd"},
		"own rooms":      {pkg{ImportPath: "slipway/imagebuild", Imports: []string{"slipway/imagebuild/disk", "slipway/cluster"}}, ""},
		"own room only":  {pkg{ImportPath: "slipway/node", Imports: []string{"slipway/firstboot/peer"}}, "depends on neither"},
		"grain is fine":  {pkg{ImportPath: "slipway/ova/vmdk", Imports: []string{"slipway/internal/grain"}}, ""},
		"no test's help": {pkg{ImportPath: "slipway/imagebuild/qcow2", Imports: []string{"slipway/internal/golden"}}, "imports slipway/internal/golden"},
		"nor in grain":   {pkg{ImportPath: "slipway/internal/grain", Imports: []string{"slipway/internal/golden"}}, "imports slipway/internal/golden"},
		"tests upwards":  {pkg{ImportPath: "slipway/cluster", TestImports: []string{"slipway/imagebuild/layout"}}, "a test of slipway/cluster imports"},
		"outside tests":  {pkg{ImportPath: "slipway/test/qemu", XTestImports: []string{"slipway/cluster"}}, "built programs only"},
		"tests get help": {pkg{ImportPath: "slipway/cluster", TestImports: []string{"slipway/internal/golden", "slipway/node"}}, ""},
		"a driver":       {pkg{ImportPath: "slipway/imagebuild/rootfs", Imports: []string{"slipway/imagebuild/debian"}}, "imagebuild/rootfs imports slipway/imagebuild/debian"},
		"nor the top":    {pkg{ImportPath: "slipway/imagebuild", Imports: []string{"slipway/imagebuild/debian"}}, "imports slipway/imagebuild/debian"},
		"nor a verb":     {pkg{ImportPath: "slipway/cmd/slipway", Imports: []string{"slipway/imagebuild/debian"}}, "imports slipway/imagebuild/debian"},
		"by the seam":    {pkg{ImportPath: "slipway/imagebuild", Imports: []string{"slipway/imagebuild/drivers", "slipway/imagebuild/distro"}}, ""},
		"not a prefix":   {pkg{ImportPath: "slipway/imagebuild", Deps: []string{"github.com/vmware/govmomix"}}, ""},
	} {
		got := strings.Join(violations(c.p), "\n")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q in it", name, got, c.want)
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nimport \"time\"\nvar now, d = time.Now(), time.Second", 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := clockUses(file); !slices.Equal(got, []string{"Now"}) {
		t.Errorf("found %q", got)
	}
}
