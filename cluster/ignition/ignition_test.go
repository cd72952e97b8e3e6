package ignition

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	butane "github.com/coreos/butane/config"
	"github.com/coreos/butane/config/common"
	"golang.org/x/tools/txtar"

	"slipway/internal/golden"
	"slipway/node"
)

// member is an inventory entry; i makes its pod network and its fingerprint.
func member(i int, name, addr string, roles ...node.Role) node.Node {
	n := node.Node{Name: name, Roles: roles, Address: netip.MustParsePrefix(addr + "/24"), Fingerprint: fmt.Sprintf("%064x", i)}
	if n.Has(node.Worker) {
		n.PodCIDR = netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.0/24", 244+i/256, i%256))
	}
	return n
}

func contract(self string, nodes ...node.Node) *node.Config {
	return &node.Config{
		Version:   node.Version,
		Cluster:   node.Cluster{ID: "demo", Name: "demo", Epoch: 1, Domain: "cluster.local"},
		Versions:  node.Versions{Kubernetes: "v1.36.3", Kubelet: "v1.36.3", Etcd: "v3.6.11", CoreDNS: "v1.14.1", Pause: "3.10.2"},
		NotBefore: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Operator:  strings.Repeat("0e", 32),
		Node:      self,
		Nodes:     nodes,
		API:       node.API{Mode: node.ModeNone, Host: "10.0.0.11", Port: 6443},
		Network: node.Network{
			PodCIDR: netip.MustParsePrefix("10.244.0.0/14"), ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"),
			APIService: netip.MustParseAddr("10.96.0.1"), DNSService: netip.MustParseAddr("10.96.0.10"),
			CNI: node.CNIBridge, ProxyMode: node.ProxyIPVS, Scheduler: "rr",
		},
		Runtime: node.Runtime{Name: node.RuntimeContainerd},
	}
}

func single() Input {
	return Input{Config: contract("n1", member(1, "n1", "10.0.0.11", node.Etcd, node.ControlPlane, node.Worker))}
}

// ha is the dedicated shape seen from self: a balancer, three control planes, two workers, one of them in another subnet.
func ha(self string) Input {
	c := contract(self,
		member(1, "lb1", "10.0.0.31", node.LB),
		member(2, "cp1", "10.0.0.11", node.Etcd, node.ControlPlane),
		member(3, "cp2", "10.0.0.12", node.Etcd, node.ControlPlane),
		member(4, "cp3", "10.0.0.13", node.Etcd, node.ControlPlane),
		member(5, "w1", "10.0.0.21", node.Worker),
		member(6, "w2", "10.0.9.22", node.Worker))
	c.Nodes[4].Interface = "ens192"
	c.Nodes[5].MAC = "52:54:00:12:34:56"
	c.API = node.API{Mode: node.ModeDedicated, VIP: netip.MustParseAddr("10.0.0.10"), Host: "10.0.0.10", Port: 8443}
	c.Network.DNS = []netip.Addr{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")}
	c.Network.NTP = []string{"ntp1.example.org", "10.0.0.4"}
	return Input{Config: c, Gateway: netip.MustParseAddr("10.0.0.1"), APIName: "api.example.org"}
}

func TestGoldens(t *testing.T) {
	withSnippets := single()
	withSnippets.Snippets = []Snippet{snippet(t, "all.bu"), snippet(t, "node.bu")}
	withPKI := single()
	withPKI.Files = []File{{Path: node.PKIDir + "/sa.key", Mode: 0o600, Content: []byte("secret\n")}}
	for name, in := range map[string]Input{
		"single": withPKI, "butane": withSnippets,
		"ha-lb": ha("lb1"), "ha-cp": ha("cp1"), "ha-worker-interface": ha("w1"), "ha-worker-mac": ha("w2"),
	} {
		t.Run(name, func(t *testing.T) {
			out, err := Render(in)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Render(in)
			if err != nil || !bytes.Equal(out, again) {
				t.Errorf("rendered twice: not the same (%v)", err)
			}
			entries, err := Decode(out)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, "testdata/"+name+".txtar", entries)
		})
	}
}

func snippet(t *testing.T, name string) Snippet {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return translated(t, name, string(data))
}

// translated does what the spec's loader does with a Butane file.
func translated(t *testing.T, name, text string) Snippet {
	t.Helper()
	ign, rep, err := butane.TranslateBytes([]byte(text), common.TranslateBytesOptions{Raw: true})
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, rep.String())
	}
	return Snippet{Name: name, Ignition: ign}
}

