package ubuntu

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/imagebuild/debian"
	"slipway/imagebuild/distro"
	"slipway/imagebuild/keyring"
	"slipway/internal/testapt"
)

func versionOf(pkgs []distro.Package, name string) string {
	i := slices.IndexFunc(pkgs, func(p distro.Package) bool { return p.Name == name })
	if i < 0 {
		return ""
	}
	return pkgs[i].Version + " " + pkgs[i].Archive
}

// Real apt resolves from main, universe, updates and security, and takes one kernel without its firmware.
func TestResolve(t *testing.T) {
	m := newMirror(t)
	got, err := New().Resolve(t.Context(), m.request(), m.input())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"base-files": "13ubuntu10 noble", "haproxy": "2.8.5-1ubuntu3.4 noble-security", "docker.io": "1.0-1ubuntu1 noble", "apparmor": "1.0-1ubuntu1 noble",
		kernel: "1.0-1ubuntu1 noble-updates", "linux-image-7.0.0-28-generic": "1.0-1ubuntu1 noble-updates", "linux-modules-7.0.0-28-generic": "1.0-1ubuntu1 noble-updates",
		"linux-image-6.8.0-31-generic": "", "linux-firmware": "", "snapd": "",
	} {
		if v := versionOf(got.Packages, name); v != want {
			t.Errorf("%s: got %q, want %q", name, v, want)
		}
	}
	for _, s := range suites("noble") {
		if !got.Made[s.Name].Equal(now) {
			t.Errorf("%s was made %v, want %v", s.Name, got.Made[s.Name], now)
		}
	}
	if err := m.fetcher(New()).Fetch(t.Context(), got.Packages); err != nil {
		t.Error(err)
	}
	ga := m.request()
	ga.Kernel = "linux-image-generic"
	if got, err = New().Resolve(t.Context(), ga, m.input()); err != nil || versionOf(got.Packages, "linux-modules-extra-6.8.0-31-generic") == "" {
		t.Errorf("ga: %v without the modules that are in a package of their own; %v", got.Packages, err)
	}
}

// Each way in which an archive is not to be believed, with its name and the way out.
func TestRefusedArchives(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(m *mirror)
		want  []string
	}{
		"unsigned": {func(m *mirror) {
			m.change("dists/*/InRelease", func([]byte) []byte { return nil })
		}, []string{"is not signed", "hint: nobody signed the indexes"}},
		"signed by another key": {func(m *mirror) {
			old := m.archive.Key
			m.archive.Key = m.newKey(now.Add(-time.Hour), 0)
			m.write()
			m.archive.Key = old
		}, []string{"NO_PUBKEY", "hint: another key than the distribution's signed the indexes"}},
		"signed by an expired key": {func(m *mirror) {
			m.archive.Key = m.newKey(now.Add(-48*time.Hour), 24*time.Hour)
			m.write()
		}, []string{"EXPKEYSIG", "hint: the key that signed the indexes has expired"}},
		"changed after it was signed": {func(m *mirror) {
			m.change("dists/*/InRelease", func(b []byte) []byte { return bytes.Replace(b, []byte("Label: Ubuntu"), []byte("Label: Obuntu"), 1) })
		}, []string{"BADSIG", "hint: the indexes are not those that were signed"}},
		"with another index": {func(m *mirror) {
			spoil := func(b []byte) []byte { return append(b[:len(b)-1:len(b)-1], b[len(b)-1]^1) }
			m.change("dists/noble/main/binary-amd64/Packages.*", spoil)
			m.change("dists/noble/main/binary-amd64/by-hash/SHA256/*", spoil)
		}, []string{"hint: an index is not the one that was signed"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMirror(t)
			c.spoil(m)
			_, err := New().Resolve(t.Context(), m.request(), m.input())
			if _, ok := errors.AsType[*debian.MirrorError](err); !ok {
				t.Fatalf("got %v", err)
			}
			for _, part := range append(c.want, "reading the package indexes of "+m.url) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in\n%v", part, err)
				}
			}
		})
	}
}

