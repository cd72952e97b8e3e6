package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"slipway/internal/testtool"
	"slipway/qemu"
)

const qemuSpec = `cluster:
  name: demo
network:
  gateway: 10.77.0.2
nodes:
- name: n1
  roles: [etcd, control-plane, worker]
  address: 10.77.0.11/24
`

// TestQEMUVerbs runs a machine with nothing to boot through its life. What is refused is in testdata/script/qemu.txtar.
func TestQEMUVerbs(t *testing.T) {
	testtool.Find(t, qemu.ToolQEMU)
	dir := t.TempDir()
	for name, text := range map[string]string{"cluster.yaml": qemuSpec, "demo.raw": "nothing to boot", "demo.n1.ign": "{}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	slipway := func(verb string, flags ...string) (code int, out, errOut string) {
		var stdout, stderr bytes.Buffer
		args := append([]string{"qemu", verb, "-f", filepath.Join(dir, "cluster.yaml"), "-o", dir}, flags...)
		code = run(context.Background(), args, &bytes.Buffer{}, &stdout, &stderr)
		return code, stdout.String(), stderr.String()
	}
	t.Cleanup(func() { slipway("down", "--hard") })
	for _, tc := range []struct {
		verb  string
		flags []string
		code  int
		want  string // in stdout; after a failure in stderr
	}{
		{"up", []string{"--accel=tcg", "--memory=1GiB"}, exitOK, `^n1: started \(tcg\), API 127\.0\.0\.1:\d+, peer API 127\.0\.0\.1:\d+\n$`},
		{"up", []string{"--accel=tcg", "--memory=1GiB"}, exitOK, `^n1: already running`},
		{"status", nil, exitOK, `n1 +running \(tcg\) +\d+ +127\.0\.0\.1:\d+ +127\.0\.0\.1:\d+ +booting\n$`},
		{"status", []string{"--json"}, exitOK, `"running":true`},
		{"up", []string{"--accel=tcg", "--memory=1GiB", "--json"}, exitOK, `^\[\{"node":"n1","did":"already running","ports":\{[^{}]+\},"accel":"tcg"\}\]\n$`},
		{"console", nil, exitOK, `slipway-qemu: power on`},
		{"console", []string{"--attach"}, exitOK, ``},
		{"up", []string{"--accel=tcg", "--fresh"}, exitInput, `hint: .*slipway qemu down n1`},
		{"down", []string{"--hard"}, exitOK, `^n1: cut\n$`},
		{"status", nil, exitOK, `n1 +off +-`},
		{"up", []string{"--accel=tcg", "--memory=1GiB", "n1"}, exitOK, `^n1: powered on`},
		{"down", []string{"--hard", "--delete"}, exitOK, `^n1: cut\n$`},
		{"status", nil, exitOK, `n1 +no disk +-`},
	} {
		code, out, errOut := slipway(tc.verb, tc.flags...)
		said := out
		if tc.code != exitOK {
			said = errOut
		}
		if code != tc.code || !regexp.MustCompile(tc.want).MatchString(said) {
			t.Errorf("slipway qemu %s %v: code %d, stdout %q, stderr %q; want %d, %q", tc.verb, tc.flags, code, out, errOut, tc.code, tc.want)
		}
	}
}

func TestLastStatus(t *testing.T) {
	const on = qemu.PowerMark + "\n"
	for _, tc := range []struct{ name, serial, want string }{
		{"nothing yet", on, "booting"},
		{"of an earlier power-on", `slipway-status: {"node":"n1","serving":true}` + "\n" + on, "booting"},
		{"waits", on + "[ 1.0] x\r\n" + `slipway-status: {"node":"n1","step":"etcd","state":"waiting","waitingFor":"n2"}` + "\r\nmore", "etcd waiting, waiting for n2"},
		{"works", on + `slipway-status: {"node":"n1","step":"files","state":"working"}` + "\n", "files working"},
		{"serves", on + `slipway-status: {"node":"n1","step":"files","state":"working"}` + "\n" + `slipway-status: {"node":"n1","serving":true}`, "serving"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "serial.log")
			if err := os.WriteFile(path, []byte(tc.serial), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := lastStatus(path); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
