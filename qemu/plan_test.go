package qemu

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/cluster"
	"slipway/internal/golden"
)

func specOf(nodes int, edit ...func(*cluster.Spec)) *cluster.Spec {
	s := &cluster.Spec{
		Cluster: cluster.Cluster{Name: "demo", ID: "demo", Epoch: 1},
		Image:   cluster.Image{Size: 8 * cluster.GiB},
		Network: cluster.Network{Gateway: "10.77.0.2"},
	}
	for i := range nodes {
		s.Nodes = append(s.Nodes, cluster.Node{Name: fmt.Sprintf("n%d", i+1), Address: fmt.Sprintf("10.77.0.%d/24", 11+i)})
	}
	for _, e := range edit {
		e(s)
	}
	return s
}

func testHost(a Accel) Host {
	return Host{QEMU: "/usr/bin/qemu-system-x86_64", Img: "/usr/bin/qemu-img", Switch: []string{"/usr/bin/slipway", "qemu", "switch"}, Version: Version{10, 0, 2}, Accel: a,
		Code: "/usr/share/OVMF/OVMF_CODE_4M.fd", Vars: "/usr/share/OVMF/OVMF_VARS_4M.fd"}
}

var testOptions = Options{CPUs: 2, MemoryMiB: 3072}

func planOf(t *testing.T, spec *cluster.Spec, host Host, opts Options) ([]Process, error) {
	t.Helper()
	lab, err := FromSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	art, ports := Artefacts{Image: "/work,1/out/demo.raw", Ignition: map[string]string{}}, map[string]Ports{}
	for i, m := range lab.Machines {
		art.Ignition[m.Name] = "/work,1/out/" + m.Name + ".ign"
		ports[m.Name] = Ports{API: 40000 + 2*i, Peer: 40001 + 2*i}
	}
	return Plan(lab, art, host, ports, opts)
}

// dump writes a plan one option a line.
func dump(procs []Process) string {
	var b strings.Builder
	for _, p := range procs {
		fmt.Fprintf(&b, "# %q in %s\n", p.Name, p.Dir)
		if p.Disk != nil {
			fmt.Fprintln(&b, strings.Join(p.Disk, " "))
		}
		b.WriteString(p.Argv[0])
		for _, a := range p.Argv[1:] {
			if strings.HasPrefix(a, "-") {
				b.WriteString("\n ")
			}
			b.WriteString(" " + a)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestPlan(t *testing.T) {
	open := testOptions
	open.Open, open.NoReboot, open.Clock = true, true, time.Date(2016, 1, 1, 12, 0, 0, 0, time.FixedZone("", 3600))
	vmware := testOptions
	vmware.VMware = true
	for _, tc := range []struct {
		name string
		spec *cluster.Spec
		host Host
		opts Options
	}{
		{"single", specOf(1), testHost(TCG), testOptions},
		{"single_kvm_open", specOf(1, func(s *cluster.Spec) {
			s.Nodes[0].Interface.MAC = "52:54:00:12:34:56"
			s.Network.DNS = []string{"9.9.9.9", "10.77.0.99"}
		}), testHost(KVM), open},
		{"many", specOf(3, func(s *cluster.Spec) {
			s.Network.Gateway, s.Network.VIP, s.Network.LoadBalancer.Port = "", "10.77.0.1", 8443
			s.Nodes[0].Roles = []cluster.Role{cluster.RoleLB}
		}), testHost(TCG), testOptions},
		{"vmware", specOf(1), testHost(TCG), vmware},
	} {
		t.Run(tc.name, func(t *testing.T) {
			procs, err := planOf(t, tc.spec, tc.host, tc.opts)
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/"+tc.name+".txt", dump(procs))
		})
	}
}

func TestOldQEMU(t *testing.T) {
	old := func(a Accel) Host { h := testHost(a); h.Version = Version{7, 2, 9}; return h }
	for _, tc := range []struct {
		name  string
		nodes int
		accel Accel
		want  string // in the error; empty: none
	}{
		{"emulation corrupts", 1, TCG, "cmpxchg16b"},
		{"kvm is fine", 1, KVM, ""},
		{"many need stream sockets", 2, KVM, "stream sockets"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := planOf(t, specOf(tc.nodes), old(tc.accel), testOptions)
			if tc.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "bookworm-backports") {
				t.Fatalf("want an error with %q and how to get a newer QEMU, got %v", tc.want, err)
			}
		})
	}
}

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]Version{
		"QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright": {10, 0, 2},
		"QEMU emulator version 7.2\n":                                    {7, 2, 0},
		"warning: something\nQEMU emulator version 11.1.0":               {11, 1, 0},
	} {
		if got, err := ParseVersion(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if _, err := ParseVersion("not qemu"); err == nil {
		t.Error("nonsense was read as a version")
	}
}

func TestFromSpecRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		edit       func(*cluster.Spec)
	}{
		{"two networks", "two networks", func(s *cluster.Spec) { s.Nodes[1].Address = "10.78.0.12/24" }},
		{"no address", "address of node", func(s *cluster.Spec) { s.Nodes[0].Address = "nowhere" }},
		{"small network", "too small", func(s *cluster.Spec) { s.Nodes = s.Nodes[:1]; s.Nodes[0].Address = "10.77.0.1/29" }},
		{"gateway elsewhere", "outside", func(s *cluster.Spec) { s.Network.Gateway = "10.78.0.1" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := FromSpec(specOf(2, tc.edit))
			var input InputError
			if !errors.As(err, &input) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("want an input error with %q, got %v", tc.want, err)
			}
		})
	}
}

func TestServers(t *testing.T) {
	for _, tc := range []struct {
		name, gateway, dns string
		edit               func(*cluster.Spec)
	}{
		{"from the spec", "10.77.0.2", "10.77.0.3", func(s *cluster.Spec) { s.Network.DNS = []string{"10.77.0.3"} }},
		{"DNS elsewhere", "10.77.0.2", "10.77.0.1", func(s *cluster.Spec) { s.Network.DNS = []string{"9.9.9.9"} }},
		{"DNS is the gateway", "10.77.0.2", "10.77.0.1", func(s *cluster.Spec) { s.Network.DNS = []string{"10.77.0.2"} }},
		{"first free ones", "10.77.0.3", "10.77.0.4", func(s *cluster.Spec) {
			s.Network.Gateway, s.Network.VIP, s.Nodes[0].Address = "", "10.77.0.1", "10.77.0.2/24"
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lab, err := FromSpec(specOf(1, tc.edit))
			if err != nil {
				t.Fatal(err)
			}
			if lab.Gateway != netip.MustParseAddr(tc.gateway) || lab.DNS != netip.MustParseAddr(tc.dns) {
				t.Errorf("gateway %v, DNS %v", lab.Gateway, lab.DNS)
			}
		})
	}
}

func TestDiskInside(t *testing.T) {
	got := diskCommand(Lab{DiskSize: 1 << 30}, Artefacts{Image: "/a b/x.ova", Inside: Inside{Format: "vmdk", Part: Extent{512, 1024}}}, Host{Img: "qemu-img"})
	want := []string{"qemu-img", "create", "-q", "-f", "qcow2", "-F", "vmdk", "-b",
		`json:{"driver":"vmdk","read-only":true,"file":{"driver":"raw","read-only":true,"offset":512,"size":1024,"file":{"driver":"file","read-only":true,"filename":"/a b/x.ova"}}}`, "disk.qcow2", "1073741824"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
