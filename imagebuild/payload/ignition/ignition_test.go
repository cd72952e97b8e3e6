package ignition

import (
	"bytes"
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is a copy of Ignition's module at the version that go.mod names.
func module(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/coreos/ignition/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "module")
	if err := os.CopyFS(dir, os.DirFS(strings.TrimSpace(string(out)))); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestApply(t *testing.T) {
	dir := module(t)
	if err := Apply(dir); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(filepath.Join(dir, "internal"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		switch filepath.Ext(path) {
		case ".c", ".h":
			if !strings.Contains(name, "/virtualbox/") {
				t.Errorf("%s is left", name)
			}
		case ".go":
			checkSource(t, name, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkSource: the file is Go, links no C and does not print the config. VirtualBox is no provider any more.
func checkSource(t *testing.T, name, path string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range f.Imports {
		if i.Path.Value == `"C"` && !strings.Contains(name, "/virtualbox/") {
			t.Errorf("%s links C", name)
		}
		if strings.Contains(i.Path.Value, "/virtualbox") {
			t.Errorf("%s imports %s", name, i.Path.Value)
		}
	}
	if bytes.Contains(text, []byte("Full config")) {
		t.Errorf("%s prints the config", name)
	}
}

// Another version's files are refused by name, each of them: nothing is changed by half.
func TestApplyRefusesAnotherVersion(t *testing.T) {
	for line := range strings.Lines(string(content(originals))) {
		_, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		dir := module(t)
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString("\n")
		f.Close()
		var other *OtherVersionError
		if err := Apply(dir); !errors.As(err, &other) || other.File != name || !strings.Contains(err.Error(), "\nhint: leave payloads.ignition.version out") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTablesAreWhole(t *testing.T) {
	known := string(content(originals))
	for _, table := range []map[string]string{replaced(), patched(), added()} {
		for name, from := range table {
			if len(content(from)) == 0 {
				t.Errorf("%s is empty", from)
			}
			if _, isNew := added()[name]; strings.Contains(known, "  "+name+"\n") == isNew {
				t.Errorf("%s: its digest is or is not in %s", name, originals)
			}
		}
	}
}

// Both ends of every change are in the digest.
func TestDigestCoversWhatIsCopied(t *testing.T) {
	if Digest() != Digest() || len(Digest()) != 64 {
		t.Fatal("no digest")
	}
	var have []string
	fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			have = append(have, name)
		}
		return nil
	})
	want := slices.Sorted(maps.Values(replaced()))
	want = append(append(want, slices.Sorted(maps.Values(patched()))...), slices.Sorted(maps.Values(added()))...)
	want = append(want, originals)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("embedded %v, used %v", have, want)
	}
}

// What is copied into Ignition's module may import only what is there: the standard library and golang.org/x/sys.
func TestCopiedPackagesStandAlone(t *testing.T) {
	for _, from := range append(slices.Sorted(maps.Values(added())), "asuser/asuser.go") {
		f, err := parser.ParseFile(token.NewFileSet(), from, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			first, _, _ := strings.Cut(path, "/")
			if strings.HasPrefix(path, "slipway") || strings.Contains(first, ".") && path != "golang.org/x/sys/unix" {
				t.Errorf("%s imports %s", from, path)
			}
		}
	}
}

func TestApplyPatch(t *testing.T) {
	const old = "a\nb\nc\nd\ne\n"
	for name, c := range map[string]struct{ patch, want, err string }{
		"change":         {"--- a\n+++ b\n@@ -2,2 +2,2 @@\n-b\n+B\n c\n", "a\nB\nc\nd\ne\n", ""},
		"two hunks":      {"@@ -1 +1 @@\n+0\n a\n@@ -5 +6 @@\n-e\n", "0\na\nb\nc\nd\n", ""},
		"at the end":     {"@@ -5 +5,2 @@\n e\n+f\n", old + "f\n", ""},
		"other context":  {"@@ -2,2 +2,2 @@\n-b\n+B\n x\n", "", `line 3 is not "x\n"`},
		"other line":     {"@@ -2 +2 @@\n-x\n", "", `line 2 is not "x\n"`},
		"past the end":   {"@@ -9 +9 @@\n-x\n", "", "does not follow"},
		"back":           {"@@ -4 +4 @@\n d\n@@ -2 +2 @@\n b\n", "", "does not follow"},
		"no patch":       {"hello\n", "", "no line of a unified diff"},
		"no line number": {"@@ -x @@\n", "", "reading"},
	} {
		got, err := applyPatch(old, c.patch)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
}
