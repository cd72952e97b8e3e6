//go:build standin

package standin

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCentOS builds an image of CentOS Stream 10's shape by real dnf and rpm, looks at it, and builds it again from the lock
// alone, in another cache with the mirror down: the same bytes. Then it asks for a module that no package of the image has.
func TestCentOS(t *testing.T) {
	l := newLab(t)
	l.write("debian/cluster.yaml", node+"image: {packages: [network-manager]}\n")
	l.mustSlipway("debian", "build", "--quiet")

	tool := l.tool("centos-standin")
	if out, err := exec.Command(tool, "-tree", l.tree("usr/sbin/NetworkManager"), l.path("archive")).CombinedOutput(); err != nil {
		t.Fatalf("making the repositories: %v\n%s", err, out)
	}
	stop := l.serve(tool, l.path("archive"))
	l.spec("centos", "archive")
	first := artefact(t, l.mustSlipway("centos", "build", "--json"))
	locked := l.lock("centos")
	for name, want := range map[string]string{
		"kernel-ml-core": "elrepo-kernel", "kernel-ml-modules-extra": "elrepo-kernel", "haproxy": "appstream", "glibc": "baseos", "docker-ce": "docker-ce-stable",
		"containerd.io": "docker-ce-stable", "NetworkManager": "baseos", "podman": "", "runc": "", "htop": "", "kernel-core": "",
	} {
		if got := locked.archive(name); got != want {
			t.Errorf("%s comes from %q, want %q", name, got, want)
		}
	}
	l.mustSlipway("centos", "verify", "out/standin.raw")

	stop()
	if err := os.RemoveAll(l.path("centos/out")); err != nil {
		t.Fatal(err)
	}
	again := artefact(t, l.mustSlipway("centos", "build", "--json", "--locked", "--cache", l.freshCache()))
	if first != again {
		t.Errorf("built twice: %s and %s", first, again)
	}

	l.write("lacking/cluster.yaml", l.read("centos/cluster.yaml")+"kernel: {modules: {add: [sundance]}}\n")
	l.write("lacking/archive.asc", l.read("archive/archive.asc"))
	l.write("lacking/slipway.lock", l.read("centos/slipway.lock"))
	out, err := l.slipway("lacking", "build", "--quiet")
	for _, part := range []string{`module "sundance"`, "hint: this kernel may have more modules in kernel-ml-modules-internal", "name it in image.packages"} {
		if err == nil || !strings.Contains(out, part) {
			t.Errorf("%q is not said", part)
		}
	}
}

// tree is the newest tree of slipway's cache that has a file.
func (l lab) tree(with string) string {
	l.t.Helper()
	found, err := filepath.Glob(filepath.Join(filepath.Dir(l.pool()), "tree/*/root", with))
	if err != nil || len(found) == 0 {
		l.t.Fatalf("no tree in the cache has %s: %v", with, err)
	}
	return strings.TrimSuffix(newest(found), "/"+with)
}

func newest(files []string) string {
	best, at := "", int64(0)
	for _, f := range files {
		if st, err := os.Stat(filepath.Dir(f)); err == nil && st.ModTime().UnixNano() > at {
			best, at = f, st.ModTime().UnixNano()
		}
	}
	return best
}

// freshCache is a cache with packages and payloads, which are the same bytes by their digests, and nothing else.
func (l lab) freshCache() string {
	l.t.Helper()
	dir := l.path("cache")
	for _, name := range []string{"pool", "payloads", "programs"} {
		if out, err := exec.Command("cp", "-a", "--reflink=auto", "--link", filepath.Join(filepath.Dir(l.pool()), name), l.mkdir(dir)).CombinedOutput(); err != nil {
			l.t.Fatalf("%v\n%s", err, out)
		}
	}
	return dir
}

func (l lab) mkdir(dir string) string {
	l.t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		l.t.Fatal(err)
	}
	return dir
}

// artefact is the digest of the disk that a build's last line tells of.
func artefact(t *testing.T, out string) string {
	t.Helper()
	_, after, ok := strings.Cut(out, `"sha256":"`)
	if !ok || len(after) < 64 {
		t.Fatalf("no digest in %s", out)
	}
	return after[:64]
}
