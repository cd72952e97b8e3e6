package debian

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/imagebuild/distro"
)

// fetcher brings what the archive has into a fresh pool.
func (a *testArchive) fetcher() distro.Fetcher {
	return fetcher(filepath.Join(a.t.TempDir(), "pool"), a.URL)
}

// aged is an archive, and what was locked of it before everything in it got a newer version.
func aged(t *testing.T) (*testArchive, []distro.Package) {
	t.Helper()
	a := newTestArchive(t)
	a.fill(map[string][]deb{
		"trixie":           {{"base-files", "13", essential}, {"jq", "1.7-1", "Depends: libjq1 (= 1.7-1)\n"}, {"libjq1", "1.7-1", "Source: jq\n"}, {"socat", "1.8-1", ""}},
		"trixie-backports": {{"linux-image-amd64", "7.0.1", ""}},
	})
	locked := a.mustResolve(request("linux-image-amd64/trixie-backports", "jq"), distro.ResolveInput{})
	a.fill(map[string][]deb{
		"trixie":           {{"base-files", "13.1", essential}, {"socat", "1.8-1", ""}, {"needy", "1", "Depends: libjq1 (>= 1.8)\n"}},
		"trixie-security":  {{"jq", "1.8-1", "Depends: libjq1 (= 1.8-1)\n"}, {"libjq1", "1.8-1", "Source: jq\n"}},
		"trixie-backports": {{"linux-image-amd64", "7.0.2", ""}},
	})
	return a, locked
}

// One package more: what is locked stays, byte for byte and entry for entry, although no index lists it any more.
func TestLockedVersionsStay(t *testing.T) {
	a, locked := aged(t)
	req := request("linux-image-amd64/trixie-backports", "jq", "socat")
	in := distro.ResolveInput{Keep: locked, Fetcher: a.fetcher()}
	got := a.mustResolve(req, in)
	i := slices.IndexFunc(got, func(p distro.Package) bool { return p.Name == "socat" })
	if i < 0 || !slices.Equal(slices.Delete(slices.Clone(got), i, i+1), locked) {
		t.Errorf("got  %v\nkept %v", got, locked)
	}
	in.Keep = distro.Keep(req, req, locked, []string{"libjq1"})
	want := []string{"base-files=13", "jq=1.8-1", "libjq1=1.8-1", "linux-image-amd64=7.0.1", "socat=1.8-1"}
	if got := versions(a.mustResolve(req, in)); !slices.Equal(got, want) {
		t.Errorf("one source updated: got %q", got)
	}
	in.Keep = nil
	want = []string{"base-files=13.1", "jq=1.8-1", "libjq1=1.8-1", "linux-image-amd64=7.0.2", "socat=1.8-1"}
	if got := versions(a.mustResolve(req, in)); !slices.Equal(got, want) {
		t.Errorf("all updated: got %q", got)
	}
}

// The mirrors have dropped a kept archive for good: that is said, and nothing else is taken for it, unless it is not wanted.
func TestLockedPackageIsGone(t *testing.T) {
	a, locked := aged(t)
	jq, _ := find(locked, "libjq1")
	if err := os.Remove(filepath.Join(a.dir, jq.Path)); err != nil {
		t.Fatal(err)
	}
	in := distro.ResolveInput{Keep: locked, Fetcher: a.fetcher()}
	_, err := a.resolve(request("linux-image-amd64", "jq", "socat"), in)
	if gone, ok := errors.AsType[*distro.GoneError](err); !ok || gone.Package != jq || !strings.Contains(err.Error(), "--update=libjq1") {
		t.Errorf("got %v", err)
	}
	if got, err := a.resolve(request("linux-image-amd64", "socat"), in); err != nil {
		t.Errorf("nobody wants it: %v %v", got, err)
	}
	_, err = a.resolve(request("linux-image-amd64", "libjq1"), in)
	if gone, ok := errors.AsType[*distro.GoneError](err); !ok || gone.Package != jq || gone.Now != "1.8-1" {
		t.Errorf("got %v", err)
	}
}

