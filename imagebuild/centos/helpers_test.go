package centos

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/imagebuild/distro"
	"slipway/internal/testyum"
)

// day is when everything of a test is made.
var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Keys take a while to make, so that all tests share two: one that is believed, and another.
var signing = sync.OnceValues(func() (*testyum.Key, error) { return testyum.NewKey("believed", day) })
var wrong = sync.OnceValues(func() (*testyum.Key, error) { return testyum.NewKey("another", day) })

// mirror is a server with small repositories, which real dnf and rpm read.
type mirror struct {
	t          *testing.T
	dir, work  string
	url        string
	key, other *testyum.Key
}

func newMirror(t *testing.T) *mirror {
	t.Helper()
	m := &mirror{t: t, dir: t.TempDir(), work: t.TempDir()}
	srv := httptest.NewServer(http.FileServer(http.Dir(m.dir)))
	t.Cleanup(srv.Close)
	m.url = srv.URL
	var err error
	if m.key, err = signing(); err != nil {
		t.Fatal(err)
	}
	if m.other, err = wrong(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(m.work, "key.asc"), m.key.Public, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, r := range repositories {
		m.fill(r.name, m.key, m.key)
	}
	return m
}

// fill replaces what a repository has. Packages and metadata are signed by the keys, or not.
func (m *mirror) fill(repository string, packages, metadata *testyum.Key, pkgs ...testyum.Package) {
	m.t.Helper()
	m.fillAt(day, repository, packages, metadata, pkgs...)
}

func (m *mirror) fillAt(at time.Time, repository string, packages, metadata *testyum.Key, pkgs ...testyum.Package) {
	m.t.Helper()
	dir := filepath.Join(m.dir, repository)
	if err := os.RemoveAll(dir); err != nil {
		m.t.Fatal(err)
	}
	for _, p := range pkgs {
		if err := p.Write(filepath.Join(dir, "Packages"), packages); err != nil {
			m.t.Fatal(err)
		}
	}
	if err := testyum.Index(m.t.Context(), dir, metadata, at); err != nil {
		m.t.Fatal(err)
	}
}

// rpm is a package to be: name-version, and what it needs.
func rpm(text string, requires ...string) testyum.Package {
	i := strings.LastIndex(text, "-")
	return testyum.Package{
		Name: text[:i], Version: text[i+1:], Release: "1.el10", Arch: "x86_64", Requires: requires, Time: day,
		Files: []testyum.File{{Path: "/usr/share/" + text, Mode: 0o100644, Owner: "root", Group: "root", Time: day, Body: []byte(text)}},
	}
}

// request asks for packages with ELRepo's kernel.
func (m *mirror) request(packages ...string) distro.Request {
	return distro.Request{
		Name: "centos", Release: "10", Architecture: architecture, Kernel: "kernel-ml/" + elrepo, Packages: packages, Signers: []string{m.key.Fingerprint},
	}
}

func (m *mirror) mirrors() distro.Mirrors {
	out := distro.Mirrors{}
	for _, r := range repositories {
		out[r.name] = m.url + "/" + r.name
	}
	return out
}

// resolve asks real dnf and rpm.
func (m *mirror) resolve(req distro.Request, change ...func(*distro.ResolveInput)) (distro.Resolution, error) {
	m.t.Helper()
	in := distro.ResolveInput{
		Mirrors: m.mirrors(), Keys: []string{filepath.Join(m.work, "key.asc")}, Dir: filepath.Join(m.work, "pm"),
	}
	for _, f := range change {
		f(&in)
	}
	in.Fetcher = distro.Fetcher{
		Pool: filepath.Join(m.work, "pool"), Suffix: suffix, Snapshots: snapshots, Client: http.DefaultClient,
		Places: func(p distro.Package) []string { return Driver{}.Places(p, in.Mirrors) },
	}
	return Driver{}.Resolve(context.Background(), req, in)
}

// kernel fills ELRepo with its kernel: three packages.
func (m *mirror) kernel() {
	m.t.Helper()
	m.fill(elrepo, m.key, m.key, rpm("kernel-ml-7.1", "kernel-ml-core = 7.1-1.el10"), rpm("kernel-ml-core-7.1"), rpm("kernel-ml-modules-extra-7.1", "kernel-ml-core = 7.1-1.el10"))
}

func versions(pkgs []distro.Package) string {
	var out []string
	for _, p := range pkgs {
		out = append(out, p.Archive+"/"+p.Name+"="+p.Version)
	}
	return strings.Join(out, " ")
}