// compare holds the entries against a txtar golden, whose file names are kind, path, mode, owner and note.
func compare(t *testing.T, path string, entries []Entry) {
	t.Helper()
	var a txtar.Archive
	for _, e := range entries {
		name := strings.TrimSpace(fmt.Sprintf("%s %s %04o %s %s", e.Kind, e.Path, e.Mode, e.Owner, e.Note))
		content := e.Content
		if e.Path == node.Path && path != "testdata/single.txtar" {
			content = []byte("(see single.txtar)\n")
		}
		a.Files = append(a.Files, txtar.File{Name: name, Data: content})
	}
	golden.Check(t, path, txtar.Format(&a))
}

func TestRefusals(t *testing.T) {
	const head = "variant: fcos\nversion: 1.5.0\n"
	for _, tc := range []struct{ name, butane, want string }{
		{"our folder", head + "storage:\n  files:\n  - path: /etc/slipway/pki/ca.crt\n", "slipway's own"},
		{"our folder as a link", head + "storage:\n  links:\n  - {path: /etc/slipway, target: /tmp}\n", "slipway's own"},
		{"a parent as a link", head + "storage:\n  links:\n  - {path: /etc/kubernetes, target: /tmp}\n", "/etc/kubernetes has to be a folder"},
		{"a parent as a mount", head + "storage:\n  filesystems:\n  - {device: /dev/sdb, format: ext4, path: /etc/kubernetes}\n", "a file system at /etc/kubernetes would hide /etc/kubernetes/authentication.yaml"},
		{"our state below a mount", head + "storage:\n  filesystems:\n  - {device: /dev/sdb, format: ext4, path: /var/lib, with_mount_unit: true}\n", "a file system at /var/lib would hide /var/lib/etcd/member"},
		{"our state", head + "storage:\n  directories:\n  - path: /var/lib/slipway/x\n", "belongs to slipway's own state"},
		{"emergency", head + "systemd:\n  units:\n  - {name: emergency.target, mask: true}\n", "the unit emergency.target"},
		{"slipwayd's file", head + "storage:\n  files:\n  - path: /etc/kubernetes/kubelet.yaml\n", "every boot"},
		{"kernel arguments", head + "kernel_arguments:\n  should_exist: [quiet]\n", "kernel.cmdline"},
		{"replace", head + "ignition:\n  config:\n    replace: {inline: '{\"ignition\": {\"version\": \"3.4.0\"}}'}\n", "ignition.config.merge"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := single()
			in.Taken = []string{"/etc/kubernetes/kubelet.yaml"}
			in.Snippets = []Snippet{translated(t, "bad.bu", tc.butane)}
			_, err := Render(in)
			var coded interface{ ExitCode() int }
			if !errors.As(err, &coded) || coded.ExitCode() != 2 || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "bad.bu") {
				t.Errorf("want exit code 2 and %q, got %v", tc.want, err)
			}
		})
	}
}

// The contract's own parser judges what is rendered: nothing that it refuses at boot leaves the operator's machine.
func TestContractIsChecked(t *testing.T) {
	in := single()
	in.Config.Nodes[0].Fingerprint = ""
	if _, err := Render(in); err == nil || !strings.Contains(err.Error(), "fingerprint") {
		t.Errorf("no fingerprint: %v", err)
	}
}

func TestSizeGuard(t *testing.T) {
	noise := func(n int) []byte { // does not compress below 3/4
		out, x := make([]byte, n), uint32(1)
		for i := range out {
			x = x*1664525 + 1013904223
			out[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[x>>26]
		}
		return out
	}
	in := single()
	in.Files = []File{{Path: "/etc/large", Mode: 0o644, Content: noise(40 << 10)}}
	out, err := Render(in)
	if err != nil {
		t.Fatalf("under the limit: %v", err)
	}
	if size := len(Encode(out)); size > Limit || size < Limit*8/10 {
		t.Errorf("the input of this test is %d bytes, want a little under %d", size, Limit)
	}
	in.Files[0].Content = noise(60 << 10)
	_, err = Render(in)
	if !errors.Is(err, errTooLarge) || !strings.Contains(err.Error(), "49152") {
		t.Errorf("above the limit: %v", err)
	}
}
