package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

const goodSpec = `cluster:
  name: demo
network:
  gateway: 10.0.0.1
nodes:
- name: n1
  roles: [etcd, control-plane, worker]
  address: 10.0.0.11/24
`

// refusals are wrong command lines of every verb, in a folder with good.yaml, bad.yaml and a file that is no folder.
func refusals() [][]string {
	return [][]string{
		{"nonsense"},
		{"init", "-o", "good.yaml"},
		{"init", "x"},
		{"validate", "-f", "bad.yaml"},
		{"validate", "-f", "missing.yaml", "--json"},
		{"schema", "x"},
		{"build", "-f", "bad.yaml"},
		{"build", "-f", "bad.yaml", "-o", "new", "--json"},
		{"build", "-f", "good.yaml", "--nonsense"},
		{"cache", "du", "x", "--json"},
		{"cache", "prune", "--days", "-1", "--json"},
		{"pack"},
		{"pack", "missing.raw", "-o", "new.qcow2"},
		{"pack", "missing.raw", "-o", "new.ova", "--json"},
		{"pack", "good.yaml", "-o", "new.txt"},
		{"pack", "good.yaml", "-o", "new.vmdk", "--compression", "zstd"},
		{"pack", "good.yaml", "-o", "new/new.vmdk"},
		{"verify", "missing.raw"},
		{"verify", "good.yaml", "--json"},
		{"pki", "init", "-f", "bad.yaml"},
		{"pki", "init", "-f", "good.yaml", "--age-recipient", "nobody"},
		{"pki", "init", "-f", "bad.yaml", "--json"},
		{"pki", "nonsense"},
		{"ignition", "-f", "bad.yaml", "-o", "new"},
		{"ignition", "-f", "good.yaml", "-o", "new", "--secrets", "none"},
		{"ignition", "-f", "good.yaml", "-o", "new", "--format", "x"},
		{"ignition", "-f", "good.yaml", "-o", "file"},
		{"ignition", "-f", "good.yaml", "-o", "file", "--json"},
		{"render", "-f", "good.yaml", "n2"},
		{"render", "-f", "good.yaml", "n1", "n2"},
		{"kubeconfig", "-f", "good.yaml", "-o", "new/conf", "--server", "x"},
		{"kubeconfig", "-f", "bad.yaml", "-o", "new"},
		{"status", "-f", "good.yaml", "n2", "--json"},
		{"status", "-f", "bad.yaml"},
		{"status", "-f", "good.yaml", "--watch", "--json"},
		{"wait", "-f", "good.yaml", "n2"},
		{"wait", "-f", "good.yaml", "--timeout", "0s", "--json"},
		{"wait", "-f", "good.yaml", "--for", "ever"},
		{"logs"},
		{"logs", "--file", "good.yaml", "n2"},
		{"logs", "--file", "good.yaml", "n1", "--all"},
		{"logs", "--file", "good.yaml", "n1", "*"},
		{"logs", "n1", "-f", "good.yaml"},
		{"dmesg", "--file", "good.yaml"},
		{"dmesg", "--file", "good.yaml", "n1", "--since", "yesterday"},
		{"dmesg", "--file", "good.yaml", "n1", "--boot", "7"},
		{"services", "-f", "good.yaml", "n2"},
		{"services", "-f", "good.yaml", "--json"},
		{"support", "-f", "bad.yaml"},
		{"support", "-f", "good.yaml", "n2", "-o", "new.tar.zst"},
		{"support", "-f", "good.yaml", "-o", "new.zip", "--json"},
		{"support", "-f", "good.yaml", "-o", "new/new.tar.zst"},
		{"qemu", "up", "-f", "good.yaml", "n2"},
		{"qemu", "up", "-f", "good.yaml", "--memory", "1"},
		{"qemu", "up", "-f", "good.yaml"},
		{"qemu", "up", "-f", "good.yaml", "--json"},
		{"qemu", "down", "-f", "good.yaml", "n2"},
		{"qemu", "down", "-f", "good.yaml", "n2", "--json"},
		{"qemu", "status", "-f", "bad.yaml", "--json"},
		{"qemu", "console", "-f", "good.yaml", "n2"},
		{"qemu", "switch", "--uplink", "new"},
		{"vsphere", "import", "-f", "bad.yaml"},
		{"vsphere", "import", "-f", "bad.yaml", "--json"},
		{"vsphere", "deploy", "-f", "bad.yaml"},
		{"vsphere", "deploy", "-f", "good.yaml", "--timeout", "0s", "--json"},
		{"vsphere", "status", "-f", "bad.yaml", "--json"},
		{"vsphere", "destroy", "-f", "bad.yaml"},
		{"vsphere", "destroy", "-f", "good.yaml", "--json"},
	}
}

