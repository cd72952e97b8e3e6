package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"slipway/firstboot/inside"
	"slipway/firstboot/peer"
	"slipway/firstboot/status"
)

// lookedInto is a host whose programs print every key that it has, which is the worst that they can do.
type lookedInto map[string][]byte // files by path

func (h lookedInto) ReadFile(name string) ([]byte, error) { return h[name], nil }

func (h lookedInto) Glob(pattern string) ([]string, error) {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(h)), func(name string) bool {
		same, _ := path.Match(pattern, name)
		return !same
	}), nil
}

func (h lookedInto) Run(_ context.Context, name string, args ...string) (string, error) {
	switch {
	case slices.Contains(args, "--timestamp=unix"):
		return "Id=etcd.service\nLoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nStateChangeTimestamp=@1780315200\nNRestarts=2\nMemoryCurrent=5242880\n\n" +
			"Id=kubelet.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n", nil
	case slices.Contains(args, "nothing.service"):
		return "LoadState=not-found\n", nil
	case name == "systemctl":
		return "LoadState=loaded\n", nil
	}
	return "", fmt.Errorf("running %s: not in this test", name)
}

func (h lookedInto) Stream(_ context.Context, to io.Writer, name string, args ...string) error {
	fmt.Fprintln(to, name, strings.Join(args, " "))
	for _, file := range slices.Sorted(maps.Keys(h)) {
		if strings.HasSuffix(file, ".key") {
			fmt.Fprintf(to, "leaked: %s\n%s", strings.ReplaceAll(string(h[file]), "\n", "\\n"), h[file])
		}
	}
	return nil
}

// lookLab is statusLab with a node that can be looked into.
func lookLab(t *testing.T) (specPath, addr string, node *statusNode) {
	t.Helper()
	return labWith(t, func(o *peer.ServerOptions, files map[string][]byte) {
		host := lookedInto(files)
		host["/etc/slipway/node.json"] = []byte("{}\n")
		o.Inside = &inside.Node{
			Files: host, Run: host, Streams: host, Now: time.Now, Units: []string{"etcd.service", "kubelet.service"},
			Status: func() status.Document { return status.Document{Node: "n1"} },
			Probe:  func(context.Context) inside.Health { return inside.Health{API: &inside.API{Ready: true}} },
		}
	})
}

// TestLogs asks for what the command line says, and keys are not in the answer.
func TestLogs(t *testing.T) {
	spec, addr, _ := lookLab(t)
	for want, args := range map[string][]string{
		"journalctl --no-pager --quiet --utc --no-hostname --output=short-iso --lines=1000\n":                                      {"logs"},
		"journalctl --no-pager --quiet --utc --no-hostname --output=short-iso --unit=etcd.service --lines=5 --follow\n":            {"logs", "etcd", "-f", "-n", "5"},
		"journalctl --no-pager --quiet --utc --no-hostname --output=short-iso --unit=etcd.service --boot=-1 --since=@1780272000\n": {"logs", "etcd.service", "--boot", "-1", "--since", "2026-06-01T00:00:00Z"},
		"dmesg --nopager --color=never --time-format=iso --follow\n":                                                               {"dmesg", "-f"},
		"journalctl --no-pager --quiet --utc --no-hostname --output=short-iso --dmesg --boot=-1\n":                                 {"dmesg", "--boot", "-1"},
	} {
		line := append([]string{args[0], "n1", "--file", spec, "--address", addr}, args[1:]...)
		code, out := slipway(t, line...)
		if code != exitOK || !strings.HasPrefix(out, want) || strings.Contains(out, "BEGIN") || !strings.Contains(out, "[left out: key material]") {
			t.Errorf("%q: exit %d:\n%s", args, code, out)
		}
	}
	code, out := slipway(t, "logs", "n1", "nothing", "--file", spec, "--address", addr)
	if code != exitFailed || !strings.Contains(out, "404 Not Found: not on this node: there is no unit nothing.service\nhint: ") {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestServices(t *testing.T) {
	spec, addr, _ := lookLab(t)
	code, out := slipway(t, "services", "n1", "-f", spec, "--address", addr)
	want := "UNIT             STATE             SINCE                 RESTARTS  MEMORY   RESULT\n" +
		"etcd.service     active (running)  2026-06-01T12:00:00Z  2         5.0 MiB  success\n" +
		"kubelet.service  not-found         -                     0         -        -\n"
	if code != exitOK || out != want {
		t.Errorf("exit %d:\n%swant:\n%s", code, out, want)
	}
	code, out = slipway(t, "services", "n1", "-f", spec, "--address", addr, "--json")
	var doc nodeServices
	if err := json.Unmarshal([]byte(out), &doc); err != nil || code != exitOK || doc.Node != "n1" || len(doc.Services) != 2 || doc.Services[0].Memory != 5<<20 {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
}

// unpacked are the files of a bundle.
func unpacked(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	found := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		text, err2 := io.ReadAll(r)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		found[h.Name] = string(text)
	}
}

// secretLines are the lines of base64 of every key in a folder of secrets, and of the kubeconfig that it makes.
func secretLines(t *testing.T, dir string) []string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".key") {
			return err
		}
		data, err := os.ReadFile(name)
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") && len(line) > 16 {
				lines = append(lines, line)
			}
		}
		return err
	})
	if err != nil || len(lines) == 0 {
		t.Fatal(len(lines), err)
	}
	return lines
}