// What a request gets wrong, or a mirror has no more.
func TestRefusedRequests(t *testing.T) {
	m := newMirror(t)
	down := m.input()
	down.Mirrors = New().Mirrors("noble", "http://127.0.0.1:1/ubuntu", "http://127.0.0.1:1/ubuntu")
	old := m.input()
	old.Made = map[string]time.Time{"noble": now.Add(-time.Hour), "noble-security": now.Add(time.Hour)}
	stranger := m.request()
	stranger.Signers = []string{strings.Repeat("AB", 20)}
	unpinned := m.request()
	unpinned.Signers = nil
	for _, c := range []struct {
		what string
		req  distro.Request
		in   distro.ResolveInput
		want []string
	}{
		{"a package is missing", m.request("nosuch"), m.input(), []string{"not in the distribution: nosuch", "hint: check image.packages"}},
		{"two kernels", m.request("linux-image-generic"), m.input(),
			[]string{"2 kernels would be in the image: linux-image-6.8.0-31-generic, linux-image-7.0.0-28-generic", "hint: image.kernelStream"}},
		{"repository down", m.request(), down, []string{"127.0.0.1:1", "Connection refused", "hint: check the network"}},
		{"metadata older than the lock", m.request(), old,
			[]string{"those of noble-security are of " + now.UTC().Format(time.RFC3339) + ", and older than those that slipway.lock was made from", "hint: this mirror is behind"}},
		{"no such key", stranger, m.input(), []string{"looking for the key " + stranger.Signers[0], "hint: check image.keys"}},
	} {
		_, err := New().Resolve(t.Context(), c.req, c.in)
		for _, part := range c.want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q is not in\n%v", c.what, part, err)
			}
		}
	}
	d := New()
	d.Table.Keyring = "/nonexistent/ubuntu.gpg"
	if _, err := d.Resolve(t.Context(), unpinned, m.input()); err == nil || !strings.Contains(err.Error(), "hint: install ubuntu-archive-keyring") {
		t.Errorf("a host without Ubuntu's keys: %v", err)
	}
	d.Table.Keyring = m.keys[0]
	_, err := d.Resolve(t.Context(), unpinned, m.input())
	if missing, ok := errors.AsType[*keyring.MissingError](err); !ok || missing.Fingerprint != archive2018 {
		t.Errorf("a keyring with another key: %v", err)
	}
}

// A package that is not what the signed index says.
func TestRefusedPackage(t *testing.T) {
	m := newMirror(t)
	got, err := New().Resolve(t.Context(), m.request(), m.input())
	if err != nil {
		t.Fatal(err)
	}
	m.change("pool/main/j/jq/*.deb", func(b []byte) []byte { return append(b[:len(b)-1:len(b)-1], b[len(b)-1]^1) })
	err = m.fetcher(New()).Fetch(t.Context(), got.Packages)
	if err == nil || !strings.Contains(err.Error(), "fetching jq 1.0-1ubuntu1: the digest does not match") {
		t.Errorf("got %v", err)
	}
	m.change("pool/main/j/jq/*.deb", func([]byte) []byte { return nil })
	err = m.fetcher(New()).Fetch(t.Context(), got.Packages)
	if gone, ok := errors.AsType[*distro.GoneError](err); !ok || gone.Package.Name != "jq" {
		t.Errorf("got %v", err)
	}
}

// Docker's own packages come from their own archive, with their own key, in place of the distribution's.
func TestOwnRepository(t *testing.T) {
	m, docker := newMirror(t), newMirror(t)
	docker.entries = map[string][]testapt.Entry{}
	docker.add("noble", "stable", "Package: docker-ce\nDepends: containerd.io, docker-ce-cli, iptables")
	docker.add("noble", "stable", "Package: docker-ce-cli")
	docker.add("noble", "stable", "Package: containerd.io\nVersion: 2.1.5-1~ubuntu.24.04~noble\nConflicts: containerd, runc")
	if err := docker.archive.Suite("noble", []string{"stable"}, docker.entries["noble"]); err != nil {
		t.Fatal(err)
	}
	req := m.request("docker-ce")
	req.Repositories = []distro.Repository{{Name: "docker-ce", Suite: "noble", Components: []string{"stable"}, Signer: docker.archive.Key.Fingerprint}}
	in := m.input()
	in.Mirrors["docker-ce"], in.Keys = docker.url, append(in.Keys, docker.keys...)
	got, err := New().Resolve(t.Context(), req, in)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"docker-ce": "1.0-1ubuntu1 docker-ce", "containerd.io": "2.1.5-1~ubuntu.24.04~noble docker-ce", "docker.io": "", "containerd": "", "runc": "",
	} {
		if v := versionOf(got.Packages, name); v != want {
			t.Errorf("%s: got %q, want %q", name, v, want)
		}
	}
	if got.Made["docker-ce"].IsZero() || len(got.Made) != 4 {
		t.Errorf("made %v", got.Made)
	}
	req.Repositories[0].Signer = m.archive.Key.Fingerprint
	if _, err := New().Resolve(t.Context(), req, in); err == nil || !strings.Contains(err.Error(), "NO_PUBKEY") {
		t.Errorf("the distribution's key signs for nobody else: %v", err)
	}
}