// TestRefusalsWriteNothing holds every verb to what exit code 2 says, and to what --json and hints do.
func TestRefusalsWriteNothing(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range map[string]string{"good.yaml": goodSpec, "bad.yaml": "nodes: 7\n", "file": ""} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if code, out := slipway(t, "pki", "init", "-f", "good.yaml"); code != exitOK {
		t.Fatal(out)
	}
	before := below(t, dir)
	for _, args := range refusals() {
		var out, errOut bytes.Buffer
		code := run(context.Background(), args, &bytes.Buffer{}, &out, &errOut)
		if code != exitInput {
			t.Errorf("%q: exit code %d: %s", args, code, errOut.String())
		}
		if after := below(t, dir); after != before {
			t.Fatalf("%q wrote something:\n%s\nbefore:\n%s", args, after, before)
		}
		for _, line := range strings.Split(strings.TrimSpace(errOut.String()), "\n")[1:] {
			if strings.HasPrefix(line, "run ") || strings.HasPrefix(line, "use ") || strings.HasPrefix(line, "choose ") {
				t.Errorf("%q: a hint without its name: %q", args, line)
			}
		}
		checkJSON(t, args, out.String(), code)
	}
}

// TestEveryVerbWithJSON is in the list of refusals with it, and answers a wrong command line by the document of an error.
func TestEveryVerbWithJSON(t *testing.T) {
	root := newRootCmd(streams{doc: &document{}})
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, verb := range cmd.Commands() {
			walk(verb)
		}
		if cmd.InheritedFlags().Lookup("json") == nil && cmd.Flags().Lookup("json") == nil {
			return
		}
		path := strings.Fields(cmd.CommandPath())[1:]
		if !cmd.HasSubCommands() && !slices.ContainsFunc(refusals(), func(args []string) bool {
			return len(args) > len(path) && slices.Equal(args[:len(path)], path) && slices.Contains(args, "--json")
		}) {
			t.Errorf("%s --json is never refused", path)
		}
		args := append(path, "--json", "--nonsense")
		var out bytes.Buffer
		code := run(t.Context(), args, &bytes.Buffer{}, &out, &bytes.Buffer{})
		if code != exitInput {
			t.Errorf("%q: exit code %d", args, code)
		}
		checkJSON(t, args, out.String(), code)
	}
	walk(root)
}

// TestDocument: what was reported stands beside the failure, and is called nodes where it is a list.
func TestDocument(t *testing.T) {
	failed := usageError{errors.New("making x: gone\nhint: look")}
	const failure = `"error":"making x: gone","hints":["look"],"exitCode":2}` + "\n"
	for _, tc := range []struct {
		reported any
		err      error
		want     string
	}{
		{[]done{}, nil, "[]\n"},
		{nil, failed, "{" + failure},
		{[]done(nil), failed, "{" + failure},
		{[]string{"n1"}, failed, `{"nodes":["n1"],` + failure},
		{vsphereReport{}.of(nil), failed, `{"dryRun":false,"changes":false,"actions":[],` + failure},
	} {
		var out bytes.Buffer
		if err := (document{tc.reported}).print(&out, tc.err); err != nil || out.String() != tc.want {
			t.Errorf("%v: %v %q, want %q", tc.reported, err, out.String(), tc.want)
		}
	}
}

// checkJSON wants one document of an error where --json was said, and nothing where it was not.
func checkJSON(t *testing.T, args []string, out string, code int) {
	t.Helper()
	if !strings.Contains(strings.Join(args, " "), "--json") {
		if out != "" {
			t.Errorf("%q printed %q", args, out)
		}
		return
	}
	var f failure
	dec := json.NewDecoder(strings.NewReader(out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil || dec.More() || f.Error == "" || f.Code != code || strings.Contains(f.Error, "hint:") {
		t.Errorf("%q: %v, %q", args, err, out)
	}
}

// TestHintsOfTwoLines: what goes on in a second line is no part of the error.
func TestHintsOfTwoLines(t *testing.T) {
	f := failureOf(errors.New("fetching x: gone\n      ^\nhint: take a mirror,\n      or the folder\nfetching y: gone\nhint: another"))
	if f.Error != "fetching x: gone\n      ^\nfetching y: gone" || strings.Join(f.Hints, "|") != "take a mirror, or the folder|another" || f.Code != exitFailed {
		t.Errorf("%+v", f)
	}
}

// below are all files and folders below dir.
func below(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}
