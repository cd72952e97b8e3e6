package imagebuild

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"slipway/cluster"
	"slipway/imagebuild/overlay"
	"slipway/imagebuild/payload"
	"slipway/internal/golden"
)

const changed = `
debug: true
image:
  mirror: http://mirror.example/debian
  kernelStream: stable
  packages: [tcpdump, lsof]
  rootSlot: 1GiB
kernel:
  modules: {add: [nfs]}
  sysctl: {vm.swappiness: "1"}
kubernetes:
  version: v1.36.3
  kubelet: v1.35.7
`

func TestPlans(t *testing.T) {
	for name, more := range map[string]string{"plan-single.txt": "", "plan-changed.txt": changed} {
		var b strings.Builder
		p := plan(t, more)
		p.Print(&b)
		fmt.Fprintf(&b, "\nrequest\n  security %s\n  %s\n", p.Mirrors["trixie-security"], strings.Join(p.Request.Packages, "\n  "))
		golden.Check(t, "testdata/"+name, b.String())
	}
}

func TestPlanRefusals(t *testing.T) {
	for want, change := range map[string]func(*cluster.Spec){
		`"ubuntu"`:      func(s *cluster.Spec) { s.Image.Distro = "ubuntu" },
		`"no/module"`:   func(s *cluster.Spec) { s.Kernel.Modules.Add = []string{"no/module"} },
		`"root=`:        func(s *cluster.Spec) { s.Kernel.Cmdline = []string{"root=/dev/sda"} },
		`"nosuch"`:      func(s *cluster.Spec) { s.Payloads = map[string]cluster.Payload{"nosuch": {}} },
		`"no.sysctl !"`: func(s *cluster.Spec) { s.Kernel.Sysctl = map[string]string{"no.sysctl !": "1"} },
	} {
		spec, err := cluster.Parse("c", []byte("cluster: {name: demo}\nnetwork: {gateway: 10.0.0.1}\nnodes: [{name: n1, roles: [etcd, control-plane, worker], address: 10.0.0.11/24}]\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		change(spec)
		_, err = NewPlan(spec, payload.Host{Go: "go1.26.0"})
		var coded interface{ ExitCode() int }
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &coded) || coded.ExitCode() != 2 {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func list(entries []overlay.Entry) string {
	var lines []string
	for _, e := range entries {
		kind := fmt.Sprintf("%04o", e.Mode&fs.ModePerm)
		if e.Link != "" {
			kind, e.Path = "link", e.Path+" -> "+e.Link
		}
		lines = append(lines, kind+" "+e.Path+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// All that Slipway lays over the distribution, for a plan whose payloads are built: paths, modes and links.
func TestAdditions(t *testing.T) {
	b := treeBuilder(t)
	b.lock = &Lock{Epoch: 1_780_000_000}
	host := program(t, "package main\n\nfunc main() { print(\"complete\") }\n").HostPath
	for _, item := range b.plan.Payloads {
		res := payload.Result{Item: item}
		for _, bin := range item.Binaries {
			res.Files = append(res.Files, payload.InstalledFile{Path: bin.Path, Mode: 0o755, HostPath: host, SHA256: "00"})
			for _, l := range bin.Links {
				res.Files = append(res.Files, payload.InstalledFile{Path: l, Symlink: "kube"})
			}
		}
		b.results = append(b.results, res)
	}
	entries, err := b.additions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := list(entries)
	for _, e := range entries {
		if slices.Contains([]string{"/usr/lib/slipway/image.json", "/etc/.updated", "/usr/lib/systemd/system/slipwayd.service"}, e.Path) {
			text += "-- " + e.Path + " --\n" + string(e.Content)
		}
	}
	golden.Check(t, "testdata/additions.txtar", text)

	b.results = []payload.Result{{Item: payload.Item{Name: "odd", Class: payload.ClassOCI}, Files: []payload.InstalledFile{{}}}}
	if _, err := b.additions(t.Context()); err == nil || !strings.Contains(err.Error(), `payload "odd"`) {
		t.Errorf("an image that nobody can run: %v", err)
	}
}
