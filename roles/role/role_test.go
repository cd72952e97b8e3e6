package role

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"slipway/node"
)

func TestFlagsMerge(t *testing.T) {
	n := &Node{Config: &node.Config{ExtraArgs: map[string]map[string]string{
		"kubelet": {"v": "4", "config": "mine", "empty": ""},
	}}}
	defaults := Args{"config": "/etc/x", "node-ip": "10.0.0.1"}
	got := n.Flags("kubelet", defaults)
	want := []string{"--config=mine", "--empty=", "--node-ip=10.0.0.1", "--v=4"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
	if defaults["config"] != "/etc/x" {
		t.Error("the defaults were written to")
	}
}

func TestExecQuote(t *testing.T) {
	for arg, want := range map[string]string{
		"--a=b":       "--a=b",
		"--a=b c":     `"--a=b c"`,
		"--a=%n":      "--a=%%n",
		"--a=$HOME":   "--a=$$HOME",
		`--a="x"`:     `"--a=\"x\""`,
		`--a=\n`:      `"--a=\\n"`,
		"--a='x'":     `"--a='x'"`,
		"--a=b;c":     `"--a=b;c"`,
		"--a=${X}\t!": "\"--a=$${X}\t!\"",
	} {
		if got := execQuote(arg); got != want {
			t.Errorf("execQuote(%s) = %s, want %s", arg, got, want)
		}
	}
}

func TestMergeRefusesTwoOwners(t *testing.T) {
	one := Output{Files: []File{{Path: "/etc/b"}, {Path: "/etc/a"}}, Units: []Unit{{Name: "x.service"}}}
	all, err := Merge(one, Output{Units: []Unit{{Name: "a.service"}}})
	if err != nil || all.Files[0].Path != "/etc/a" || all.Units[0].Name != "a.service" {
		t.Errorf("Merge = %v, %v; want everything, sorted", all, err)
	}
	if _, err := Merge(one, one); err == nil || !strings.Contains(err.Error(), "claimed twice") {
		t.Errorf("Merge of the same twice: %v", err)
	}
}

// TestBuilderErrors: a template that names what is not there must never give an empty string.
func TestBuilderErrors(t *testing.T) {
	for template, want := range map[string]string{
		"{{ .Missing }}":                  `rendering template "t": executing: `,
		"{{ .":                            `rendering template "t": parsing: `,
		"kind: Service":                   `rendering template "t": finding an object's API path: `,
		"a: [":                            `rendering template "t": decoding: `,
		"- not\n- an object":              `rendering template "t": decoding: `,
		"apiVersion: v1\nkind: ConfigMap": `metadata.name`,
	} {
		b := NewBuilder(fstest.MapFS{"t": {Data: []byte(template)}}, map[string]string{})
		b.Objects("t")
		b.File("/later", 0o644, "t")
		if out, err := b.Output(); err == nil || !strings.Contains(err.Error(), want) || len(out.Files) > 0 {
			t.Errorf("%q: %v, %v; want an error with %q", template, out, err, want)
		}
	}
}

func TestMajorMinor(t *testing.T) {
	for _, bad := range []string{"", "v1", "v1.x.3", "latest", "one.36"} {
		if _, _, err := MajorMinor(bad); err == nil {
			t.Errorf("MajorMinor(%q) passed", bad)
		}
	}
	if major, minor, err := MajorMinor("v1.36.3"); major != 1 || minor != 36 || err != nil {
		t.Errorf("MajorMinor = %d, %d, %v", major, minor, err)
	}
}

func TestNewNodeRefuses(t *testing.T) {
	alone := []node.Node{{Name: "n1", Roles: []node.Role{node.ControlPlane}}}
	for want, cfg := range map[string]*node.Config{
		`finding node "n2"`:                       {Node: "n2", Nodes: alone},
		`no node of the contract has role "etcd"`: {Node: "n1", Nodes: alone},
		`reading version "latest": want vX.Y.Z`: {Node: "n1", Versions: node.Versions{Kubernetes: "latest"},
			Nodes: append(alone, node.Node{Name: "e1", Roles: []node.Role{node.Etcd}})},
	} {
		if _, err := NewNode(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("NewNode: %v, want an error with %q", err, want)
		}
	}
}
