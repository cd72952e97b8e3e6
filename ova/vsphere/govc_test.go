package vsphere

import (
	"bytes"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/ova"
)

// govc is VMware's client at the lab.
type govc struct {
	t   *testing.T
	bin string
	env []string
}

func newGovc(l *lab) govc {
	l.t.Helper()
	dir := l.t.TempDir()
	g := govc{t: l.t, bin: filepath.Join(dir, "govc")}
	if out, err := exec.Command("go", "build", "-o", g.bin, "slipway/tools/govc").CombinedOutput(); err != nil {
		l.t.Fatalf("building govc: %v\n%s", err, out)
	}
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.cert}), 0o600); err != nil {
		l.t.Fatal(err)
	}
	g.env = append(os.Environ(), "HOME="+dir, "GOVC_URL="+l.url.String(), "GOVC_TLS_CA_CERTS="+ca, "GOVC_PERSIST_SESSION=false", "GOVC_INSECURE=")
	return g
}

// run gives what govc printed, and whether it was content.
func (g govc) run(args ...string) (string, bool) {
	cmd := exec.Command(g.bin, args...)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = g.env, &out, &out
	err := cmd.Run()
	return out.String(), err == nil
}

// must demands success, and some words of the output.
func (g govc) must(want string, args ...string) {
	g.t.Helper()
	if out, ok := g.run(args...); !ok || !strings.Contains(out, want) {
		g.t.Errorf("govc %s: %t, want %q in\n%s", strings.Join(args, " "), ok, want, out)
	}
}

// TestGovc imports our package by VMware's own client, which sends the digests of our manifest; a disk with one bit
// changed is refused. It finds what we deployed as we say it is.
func TestGovc(t *testing.T) {
	l := newLab(t)
	l.strict()
	g := newGovc(l)
	good, bad := filepath.Join(t.TempDir(), "good.ova"), filepath.Join(t.TempDir(), "bad.ova")
	pack := testOVA(t, "disk of the test")
	for name, data := range map[string][]byte{good: pack, bad: tampered(t, pack)} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g.must("guestinfo.ignition.config.data.encoding", "import.spec", good)
	g.must("", "library.create", "foreign")
	g.must("", "library.import", "foreign", good)
	g.must("/foreign/good/demo.vmdk", "library.ls", "/foreign/good/")
	if out, ok := g.run("library.import", "-n", "bad", "foreign", bad); ok || !strings.Contains(out, "400 Bad Request") {
		t.Errorf("a changed disk was imported: %s", out)
	}
	g.must("", "library.deploy", "-pool", "/DC0/host/DC0_C0/Resources", "/foreign/good", "by-library")
	g.must("", "import.ova", "-name", "by-nfc", "-pool", "/DC0/host/DC0_C0/Resources", good)
	for _, name := range []string{"by-library", "by-nfc"} {
		if m := newMachine(l.vm(name).VirtualMachine); m.Disk != 8<<30 || m.CPUs != 2 || m.MemoryMiB != 2048 || m.card == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
	w := want()
	w.Nodes = w.Nodes[:1]
	if _, err := l.imports(wantImport(image(t, pack))); err != nil {
		t.Fatal(err)
	}
	h := observed(t, l, w)
	p, err := NewPlan(w, h)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Deploy(t.Context(), w, h, p.WithoutWaiting(), Hooks{}); err != nil {
		t.Fatal(err)
	}
	g.must(ova.KeyData, "vm.info", "-e", "demo-n1")
	g.must("secret-of-n1", "vm.info", "-e", "demo-n1")
	g.must(`"firmware": "efi"`, "vm.info", "-json", "demo-n1")
	g.must(`"efiSecureBootEnabled": true`, "vm.info", "-json", "demo-n1")
	if _, err := l.deploys(w); err != nil {
		t.Fatal(err)
	}
	if out, ok := g.run("vm.info", "-e", "demo-n1"); !ok || strings.Contains(out, "guestinfo.ignition") || !strings.Contains(out, markScrubbed) {
		t.Errorf("after the report:\n%s", out)
	}
}
