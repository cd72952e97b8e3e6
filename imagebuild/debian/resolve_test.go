package debian

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"slipway/imagebuild/distro"
	"slipway/internal/golden"
)

// What apt prints and its indexes, to the packages that a lock would name.
func TestDescribe(t *testing.T) {
	ar, err := txtar.ParseFile("testdata/describe.txtar")
	if err != nil {
		t.Fatal(err)
	}
	a := apt{dir: t.TempDir()}
	var uris string
	if err := os.Mkdir(filepath.Join(a.dir, "lists"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range ar.Files {
		switch {
		case f.Name == "uris":
			uris = string(f.Data)
		case strings.HasSuffix(f.Name, "_Packages"):
			if err := os.WriteFile(filepath.Join(a.dir, "lists", f.Name), f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	pkgs, err := a.describe("trixie", parseURIs(uris), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(pkgs, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/described.json", string(got)+"\n")

	const unknown = "'http://m/debian/pool/main/x/x_1_amd64.deb' x_1_amd64.deb 1 SHA256:00ff\n"
	_, err = a.describe("trixie", parseURIs(unknown), nil)
	if err == nil || !strings.Contains(err.Error(), "no index describes the archive with the digest \"00ff\"") {
		t.Errorf("a package without a digest: %v", err)
	}
	kept := archive("x", "", "")
	kept.SHA256 = "00ff"
	if got, err := a.describe("trixie", parseURIs(unknown), []distro.Package{kept}); err != nil || !slices.Equal(got, []distro.Package{kept}) {
		t.Errorf("a kept package without an index: %v %v", got, err)
	}
}

func TestParseURIsIgnoresTalk(t *testing.T) {
	if got := parseURIs("Reading package lists...\nThe following 'packages' will be installed:\n  jq\n'quoted' talk\n"); len(got) > 0 {
		t.Errorf("got %v", got)
	}
}

func TestMissingPackages(t *testing.T) {
	for name, c := range map[string]struct {
		out  string
		want []string
	}{
		"unknown": {"Reading...\nE: Unable to locate package nosuch\nE: Unable to locate package also-not\n", []string{"also-not", "nosuch"}},
		"virtual": {"Package foo is a virtual package\nE: Package 'foo' has no installation candidate\n", []string{"foo"}},
		"dotted":  {"E: Unable to locate package lib.x\nE: Couldn't find any package by glob 'lib.x'\nE: Couldn't find any package by regex 'lib.x'\n", []string{"lib.x"}},
		"clash":   {"E: Unable to correct problems, you have held broken packages.\n", nil},
	} {
		if got := missingPackages(c.out); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestErrorTexts(t *testing.T) {
	for want, err := range map[string]error{
		"resolving packages: not in the distribution: a, b\nhint: check image.packages for a typo": &UnresolvedError{Missing: []string{"a", "b"}, Output: "E: x"},
		"resolving packages: they do not fit together\n  | E: held broken packages":                &UnresolvedError{Output: "Reading\nE: held broken packages\n"},
		"reading the package indexes of http://m: exit status 100\n  | Err:1 http://m\n  |   refused\n" +
			"hint: check the network, or set image.mirror and image.securityMirror to mirrors that you reach": &MirrorError{Mirrors: at("http://m"), Err: errors.New("exit status 100"), Output: "Ign\nErr:1 http://m\n  refused\n"},
	} {
		if err.Error() != want {
			t.Errorf("got %s", err)
		}
	}
	if (&UnresolvedError{}).ExitCode() != 2 {
		t.Error("an unknown package is wrong input")
	}
}

// A mirror that answers, but with nothing.
func TestResolveFromAnEmptyMirror(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	dir := t.TempDir()
	in := distro.ResolveInput{Mirrors: Driver{}.Mirrors("trixie", srv.URL+"/debian", srv.URL+"/security"), Dir: dir}
	_, err := Driver{}.Resolve(t.Context(), request("k", "jq"), in)
	_, ok := errors.AsType[*MirrorError](err)
	if !ok || !strings.Contains(err.Error(), "404") || !strings.Contains(err.Error(), "reading the package indexes of "+srv.URL+"/debian, "+srv.URL+"/security: ") {
		t.Errorf("got %v", err)
	}
}

func TestResolveThroughAProxy(t *testing.T) {
	var asked atomic.Value
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.String())
		w.WriteHeader(http.StatusNotFound)
	}))
	defer srv.Close()
	in := distro.ResolveInput{Mirrors: at("http://mirror.invalid/debian"), Dir: t.TempDir(), Environ: []string{"HTTP_PROXY=" + srv.URL, "SECRET=x"}}
	if _, err := (Driver{}).Resolve(t.Context(), request("k"), in); err == nil {
		t.Error("no error")
	}
	if url, _ := asked.Load().(string); !strings.HasPrefix(url, "http://mirror.invalid/") {
		t.Errorf("the proxy was asked for %q", url)
	}
}

// apt hears nothing of the host's own configuration.
func TestAptConfiguration(t *testing.T) {
	dir := t.TempDir()
	err := newApt(dir, nil).prepare(request("k"), Driver{}.Mirrors("trixie", "http://mirror/debian", "http://mirror/security"))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, name := range []string{"etc/sources.list", "etc/preferences", "apt.conf"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("-- " + name + " --\n" + strings.ReplaceAll(string(data), dir, "DIR"))
	}
	golden.Check(t, "testdata/apt.txtar", text.String())
}

// Every paragraph counts once, however the index is cut; a stanza never invents a digest.
func FuzzScanIndex(f *testing.F) {
	f.Add("Package: a\nFilename: pool/a.deb\nSHA256: 00\nSize: 1\n\nPackage: b\nFilename: pool/b.deb\n")
	f.Add("\n\n\n")
	f.Add("SHA256: 00")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "Packages")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		found := map[string]distro.Package{}
		if err := scanIndex(path, "trixie", map[string]bool{"00": true}, found); err != nil {
			return
		}
		for digest, p := range found {
			if digest != "00" || p.Archive != "trixie" || !strings.Contains(text, p.SHA256) || !strings.Contains(text, p.Name) {
				t.Errorf("%q gave %s %+v", text, digest, p)
			}
		}
	})
}
