//go:build standin

package standin

import (
	"os"
	"strings"
	"testing"
)

// TestUbuntu builds an image of Ubuntu's shape by real apt and mmdebstrap, looks at it, builds it again from the lock alone with
// the mirror down, and has one refused whose kernel keeps modules in a package that nobody asked for.
func TestUbuntu(t *testing.T) {
	l := newLab(t)
	l.write("debian/cluster.yaml", node+"image: {packages: [apparmor]}\n")
	l.mustSlipway("debian", "build", "--quiet")

	tool := l.tool("ubuntu-standin")
	l.make(tool, "archive")
	stop := l.serve(tool, l.path("archive"))
	l.spec("ubuntu", "archive")
	l.mustSlipway("ubuntu", "build", "--json")
	locked := l.lock("ubuntu")
	for name, want := range map[string]string{
		"linux-image-generic-hwe-24.04": "noble-updates", "haproxy": "noble-security", "docker.io": "noble", "apparmor": "noble", "systemd": "noble",
		"docker-cli": "", "linux-firmware": "", "linux-image-amd64": "", "snapd": "", "cloud-init": "",
	} {
		if got := locked.archive(name); got != want {
			t.Errorf("%s comes from %q, want %q", name, got, want)
		}
	}
	if len(locked.Archives) != 3 {
		t.Errorf("the lock has seen %v", locked.Archives)
	}
	l.mustSlipway("ubuntu", "verify", "out/standin.raw")

	before := l.read("ubuntu/slipway.lock")
	stop()
	if err := os.RemoveAll(l.path("ubuntu/out")); err != nil {
		t.Fatal(err)
	}
	l.mustSlipway("ubuntu", "build", "--json", "--locked")
	if l.read("ubuntu/slipway.lock") != before {
		t.Error("building from the lock changed it")
	}
	if out, err := l.slipway("ubuntu", "build", "--quiet", "--update"); err == nil || !strings.Contains(out, "Connection refused") {
		t.Errorf("with the mirror down: %v\n%s", err, out)
	}

	l.make(tool, "bare", "-bare")
	l.serve(tool, l.path("bare"))
	l.spec("lacking", "bare")
	out, err := l.slipway("lacking", "build", "--quiet")
	for _, part := range []string{`module "ip_vs"`, `driver "mlx5_core"`, "hint: this kernel may have more modules in linux-modules-extra-", "name it in image.packages"} {
		if err == nil || !strings.Contains(out, part) {
			t.Errorf("%q is not said", part)
		}
	}
}
