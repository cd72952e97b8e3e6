package payload

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// proxy is a module proxy in a folder, as GOPROXY names it.
func proxy(t *testing.T, path, version string, files map[string]string) string {
	t.Helper()
	dir, source := t.TempDir(), t.TempDir()
	for name, text := range files {
		at := filepath.Join(source, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	at := filepath.Join(dir, path, "@v", version)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	if err := zip.CreateFromDir(&packed, module.Version{Path: path, Version: version}, source); err != nil {
		t.Fatal(err)
	}
	for ending, data := range map[string][]byte{".zip": packed.Bytes(), ".mod": []byte(files["go.mod"]), ".info": []byte(`{"Version":"` + version + `"}`)} {
		if err := os.WriteFile(at+ending, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return "file://" + dir
}

// privateEnv builds for real with an empty module cache and only that proxy: nothing can ask the world.
func privateEnv(t *testing.T, proxy string, more ...string) Env {
	t.Helper()
	modules := t.TempDir()
	env := Env{Run: Exec{}, CacheDir: t.TempDir(), Now: fakeEnv(t, &fakeGo{}).Now,
		Environ: append(os.Environ(), append(more, "GOPROXY="+proxy, "GONOPROXY=none", "GOMODCACHE="+modules)...)}
	t.Cleanup(func() { // go makes its module cache read-only
		cmd := exec.Command("go", "clean", "-modcache")
		cmd.Env = append(os.Environ(), "GOMODCACHE="+modules)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	return env
}

// A fork that only the user's own proxy has is built when the user keeps it from the checksum database, and the result says so.
func TestPrivateFork(t *testing.T) {
	const fork = "forge.example/us/tool"
	from := proxy(t, fork, "v1.2.3", map[string]string{
		"go.mod": "module " + fork + "\n\ngo 1.25\n", "cmd/tool/main.go": "package main\n\nfunc main() {}\n",
	})
	item := Item{Name: "tool", Version: "v1.2.3", Source: SourceGomod, Modules: []string{fork}, Go: "go",
		Binaries: []Binary{{Name: "tool", Package: fork + "/cmd/tool", Path: "/usr/bin/tool"}}}
	for _, setting := range []string{"GOPRIVATE=forge.example/us", "GONOSUMDB=forge.example/*"} {
		res, err := Build(t.Context(), item, privateEnv(t, from, setting))
		if err != nil {
			t.Fatalf("%s: %v", setting, err)
		}
		if len(res.Modules) != 1 || res.Modules[0].Path != fork || !res.Modules[0].Private || res.Modules[0].Sum == "" {
			t.Errorf("%s: %+v", setting, res.Modules)
		}
	}
}

// The user chooses which modules the checksum database is not asked about, and nothing else of it.
func TestPrivateEnvironment(t *testing.T) {
	for _, c := range []struct {
		environ []string
		want    string
	}{
		{nil, "GONOSUMDB=none"},
		{[]string{"GOPRIVATE=a.example"}, "GONOSUMDB=a.example"},
		{[]string{"GOPRIVATE=a.example", "GONOSUMDB=b.example"}, "GONOSUMDB=b.example"},
		{[]string{"GOSUMDB=off", "GONOSUMCHECK=1", "GOFLAGS=-insecure", "GONOSUMDB="}, "GONOSUMDB=none"},
	} {
		env := goEnv(c.environ, "")
		if !slices.Contains(env, c.want) || !slices.Contains(env, "GOSUMDB=sum.golang.org") || !slices.Contains(env, "GOFLAGS=-mod=mod") {
			t.Errorf("%v gives %s", c.environ, strings.Join(env, " "))
		}
	}
}

// What is known of a module from the lock says whether anybody vouched for it, whatever this machine's settings are.
func TestMarkPrivate(t *testing.T) {
	known := []ModuleSum{{Path: "a.example/known", Version: "v1", Sum: "1"}, {Path: "b.example/x", Version: "v1", Sum: "2", Private: true}}
	sums := []ModuleSum{
		{Path: "a.example/known", Version: "v1", Sum: "1"}, {Path: "a.example/new", Version: "v1", Sum: "3"},
		{Path: "b.example/x", Version: "v1", Sum: "2"}, {Path: "b.example/x", Version: "v2", Sum: "4"},
	}
	var got []bool
	for _, m := range markPrivate(sums, known, "a.example/*") {
		got = append(got, m.Private)
	}
	if want := []bool{false, true, true, false}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
