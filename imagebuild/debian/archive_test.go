package debian

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/imagebuild/distro"
)

// testArchive is a small Debian archive in a folder that apt can read: unsigned, so its sources must be trusted.
type testArchive struct {
	t          *testing.T
	dir        string
	URL        string // of the folder, over HTTP
	client     *http.Client
	prefix     string // that the URLs of its files may have besides
	validUntil string // of its indexes; empty: no limit
}

func newTestArchive(t *testing.T) *testArchive {
	t.Helper()
	a := &testArchive{t: t, dir: t.TempDir()}
	files := http.FileServer(http.Dir(a.dir))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/" + strings.TrimPrefix(r.URL.Path, a.prefix)
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	a.URL, a.client = srv.URL, srv.Client()
	return a
}

// deb is a package to be: its name, its version, and other control fields.
type deb struct{ name, version, fields string }

// suite replaces what a suite holds. Its index describes files that are made on the spot.
func (a *testArchive) suite(name string, debs ...deb) {
	a.t.Helper()
	var index strings.Builder
	for _, d := range debs {
		pool := filepath.Join("pool/main", d.name, d.name+"_"+d.version+"_all.deb")
		data := a.build(d)
		a.write(pool, data)
		fmt.Fprintf(&index, "%sFilename: %s\nSize: %d\nSHA256: %x\n\n", d.control(), pool, len(data), sha256.Sum256(data))
	}
	packages := "main/binary-amd64/Packages"
	a.write(filepath.Join("dists", name, packages), []byte(index.String()))
	valid := ""
	if a.validUntil != "" {
		valid = "Valid-Until: " + a.validUntil + "\n"
	}
	a.write(filepath.Join("dists", name, "Release"), fmt.Appendf(nil,
		"Suite: %s\nCodename: %s\nDate: Thu, 28 May 2026 20:26:40 UTC\n%sArchitectures: amd64\nComponents: main\nSHA256:\n %x %d %s\n",
		name, name, valid, sha256.Sum256([]byte(index.String())), index.Len(), packages))
}

func (d deb) control() string {
	return "Package: " + d.name + "\nVersion: " + d.version + "\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: nothing\n" + d.fields
}

func (a *testArchive) build(d deb) []byte {
	a.t.Helper()
	dir := a.t.TempDir()
	control, built := filepath.Join(dir, "tree", "DEBIAN", "control"), filepath.Join(dir, "built.deb")
	writeFile(a.t, control, []byte(d.control()))
	cmd := exec.Command("dpkg-deb", "--root-owner-group", "--build", filepath.Join(dir, "tree"), built)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1") // the same package whenever it is built
	if out, err := cmd.CombinedOutput(); err != nil {
		a.t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(built)
	if err != nil {
		a.t.Fatal(err)
	}
	return data
}

func (a *testArchive) write(path string, data []byte) {
	a.t.Helper()
	writeFile(a.t, filepath.Join(a.dir, path), data)
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// fill gives a release all of its suites, empty but for what debs says.
func (a *testArchive) fill(debs map[string][]deb) {
	a.t.Helper()
	for _, s := range suites("trixie") {
		a.suite(s.name, debs[s.name]...)
	}
}

// versions are the packages as name=version.
func versions(pkgs []distro.Package) []string {
	var out []string
	for _, p := range pkgs {
		out = append(out, p.Name+"="+p.Version)
	}
	return out
}

const essential = "Essential: yes\n"

// resolve asks our archive, as Resolve would ask Debian's.
func (a *testArchive) resolve(req distro.Request, in distro.ResolveInput) ([]distro.Package, error) {
	a.t.Helper()
	if in.Mirrors == nil {
		in.Mirrors = at(a.URL)
	}
	return apt{dir: a.t.TempDir(), trust: "trusted=yes"}.resolve(a.t.Context(), req, in)
}

func (a *testArchive) mustResolve(req distro.Request, in distro.ResolveInput) []distro.Package {
	a.t.Helper()
	pkgs, err := a.resolve(req, in)
	if err != nil {
		a.t.Fatal(err)
	}
	return pkgs
}

// The newest of release, updates and security wins; backports give only what is asked from there.
func TestSuites(t *testing.T) {
	a := newTestArchive(t)
	a.fill(map[string][]deb{
		"trixie": {
			{"base-files", "13", essential}, {"haproxy", "3.0-1", "Depends: libkrb5\n"}, {"jq", "1.7-1", ""}, {"libkrb5", "1.21-1", ""}, {"tzdata", "2026a", ""},
			{"linux-base", "4", ""}, {"linux-6.12", "6.12.1", ""}, {"linux-image-amd64", "6.12.1", "Depends: linux-base, linux-6.12 (= 6.12.1)\n"},
		},
		"trixie-updates": {{"tzdata", "2026b", ""}},
		"trixie-security": {
			{"haproxy", "3.0-1+deb13u1", "Depends: libkrb5\n"}, {"libkrb5", "1.21-1+deb13u2", ""},
			{"linux-6.12", "6.12.9", ""}, {"linux-image-amd64", "6.12.9", "Depends: linux-base, linux-6.12 (= 6.12.9)\n"},
		},
		"trixie-backports": {
			{"haproxy", "3.2-1~bpo13+1", ""}, {"jq", "1.8-1~bpo13+1", ""}, {"linux-base", "5~bpo13+1", ""},
			{"linux-7.0", "7.0.1", ""}, {"linux-image-amd64", "7.0.1", "Depends: linux-base (>= 5~), linux-7.0 (= 7.0.1)\n"},
		},
	})
	user := []string{"base-files=13", "haproxy=3.0-1+deb13u1", "jq=1.7-1", "libkrb5=1.21-1+deb13u2"}
	for kernel, want := range map[string][]string{
		"linux-image-amd64":                  {"linux-6.12=6.12.9", "linux-base=4", "linux-image-amd64=6.12.9", "tzdata=2026b"},
		"linux-image-amd64/trixie-backports": {"linux-7.0=7.0.1", "linux-base=5~bpo13+1", "linux-image-amd64=7.0.1", "tzdata=2026b"},
	} {
		if got := versions(a.mustResolve(request(kernel, "haproxy", "jq", "tzdata"), distro.ResolveInput{})); !slices.Equal(got, slices.Concat(user, want)) {
			t.Errorf("%s: got %q", kernel, got)
		}
	}
}
