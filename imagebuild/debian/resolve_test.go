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
	pkgs, err := a.describe(parseURIs(uris))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(pkgs, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/described.json", string(got)+"\n")

	_, err = a.describe(parseURIs("'http://m/debian/pool/main/x/x_1_amd64.deb' x_1_amd64.deb 1 SHA256:00\n"))
	if err == nil || !strings.Contains(err.Error(), `no index describes "http://m/debian/pool/main/x/x_1_amd64.deb"`) {
		t.Errorf("a package without a digest: %v", err)
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
			"hint: check the network, or set image.mirror to a mirror that you reach": &MirrorError{Mirror: "http://m", Err: errors.New("exit status 100"), Output: "Ign\nErr:1 http://m\n  refused\n"},
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
	_, err := Resolve(t.Context(), Request{Mirror: srv.URL + "/debian", Security: srv.URL + "/security", Release: "trixie", Kernel: "k", Packages: []string{"jq"}}, dir, nil)
	mirror, ok := errors.AsType[*MirrorError](err)
	if !ok || mirror.Mirror != srv.URL+"/debian" || !strings.Contains(err.Error(), "404") {
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
	req := Request{Mirror: "http://mirror.invalid/debian", Security: "http://mirror.invalid/security", Release: "trixie", Kernel: "k"}
	if _, err := Resolve(t.Context(), req, t.TempDir(), []string{"HTTP_PROXY=" + srv.URL, "SECRET=x"}); err == nil {
		t.Error("no error")
	}
	if url, _ := asked.Load().(string); !strings.HasPrefix(url, "http://mirror.invalid/") {
		t.Errorf("the proxy was asked for %q", url)
	}
}

// apt hears nothing of the host's own configuration.
func TestAptConfiguration(t *testing.T) {
	dir := t.TempDir()
	err := newApt(dir, nil).prepare(Request{Mirror: "http://mirror/debian", Security: "http://mirror/security", Release: "trixie"})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, name := range []string{"sources.list", "etc/preferences", "apt.conf"} {
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
	f.Add("Filename: pool/a.deb")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "Packages")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		found := map[string]Package{}
		if err := scanIndex(path, map[string]string{"pool/a.deb": "u"}, found); err != nil {
			return
		}
		for name, p := range found {
			if name != "pool/a.deb" || !strings.Contains(text, p.SHA256) || !strings.Contains(text, p.Name) {
				t.Errorf("%q gave %s %+v", text, name, p)
			}
		}
	})
}