// TestSupport: a bundle of the nodes that answer, which names those that do not, and has no secret of the cluster in it though each
// program of the node printed all that it has.
func TestSupport(t *testing.T) {
	spec, addr, _ := lookLab(t)
	out := filepath.Join(t.TempDir(), "bundle.tar.zst")
	code, said := slipway(t, "support", "-f", spec, "--address", "n1="+addr, "--address", "n2=127.0.0.1:1", "-o", out)
	if code != exitOK || !strings.Contains(said, `n2: asking "n2" for its part of a support bundle: dial tcp 127.0.0.1:1: connect: connection refused`) {
		t.Fatalf("exit %d: %s", code, said)
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	files := unpacked(t, out)
	for name, want := range map[string]string{
		"n1/status.json": `"node": "n1"`, "n1/health.json": `"ready": true`, "n1/services.json": "etcd.service", "n1/files/etc/slipway/node.json": "{}",
		"n1/journal/etcd.service.txt": "--unit=etcd.service", "n1/dmesg.txt": "dmesg", "n2/unanswered.txt": "connection refused", "summary.json": `"cluster": "demo"`,
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s: %q, want %q in it", name, files[name], want)
		}
	}
	secrets := secretLines(t, filepath.Join(filepath.Dir(spec), "secrets"))
	for name, text := range files {
		for _, line := range append(secrets, "PRIVATE KEY", "LS0tLS1CRUdJTi") {
			if strings.Contains(text, line) {
				t.Errorf("%s has %q", name, line)
			}
		}
	}
}

// TestSupportOfNobody: there is a bundle that says why, and the exit code says that nobody answered.
func TestSupportOfNobody(t *testing.T) {
	spec, _, _ := lookLab(t)
	out := filepath.Join(t.TempDir(), "bundle.tar.zst")
	code, said := slipway(t, "support", "n1", "-f", spec, "--address", "127.0.0.1:1", "-o", out, "--json")
	if files := unpacked(t, out); code != exitFailed || len(files) != 2 || !strings.Contains(files["n1/unanswered.txt"], "refused") || !strings.Contains(said, `"files":0,"error":"asking`) {
		t.Errorf("exit %d, %v: %s", code, files, said)
	}
}

// TestSupportInterrupted leaves nothing.
func TestSupportInterrupted(t *testing.T) {
	spec, addr, _ := lookLab(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	code := run(ctx, []string{"support", "n1", "-f", spec, "--address", addr, "-o", filepath.Join(dir, "bundle.tar.zst")}, &out, &out, &out)
	if left := below(t, dir); code != exitCanceled || left != dir {
		t.Errorf("exit %d, left %s: %s", code, left, out.String())
	}
}

// TestSupportOfAStranger: what a node sends that does not belong into a bundle is refused, and the bundle is made.
func TestSupportOfAStranger(t *testing.T) {
	for name, h := range map[string]tar.Header{
		"out of the folder": {Typeflag: tar.TypeReg, Name: "../../etc/passwd"}, "a link": {Typeflag: tar.TypeSymlink, Name: "x", Linkname: "/etc/passwd"},
		"too large": {Typeflag: tar.TypeReg, Name: "x", Size: mostBundleFile + 1},
	} {
		var sent bytes.Buffer
		w := tar.NewWriter(&sent)
		w.WriteHeader(&h)
		b, err := newBundle(io.Discard, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := b.unpack("n1", tar.NewReader(&sent)); n != 0 || err == nil || !strings.Contains(err.Error(), "not what belongs") {
			t.Errorf("%s: %d files, %v", name, n, err)
		}
	}
}
