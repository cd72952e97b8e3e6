package centos

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/imagebuild/distro"
)

// The closure comes from all repositories, exactly, and says who signed each package.
func TestResolve(t *testing.T) {
	m := newMirror(t)
	m.kernel()
	old, today := rpm("haproxy-3.0", "openssl-libs"), rpm("haproxy-3.1", "openssl-libs")
	today.Epoch = 1
	m.fill(appstream, m.key, m.key, old, today)
	m.fill(baseos, m.key, m.key, rpm("openssl-libs-3.5"), rpm("unasked-1"))
	got, err := m.resolve(m.request("haproxy"))
	if err != nil {
		t.Fatal(err)
	}
	want := "appstream/haproxy=1:3.1-1.el10 elrepo-kernel/kernel-ml=7.1-1.el10 elrepo-kernel/kernel-ml-core=7.1-1.el10 baseos/openssl-libs=3.5-1.el10"
	if v := versions(got.Packages); v != want {
		t.Errorf("got  %s\nwant %s", v, want)
	}
	for _, p := range got.Packages {
		if p.Signer != m.key.Fingerprint || len(p.SHA256) != 64 || p.Size == 0 || p.Path != "Packages/"+p.Name+"-"+strings.TrimPrefix(p.Version, "1:")+".x86_64.rpm" {
			t.Errorf("%+v", p)
		}
	}
	if !got.Made[baseos].Equal(day) || len(got.Made) != len(repositories) {
		t.Errorf("made %v", got.Made)
	}
	left, _ := filepath.Glob(filepath.Join(m.work, "pm/dnf/root/usr"))
	if len(left) > 0 {
		t.Errorf("dnf wrote into its root: %q", left)
	}
}

// Every refusal names what is wrong.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(m *mirror)
		ask    string
		want   []string
	}{
		"unsigned package": {func(m *mirror) { m.fill(appstream, nil, m.key, rpm("haproxy-3.0")) }, "haproxy",
			[]string{"checking the signature of haproxy-3.0-1.el10 from appstream: it has no signature", "never use this package"}},
		"package of another key": {func(m *mirror) { m.fill(appstream, m.other, m.key, rpm("haproxy-3.0")) }, "haproxy",
			[]string{"checking the signature of haproxy-3.0-1.el10 from appstream: ", "NOKEY", "never use this package"}},
		"metadata of another key": {func(m *mirror) { m.fill(appstream, m.key, m.other, rpm("haproxy-3.0")) }, "haproxy",
			[]string{"reading the metadata of appstream at http://", "never use its packages"}},
		"package missing": {func(*mirror) {}, "haproxyy",
			[]string{"not in the repositories: haproxyy", "check image.packages for a typo"}},
		"dependency missing": {func(m *mirror) { m.fill(appstream, m.key, m.key, rpm("haproxy-3.0", "openssl-libs")) }, "haproxy",
			[]string{"they do not fit together", "nothing provides openssl-libs needed by haproxy-3.0-1.el10"}},
		"two kernels": {func(m *mirror) {
			m.fill(baseos, m.key, m.key, rpm("kernel-core-6.12"), rpm("kernel-modules-core-6.12"))
		}, "kernel-core",
			[]string{"2 kernels: kernel-core 6.12-1.el10 and kernel-ml-core 7.1-1.el10", "image.kernelStream"}},
		"no kernel": {func(m *mirror) { m.fill(elrepo, m.key, m.key, rpm("kernel-ml-7.1")) }, "",
			[]string{"no package with a kernel"}},
		"podman": {func(m *mirror) { m.fill(appstream, m.key, m.key, rpm("podman-5"), rpm("toolbox-1", "podman")) }, "toolbox",
			[]string{"podman beside docker-ce"}},
		"repository down": {func(m *mirror) { os.RemoveAll(filepath.Join(m.dir, epel)) }, "",
			[]string{"reading the metadata of epel at http://", "image.mirrors.epel"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMirror(t)
			m.kernel()
			c.change(m)
			req := m.request()
			if c.ask != "" {
				req = m.request(c.ask)
			}
			got, err := m.resolve(req)
			if err == nil {
				t.Fatalf("resolved %s", versions(got.Packages))
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in:\n%v", want, err)
				}
			}
		})
	}
}

// Nobody answers where the mirror should be.
func TestNoServer(t *testing.T) {
	m := newMirror(t)
	_, err := m.resolve(m.request(), func(in *distro.ResolveInput) { in.Mirrors[docker] = "http://127.0.0.1:9/x" })
	if err == nil || !strings.Contains(err.Error(), "reading the metadata of docker-ce-stable at http://127.0.0.1:9/x") {
		t.Error(err)
	}
}

