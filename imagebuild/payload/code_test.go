package payload

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// Another slipway whose code for payloads differs takes none of this one's from a shared cache.
func TestKeySeesOurOwnCode(t *testing.T) {
	files := fstest.MapFS{"compile.go": {Data: []byte("a")}, "templates/kube.go.txt": {Data: []byte("b")}, "x_test.go": {Data: []byte("c")}}
	was := code(files)
	for name, change := range map[string]func(fstest.MapFS){
		"a changed file":     func(m fstest.MapFS) { m["compile.go"] = &fstest.MapFile{Data: []byte("aa")} },
		"a changed template": func(m fstest.MapFS) { m["templates/kube.go.txt"] = &fstest.MapFile{Data: []byte("bb")} },
		"a new file":         func(m fstest.MapFS) { m["more.go"] = &fstest.MapFile{} },
		"a renamed file":     func(m fstest.MapFS) { m["c.go"] = m["compile.go"]; delete(m, "compile.go") },
	} {
		other := maps.Clone(files)
		if change(other); code(other) == was {
			t.Errorf("%s: the same digest", name)
		}
	}
	files["x_test.go"] = &fstest.MapFile{Data: []byte("cc")}
	if code(files) != was {
		t.Error("a test shapes bytes")
	}
	if base().key("one", goVars()) == base().key("two", goVars()) {
		t.Error("the code does not count")
	}
}

// All of the package is in the digest: a file that were left out could change bytes unseen.
func TestAllCodeCounts(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path, "testdata") {
			return err
		}
		want, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if got, err := fs.ReadFile(source, path); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is not in the digest: %v", path, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeySeesTheEnvironment(t *testing.T) {
	item := base()
	for name := range goVars() {
		vars := goVars()
		if vars[name] += "x"; item.key("", vars) == item.key("", goVars()) {
			t.Errorf("%s does not count", name)
		}
	}
	for _, name := range []string{"GOENV", "GOFIPS140", "GOAMD64", "GOEXPERIMENT", "CGO_ENABLED"} {
		if _, ok := goVars()[name]; !ok {
			t.Errorf("%s is the user's to set", name)
		}
	}
}

// A new field of an item must be put into the key's tests, as an input or as none.
func TestNoFieldIsForgotten(t *testing.T) {
	var fields []string
	for f := range reflect.TypeOf(Item{}).Fields() {
		fields = append(fields, f.Name)
	}
	const want = "Name Version Class Source Modules Template Vars Patched Go Known URL Path SHA256 Binaries"
	if got := strings.Join(fields, " "); got != want {
		t.Errorf("items have %q: does the new field shape bytes?", got)
	}
}

// The user's `go env -w` says where modules come from, and nothing that shapes bytes.
func TestProbeReadsSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("GOPROXY=https://proxy.example\nGOFIPS140=latest\nGOPRIVATE=forge.example\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	environ := override(os.Environ(), map[string]string{"GOENV": file, "GOPROXY": "", "GOPRIVATE": "", "GOFIPS140": ""})
	host, err := Probe(t.Context(), Exec{}, environ, t.TempDir())
	if err != nil || !strings.HasPrefix(host.Go, "go1.") {
		t.Fatalf("%+v %v", host, err)
	}
	for _, want := range []string{"GOPROXY=https://proxy.example", "GOPRIVATE=forge.example"} {
		if !slices.Contains(host.GoSettings, want) {
			t.Errorf("%s is not in %q", want, host.GoSettings)
		}
	}
	env := goEnv(append(environ, host.GoSettings...), "")
	for _, want := range []string{"GOENV=off", "GOFIPS140=off"} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is not in %q", want, env)
		}
	}
}
