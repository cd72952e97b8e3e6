package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/payload"
	"slipway/imagebuild/vendored"
)

// source are the modules of the tests' proxy, by module and file. The third is in the graph only: nobody imports it.
var source = map[string]map[string]string{
	"example.com/m": {
		"go.mod":           "module example.com/m\n\ngo 1.16\n\nrequire example.com/dep v1.0.0\n", // 1.16: go reads the whole graph
		"cmd/prog/main.go": "package main\n\nimport \"example.com/dep\"\n\nfunc main() { println(dep.Word) }\n",
	},
	"example.com/dep": {
		"go.mod": "module example.com/dep\n\ngo 1.16\n\nrequire example.com/unused v1.0.0\n",
		"dep.go": "package dep\n\nconst Word = \"slipway\"\n",
	},
	"example.com/unused": {
		"go.mod":    "module example.com/unused\n\ngo 1.16\n",
		"unused.go": "package unused\n",
	},
}

const helmFile = "\x7fELF a program"

// network is all that the tests' builds take from outside: a module proxy and a download, over HTTP.
func network(t *testing.T) *httptest.Server {
	t.Helper()
	dir := t.TempDir()
	for path, files := range source {
		var zipped []modzip.File
		for name, content := range files {
			zipped = append(zipped, memoryFile{name, content})
		}
		at := filepath.Join(dir, path, "@v")
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(filepath.Join(at, "v1.0.0.zip"))
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(zipped, func(a, b modzip.File) int { return strings.Compare(a.Path(), b.Path()) })
		if err := errors.Join(modzip.Create(f, module.Version{Path: path, Version: "v1.0.0"}, zipped), f.Close()); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{"v1.0.0.info": `{"Version":"v1.0.0"}`, "v1.0.0.mod": files["go.mod"]} {
			if err := os.WriteFile(filepath.Join(at, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "helm"), []byte(helmFile), 0o644); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(srv.Close)
	return srv
}

// small is a distribution of two packages.
type small struct {
	distro.Driver
	key string
}

var smallPackages = map[string]string{"jq": "the archive of jq", "tc": "the archive of tc"}

func (d small) Resolve(context.Context, distro.Request, distro.ResolveInput) ([]distro.Package, error) {
	var out []distro.Package
	for _, name := range []string{"jq", "tc"} {
		out = append(out, distro.Package{Name: name, Version: "1.7", SHA256: sha(smallPackages[name]), Size: int64(len(smallPackages[name]))})
	}
	return out, nil
}

func (d small) Facts() distro.Facts {
	f := d.Driver.Facts()
	f.Keys = []string{d.key}
	return f
}

// site is a builder of a small image: two packages, and a payload of each kind. Its caches are empty; go's build cache, which
// knows no network, is the user's. The module cache too, if it is shared.
func site(t *testing.T, srv *httptest.Server, lock string) *builder {
	t.Helper()
	cache := t.TempDir()
	b := testBuilder(t, func(o *Options) {
		o.Client = srv.Client()
		o.Payload = payload.Env{Run: payload.Exec{}, Fetch: payload.HTTP{Client: srv.Client()}, Environ: append(os.Environ(),
			"GOPROXY="+srv.URL, "GONOSUMDB=example.com", "GOMODCACHE="+cache)}
		if lock != "" {
			o.LockPath = lock
		}
	})
	t.Cleanup(func() { // its folders are read-only
		cmd := exec.Command("go", "clean", "-modcache")
		cmd.Env = append(os.Environ(), "GOMODCACHE="+cache, "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	host, err := payload.Probe(t.Context(), payload.Exec{}, os.Environ(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b.plan.Distro = small{b.plan.Distro, file(t, "keyring.gpg", "keys")}
	b.plan.Payloads = []payload.Item{
		{Name: "crictl", Version: "v1", Source: payload.SourceFile, Path: file(t, "crictl", helmFile+" of the user"), SHA256: sha(helmFile + " of the user"),
			Binaries: []payload.Binary{{Name: "crictl", Path: "/usr/bin/crictl"}}},
		{Name: "etcd", Version: "v1.0.0", Source: payload.SourceGomod, Modules: []string{"example.com/m"}, Go: host.Go,
			Binaries: []payload.Binary{{Name: "prog", Package: "example.com/m/cmd/prog", Path: "/usr/bin/prog"}}},
		{Name: "helm", Version: "v3", Source: payload.SourceRelease, URL: srv.URL + "/helm", SHA256: sha(helmFile),
			Binaries: []payload.Binary{{Name: "helm", Path: "/usr/bin/helm"}}},
	}
	return b
}

func sha(text string) string { return fmt.Sprintf("%x", sha256Of(text)) }

// takeAll runs the stages that take something from outside, and returns what programs became.
func (b *builder) takeAll(t *testing.T) (map[string]string, error) {
	t.Helper()
	done, err := b.openLock(t.Context())
	if err != nil {
		return nil, err
	}
	defer done()
	for _, step := range []func(context.Context) error{
		func(context.Context) error { return b.checkVendor() }, b.lockPackages, b.fetchPackages, b.makePayloads,
	} {
		if err := step(t.Context()); err != nil {
			return nil, err
		}
	}
	files := map[string]string{}
	for _, res := range b.results {
		for _, f := range res.Files {
			files[f.Path] = f.SHA256
		}
	}
	return files, nil
}

// vendorFor fills the pool of a builder by hand and a folder from it.
func vendorFor(t *testing.T, b *builder) *vendored.Folder {
	t.Helper()
	fillPool(t, b)
	dir := filepath.Join(t.TempDir(), "vendor")
	if _, err := Vendor(t.Context(), b.plan, b.opt, dir, vendored.Toolchain{Version: b.plan.Payloads[1].Go}); err != nil {
		t.Fatal(err)
	}
	folder, err := vendored.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func fillPool(t *testing.T, b *builder) {
	t.Helper()
	pool := filepath.Join(b.opt.Cache, "pool")
	if err := os.MkdirAll(pool, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, content := range smallPackages {
		if err := os.WriteFile(filepath.Join(pool, sha(content)+".deb"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// offline is a builder with empty caches that has the folder and no network: the lock of other is its lock.
func offline(t *testing.T, srv *httptest.Server, other *builder, folder *vendored.Folder) *builder {
	t.Helper()
	b := site(t, srv, other.opt.LockPath)
	b.plan.Payloads[0].Path = "/nowhere/crictl"
	b.opt.Vendor = folder
	plan := b.plan
	b = newBuilder(plan, b.opt)
	return b
}

// The whole way: a folder that was filled where there is a network gives the same programs where there is none.
func TestVendoredBuild(t *testing.T) {
	srv := network(t)
	online := site(t, srv, "")
	fillPool(t, online)
	want, err := online.takeAll(t)
	if err != nil || len(want) != 3 {
		t.Fatalf("%v %v", want, err)
	}
	folder := vendorFor(t, online)
	if r, err := vendored.Check(t.Context(), folder.Dir); err != nil || len(r.Problems) > 0 {
		t.Fatalf("%+v %v", r, err)
	}
	for name, there := range map[string]bool{
		"go/example.com/m/@v/v1.0.0.zip": true, "go/example.com/m/@v/v1.0.0.info": true, "go/example.com/dep/@v/v1.0.0.zip": true,
		"go/example.com/unused/@v/v1.0.0.mod": true, "go/example.com/unused/@v/v1.0.0.zip": false, // of the graph, go reads no more
		"archives/" + sha(smallPackages["jq"]) + ".deb": true, "downloads/" + sha(helmFile): true, "keys/keyring.gpg": true, "slipway.lock": true,
	} {
		if folder.Has(name) != there {
			t.Errorf("%s: %v", name, !there)
		}
	}
	srv.Close()
	b := offline(t, srv, online, folder)
	b.opt.Locked = true
	got, err := b.takeAll(t)
	if err != nil {
		t.Fatal(err)
	}
	for path, sum := range want {
		if got[path] != sum {
			t.Errorf("%s: %s offline, %s online", path, got[path], sum)
		}
	}
}

// A lock that no build completed knows no modules: the folder's go.sum vouches for them, and for nothing else.
func TestVendoredWithoutModulesInTheLock(t *testing.T) {
	srv := network(t)
	online := site(t, srv, "")
	folder := vendorFor(t, online)
	srv.Close()
	if _, err := offline(t, srv, online, folder).takeAll(t); err != nil {
		t.Fatal(err)
	}

	fresh := site(t, srv, "")
	lock, err := ReadLock(online.opt.LockPath)
	if err != nil {
		t.Fatal(err)
	}
	lock.Payloads = nil
	if err := lock.Write(fresh.opt.LockPath); err != nil {
		t.Fatal(err)
	}
	b := offline(t, srv, fresh, folder)
	env, err := b.vendoredEnv(t.Context(), b.opt.Payload)
	if err != nil {
		t.Fatal(err)
	}
	env.GoSum, env.CacheDir, env.Now = nil, filepath.Join(b.opt.Cache, "payloads"), b.opt.Now
	_, err = payload.Build(t.Context(), b.plan.Payloads[1], env)
	if err == nil || !strings.Contains(err.Error(), "/vendor/go/sumdb/sum.golang.org/") || !strings.Contains(err.Error(), "\nhint: the folder that modules are taken from lacks this one") {
		t.Errorf("a module that nobody vouches for: %v", err)
	}
}

// Each file that is missing or damaged is named, by the build that needs it.
func TestVendoredFilesAreNamed(t *testing.T) {
	srv := network(t)
	online := site(t, srv, "")
	folder := vendorFor(t, online)
	srv.Close()
	for _, name := range []string{
		"go/example.com/dep/@v/v1.0.0.zip", "go/example.com/unused/@v/v1.0.0.mod", "go.sum", "downloads/" + sha(helmFile), "downloads/" + sha(helmFile+" of the user"),
		"archives/" + sha(smallPackages["jq"]) + ".deb",
	} {
		path := folder.Path(name)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for what, spoil := range map[string]func() error{
			"is missing": func() error { return os.Remove(path) },
			"is damaged": func() error { return os.WriteFile(path, append([]byte{content[0] ^ 1}, content[1:]...), 0o644) },
		} {
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			_, err := offline(t, srv, online, folder).takeAll(t)
			if e, ok := errors.AsType[*vendored.DamageError](err); !ok || code(err) != 2 || !strings.HasPrefix(e.Problems[0].File, name) || !strings.Contains(err.Error(), what) {
				t.Errorf("%s %s: %v", name, what, err)
			}
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		folder, err = vendored.Open(folder.Dir) // it remembers what it found
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A folder that was filled for something else is refused before anything is made, with what it lacks.
func TestUnfitVendorFolder(t *testing.T) {
	srv := network(t)
	online := site(t, srv, "")
	folder := vendorFor(t, online)
	for name, c := range map[string]struct {
		change func(*builder, *Lock)
		want   []string
	}{
		"another package": {func(_ *builder, l *Lock) { l.Packages[0].Version, l.Packages[0].SHA256 = "1.8", "00" },
			[]string{"it has no package jq 1.8", "hint: run slipway vendor again"}},
		"another spec": {func(_ *builder, l *Lock) { l.Asked.Release = "bookworm" },
			[]string{"release: locked bookworm, now trixie", "hint: build or vendor where there is a network"}},
		"another Go": {func(b *builder, _ *Lock) { b.plan.Payloads[1].Go = "go1.99" },
			[]string{"it was filled for go1.", "and the Go toolchain here is go1.99", "hint: install go1."}},
		"another payload": {func(b *builder, _ *Lock) { b.plan.Payloads[1].Version = "v1.0.1" },
			[]string{"it has nothing for payload etcd v1.0.1, gomod example.com/m@v1.0.1"}},
		"another download": {func(b *builder, _ *Lock) { b.plan.Payloads[2].SHA256 = "00" },
			[]string{"it has nothing for payload helm v3, " + srv.URL + "/helm sha256:00"}},
		"packages updated": {func(b *builder, _ *Lock) { b.opt.Update = Update{"jq"} }, []string{"--update of packages asks"}},
		"no lock":          {func(b *builder, _ *Lock) { b.old = nil }, []string{"there is no slipway.lock beside the spec", "hint: if you trust the folder, copy its slipway.lock"}},
		"a payload is new": {func(b *builder, _ *Lock) { b.opt.Update = Update{"etcd"} }, nil},
		"nothing else":     {func(*builder, *Lock) {}, nil},
	} {
		b := offline(t, srv, online, folder)
		lock, err := ReadLock(online.opt.LockPath)
		if err != nil {
			t.Fatal(err)
		}
		b.old = lock
		c.change(b, lock)
		err = b.checkVendor()
		if c.want == nil && err != nil || c.want != nil && code(err) != 2 {
			t.Errorf("%s: %v", name, err)
		}
		for _, part := range c.want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q is not in %v", name, part, err)
			}
		}
	}
}

// Another build of the same Go is said: what it compiles is held against the lock.
func TestAnotherBuildOfGoIsSaid(t *testing.T) {
	heard := &lines{}
	folder := &vendored.Folder{Index: vendored.Index{Toolchain: vendored.Toolchain{Version: "go1.26.8", Programs: map[string]string{"compile": "aa", "link": "bb"}}}}
	b := testBuilder(t, func(o *Options) {
		o.Progress, o.Vendor, o.Compiler = heard, folder, vendored.Toolchain{Version: "go1.26.8", Programs: map[string]string{"compile": "cc", "link": "bb"}}
	})
	b.sayCompiler()
	if len(heard.said) != 1 || !strings.HasPrefix(heard.said[0], "go1.26.8 here is another build of it than the one that the vendor folder names (compile)") {
		t.Errorf("said %q", heard.said)
	}
}