// A key that is named and is in no file.
func TestMissingKey(t *testing.T) {
	m := newMirror(t)
	req := m.request()
	req.Signers = []string{m.other.Fingerprint}
	_, err := m.resolve(req)
	if err == nil || !strings.Contains(err.Error(), "looking for the key "+m.other.Fingerprint) || !strings.Contains(err.Error(), "sign the repository baseos") {
		t.Error(err)
	}
}

// Locked packages stay, also those that the mirror has no more, if the pool has them; what is gone is named.
func TestKeep(t *testing.T) {
	m := newMirror(t)
	m.kernel()
	m.fill(appstream, m.key, m.key, rpm("haproxy-3.0"), rpm("jq-1"))
	before, err := m.resolve(m.request("haproxy", "jq"))
	if err != nil {
		t.Fatal(err)
	}
	later := day.Add(time.Hour)
	m.fillAt(later, appstream, m.key, m.key, rpm("haproxy-3.1"), rpm("jq-2"), rpm("socat-1"))
	keep := func(in *distro.ResolveInput) { in.Keep = before.Packages }
	got, err := m.resolve(m.request("haproxy", "jq", "socat"), keep)
	if err != nil {
		t.Fatal(err)
	}
	want := "appstream/haproxy=3.0-1.el10 appstream/jq=1-1.el10 elrepo-kernel/kernel-ml=7.1-1.el10 elrepo-kernel/kernel-ml-core=7.1-1.el10 appstream/socat=1-1.el10"
	if v := versions(got.Packages); v != want {
		t.Errorf("got  %s\nwant %s", v, want)
	}
	if err := os.RemoveAll(filepath.Join(m.work, "pool")); err != nil {
		t.Fatal(err)
	}
	_, err = m.resolve(m.request("haproxy", "jq", "socat"), keep)
	if gone, ok := errors.AsType[*distro.GoneError](err); !ok || gone.Package.Name != "haproxy" {
		t.Error(err)
	}
}

// A mirror that went back in time hides what came since.
func TestOlderThanTheLock(t *testing.T) {
	m := newMirror(t)
	m.kernel()
	_, err := m.resolve(m.request(), func(in *distro.ResolveInput) { in.Made = map[string]time.Time{baseos: day.Add(time.Hour)} })
	if old, ok := errors.AsType[*distro.OldError](err); !ok || old.Archive != baseos {
		t.Error(err)
	}
}

// A spec's own repository has its own key, and that key is good for no other.
func TestOwnRepository(t *testing.T) {
	m := newMirror(t)
	m.kernel()
	if err := os.WriteFile(filepath.Join(m.work, "own.asc"), m.other.Public, 0o644); err != nil {
		t.Fatal(err)
	}
	m.fill("own", m.other, m.other, rpm("agent-1"))
	req := m.request("agent")
	req.Repositories = []distro.Repository{{Name: "own", Signer: m.other.Fingerprint}}
	with := func(in *distro.ResolveInput) {
		in.Mirrors["own"] = m.url + "/own"
		in.Keys = append(in.Keys, filepath.Join(m.work, "own.asc"))
	}
	got, err := m.resolve(req, with)
	if err != nil || got.Packages[0].Archive != "own" || got.Packages[0].Signer != m.other.Fingerprint {
		t.Errorf("%v, %+v", err, got.Packages)
	}
	m.fill("own", m.key, nil, rpm("agent-1"))
	if _, err = m.resolve(req, with); err == nil || !strings.Contains(err.Error(), "checking the signature of agent-1-1.el10 from own") {
		t.Error(err)
	}
}

// The distribution's own kernel asks nothing of ELRepo.
func TestStockKernel(t *testing.T) {
	m := newMirror(t)
	m.fill(baseos, m.key, m.key, rpm("kernel-core-6.12", "kernel-modules-core"), rpm("kernel-modules-core-6.12"), rpm("kernel-modules-extra-6.12"))
	os.RemoveAll(filepath.Join(m.dir, elrepo))
	req := m.request("kernel-modules-extra")
	req.Kernel = "kernel-core"
	got, err := m.resolve(req)
	if err != nil || versions(got.Packages) != "baseos/kernel-core=6.12-1.el10 baseos/kernel-modules-core=6.12-1.el10 baseos/kernel-modules-extra=6.12-1.el10" {
		t.Errorf("%v, %s", err, versions(got.Packages))
	}
}