// What stays although the security suite has something newer is told; what is updated, or newer elsewhere only, is not.
func TestSecurityUpdatesWait(t *testing.T) {
	a, locked := aged(t)
	req := request("linux-image-amd64/trixie-backports", "jq", "socat")
	var waiting []string
	in := distro.ResolveInput{Keep: locked, Fetcher: a.fetcher(), Waiting: func(p []distro.Package) { waiting = append(waiting, versions(p)...) }}
	a.mustResolve(req, in)
	if want := []string{"jq=1.8-1", "libjq1=1.8-1"}; !slices.Equal(waiting, want) {
		t.Errorf("got %q, want %q", waiting, want)
	}
	waiting, in.Keep = nil, distro.Keep(req, req, locked, []string{"jq"}) // and with it libjq1, which is built from it
	if a.mustResolve(req, in); waiting != nil {
		t.Errorf("updated: %q", waiting)
	}
	in.Keep = a.mustResolve(req, distro.ResolveInput{})
	a.fill(map[string][]deb{ // a mirror of an earlier day
		"trixie":           {{"base-files", "13", essential}, {"socat", "1.8-1", ""}},
		"trixie-security":  {{"jq", "1.7-2", "Depends: libjq1 (= 1.7-2)\n"}, {"libjq1", "1.7-2", "Source: jq\n"}},
		"trixie-backports": {{"linux-image-amd64", "7.0.1", ""}},
	})
	if a.mustResolve(req, in); waiting != nil {
		t.Errorf("older: %q", waiting)
	}
}

func TestNewPackageWantsAnotherVersion(t *testing.T) {
	a, locked := aged(t)
	_, err := a.resolve(request("linux-image-amd64", "jq", "needy"), distro.ResolveInput{Keep: locked, Fetcher: a.fetcher()})
	unresolved, ok := errors.AsType[*UnresolvedError](err)
	if !ok || !slices.Equal(unresolved.Kept, []string{"libjq1"}) {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"needy : Depends: libjq1 (>= 1.8) but 1.7-1 is to be installed", "\nhint: slipway.lock keeps", "--update=libjq1"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
}

// The same lock from a snapshot, a folder, a mirror after a point release and a vendor folder: the digest decides.
func TestAnyMirrorWillDo(t *testing.T) {
	content := []byte("the archive")
	p := archive("krb5", string(content), "pool/updates/main/k/krb5/krb5_1.0-1+deb13u1_amd64.deb")
	p.Archive = "trixie-security"
	for name, path := range map[string]string{
		"security mirror": "debian-security/" + p.Path, "snapshot": "archive/debian-security/20261001T000000Z/" + p.Path,
		"point release": "debian/" + strings.Replace(p.Path, "pool/updates/", "pool/", 1),
	} {
		a := newTestArchive(t)
		a.write(path, content)
		base, _, _ := strings.Cut(path, "pool/")
		for kind, root := range map[string]string{"http": a.URL, "file": "file://" + a.dir} {
			f := a.fetcher()
			mirrors := Driver{}.Mirrors("trixie", root+"/debian", root+"/"+base)
			f.Places = func(p distro.Package) []string { return Driver{}.Places(p, mirrors) }
			if err := f.Fetch(t.Context(), []distro.Package{p}); err != nil {
				t.Errorf("%s by %s: %v", name, kind, err)
			}
		}
	}
}

// A mirror of the past: refused as a mirror of today, taken when its URL says of when it is, unless it says the untruth.
func TestExpiredIndexes(t *testing.T) {
	a := newTestArchive(t)
	a.validUntil = "Thu, 4 Jun 2026 20:26:40 UTC"
	a.fill(map[string][]deb{"trixie": {{"base-files", "13", essential}, {"linux-image-amd64", "6.12.1", ""}}})
	_, err := a.resolve(request("linux-image-amd64"), distro.ResolveInput{})
	if _, ok := errors.AsType[*MirrorError](err); !ok || !strings.Contains(err.Error(), "hint: the mirror is old") {
		t.Errorf("got %v", err)
	}
	for day, want := range map[string]string{"20260601T000000Z": "", "20260701T000000Z": "were valid until 2026-06-04T20:26:40Z"} {
		a.prefix = "/archive/debian/" + day + "/"
		mirror := a.URL + a.prefix
		_, err := a.resolve(request("linux-image-amd64"), distro.ResolveInput{Mirrors: at(mirror)})
		_, stale := errors.AsType[*StaleError](err)
		if stale != (want != "") || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", day, err)
		}
	}
}
