package payload

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// modulesOf asks the toolchain itself for the modules of a program.
func modulesOf(t *testing.T, program string) []ModuleSum {
	t.Helper()
	out, err := exec.Command("go", "version", "-m", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []ModuleSum
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 4 && (f[0] == "dep" || f[0] == "mod" || f[0] == "=>") {
			all = append(all, ModuleSum{Path: f[1], Version: f[2], Sum: f[3]})
		}
	}
	if len(all) == 0 {
		t.Fatalf("no modules in\n%s", out)
	}
	return all
}

// Every module that is linked in is known with its checksum, not only the one that was asked for; from the cache, too.
func TestAllModules(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-o", program, "testdata/program/main.go").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	env := fakeEnv(t, &fakeGo{made: program})
	for _, cached := range []bool{false, true} {
		res, err := Build(t.Context(), base(), env)
		if err != nil || res.Cached != cached {
			t.Fatalf("cached %v, %v", res.Cached, err)
		}
		if want := modulesOf(t, program); len(want) < 3 || !slices.Equal(res.Modules, want) {
			t.Errorf("got %v\nwant %v", res.Modules, want)
		}
	}
}

func TestModulesOfNoGoProgram(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("\x7fELF"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := linked(base(), dir); err == nil || !strings.HasPrefix(err.Error(), "reading the modules of a: ") {
		t.Errorf("got %v", err)
	}
}

// What is known of a module is held against what is downloaded, by go itself.
func TestKnownModulesAreChecked(t *testing.T) {
	f := &fakeGo{}
	item := base()
	item.Known = []ModuleSum{{Path: "m", Version: "v1.2.3", Sum: "h1:m"}, {Path: "n", Version: "v0.1.0", Sum: "h1:n"}}
	if _, err := Build(t.Context(), item, fakeEnv(t, f)); err != nil {
		t.Fatal(err)
	}
	if want := "m v1.2.3 h1:m\nn v0.1.0 h1:n\n"; f.gosum != want {
		t.Errorf("go.sum is %q", f.gosum)
	}
	f = &fakeGo{answer: `{"Path":"m","Version":"v1.2.3","Error":"verifying m@v1.2.3: checksum mismatch\n\tdownloaded: h1:x\n\tgo.sum: h1:m\n"}`, fail: errors.New("not reached")}
	_, err := Build(t.Context(), item, fakeEnv(t, f))
	if err == nil || !strings.Contains(err.Error(), "go.sum: h1:m\nhint: the proxy's module is not the one that the lock names") {
		t.Errorf("got %v", err)
	}
}
