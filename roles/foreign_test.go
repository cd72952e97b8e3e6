package roles_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"slipway/internal/testtool"
	"slipway/roles"
	"slipway/roles/lb"
)

// These tests ask the programs themselves whether they take what was generated.

// laidOut is one rendered case laid out under a directory, with every path of ours moved there.
type laidOut struct {
	name, dir string
	out       roles.Output
}

// layOut writes the files of each case below a directory of its own and rewrites the paths in them.
func layOut(t *testing.T) []laidOut {
	t.Helper()
	var nodes []laidOut
	for _, path := range cases(t, "[^b]*") {
		out, err := roles.Render(contract(t, parse(t, path)))
		if err != nil {
			t.Fatal(err)
		}
		n := laidOut{name: filepath.Base(path), dir: t.TempDir(), out: out}
		n.write(t, "/etc/slipway/pki/ca.crt", 0o644, []byte(someCA))
		n.write(t, "/run/slipway-keepalived/interface.conf", 0o644, []byte("global_defs {\n dynamic_interfaces\n}\n$INTERFACE=any\n"))
		for _, f := range out.Files {
			n.write(t, f.Path, f.Mode, f.Content)
		}
		nodes = append(nodes, n)
	}
	return nodes
}

var ourPaths = regexp.MustCompile(`/(etc/slipway|run/slipway-keepalived)/`)

func (n laidOut) write(t *testing.T, path string, mode os.FileMode, content []byte) {
	t.Helper()
	path = filepath.Join(n.dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	content = ourPaths.ReplaceAll(content, []byte(n.dir+"$0"))
	if err := os.WriteFile(path, content, mode); err != nil {
		t.Fatal(err)
	}
}

// with calls check for each case that has the file.
func with(t *testing.T, file string, check func(n laidOut, path string)) {
	t.Helper()
	found := false
	for _, n := range layOut(t) {
		path := filepath.Join(n.dir, file)
		if _, err := os.Stat(path); err == nil {
			found = true
			check(n, path)
		}
	}
	if !found {
		t.Errorf("no case has %s", file)
	}
}

func run(t *testing.T, n laidOut, program string, args ...string) {
	t.Helper()
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Errorf("%s: %s %q: %v\n%s", n.name, program, args, err, out)
	}
}

func TestHAProxyTakesConfigs(t *testing.T) {
	haproxy := testtool.Find(t, "haproxy")
	for _, file := range []string{"/etc/slipway/apilb.cfg", "/etc/slipway/lb.cfg"} {
		with(t, file, func(n laidOut, path string) { run(t, n, haproxy, "-c", "-f", path) })
	}
}

func TestKeepalivedTakesConfigs(t *testing.T) {
	keepalived := testtool.Find(t, "keepalived")
	with(t, "/etc/slipway/keepalived.conf", func(n laidOut, path string) {
		run(t, n, keepalived, "--config-test", "--use-file="+path)
	})
}

func TestNftTakesRules(t *testing.T) {
	nft := testtool.Find(t, "nft")
	with(t, "/etc/slipway/masq.nft", func(n laidOut, path string) {
		if os.Getuid() == 0 {
			run(t, n, nft, "--check", "--file", path)
			return
		}
		run(t, n, testtool.Find(t, "unshare"), "--map-root-user", "--net", nft, "--check", "--file", path)
	})
}

func TestBashTakesScripts(t *testing.T) {
	bash := testtool.Find(t, "bash")
	for _, file := range []string{"/etc/slipway/keepalived-check", "/etc/slipway/keepalived-interface", "/etc/slipway/keepalived-notify"} {
		with(t, file, func(n laidOut, path string) { run(t, n, bash, "-n", path) })
	}
}

// TestNotifyKeepsLastState: the script that keepalived tells its states leaves the last one.
func TestNotifyKeepsLastState(t *testing.T) {
	bash := testtool.Find(t, "bash")
	with(t, "/etc/slipway/keepalived-notify", func(n laidOut, path string) {
		n.write(t, "/told", 0o644, []byte("INSTANCE \"api\" FAULT 200\nINSTANCE \"api\" BACKUP 200\nINSTANCE \"api\" MASTER 200\nINSTANCE \"api\" MASTER_RX_LOWER_PRI 200\nGROUP \"api\" FAULT 0\n"))
		run(t, n, bash, path, "an argument", filepath.Join(n.dir, "told"))
		if got, err := os.ReadFile(filepath.Join(n.dir, lb.StateFile)); err != nil || string(got) != "MASTER\n" {
			t.Errorf("%s: the state is %q, %v", n.name, got, err)
		}
	})
}

// TestSystemdTakesUnits lets systemd read every unit. It complains about programs that this machine has not, and
// before 254 about two keys that Debian 13 knows.
func TestSystemdTakesUnits(t *testing.T) {
	analyze := testtool.Find(t, "systemd-analyze")
	fine := regexp.MustCompile(`NoSuchKey|'Restart(Steps|MaxDelaySec)' in section|Command .* is not executable`)
	for _, n := range layOut(t) {
		args := []string{"verify", "--man=no", "--recursive-errors=no"}
		for _, u := range n.out.Units {
			n.write(t, "/units/"+u.Name, 0o644, u.Content)
			args = append(args, filepath.Join(n.dir, "units", u.Name))
		}
		n.write(t, "/units/control.service", 0o644, []byte("[Service]\nNoSuchKey=1\n"))
		args = append(args, filepath.Join(n.dir, "units", "control.service"))
		out, _ := exec.Command(analyze, args...).CombinedOutput()
		if !bytes.Contains(out, []byte("NoSuchKey")) {
			t.Fatalf("%s reports nothing: is it run right?\n%s", analyze, out)
		}
		for line := range bytes.Lines(out) {
			text := strings.TrimSpace(string(line))
			if strings.Contains(text, n.dir) && !fine.MatchString(text) {
				t.Errorf("%s: %s", n.name, text)
			}
		}
	}
}

// someCA is a CA certificate of nobody, made for haproxy to have something to load. Its key was thrown away.
const someCA = `-----BEGIN CERTIFICATE-----
MIIBejCCAR+gAwIBAgIUGhXbxbRjTS18fRzrvA5fqeWN9sYwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGbm9ib2R5MCAXDTI2MTEyMTA0NTYxMFoYDzIxMjYxMDI4MDQ1
NjEwWjARMQ8wDQYDVQQDDAZub2JvZHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AAQ9s72btf8gCE5W9m31PuxL6KhJldLkWIpnet5RAY/t8x9L53qJQyYGtPTRKx7l
dsmMu7zG8PWqYNY/S2XBxiqKo1MwUTAdBgNVHQ4EFgQUjQDLDvZarrDJVaBJpfFH
jDnVJ88wHwYDVR0jBBgwFoAUjQDLDvZarrDJVaBJpfFHjDnVJ88wDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEA8Y3nhTXDEOGwYHQwvZWUh2sZkcQf
XpRp99erjr5oG3kCIQCJ0N/TAW6r/wtRv3J2iQ09KxqgpKPWVBDP9R5n5D4k1A==
-----END CERTIFICATE-----
`
