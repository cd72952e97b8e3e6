package cluster

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"slipway/internal/golden"
	"slipway/node"
)

const single = `cluster: {name: demo}
network: {gateway: 10.0.0.1}
nodes:
  - {name: n1, roles: [etcd, control-plane, worker], address: 10.0.0.11/24}
`

func parse(t *testing.T, text string) *Spec {
	t.Helper()
	spec, err := Parse("cluster.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// fingerprints stands for the PKI: one made-up digest a node.
var operatorPrint = strings.Repeat("0e", 32)

func fingerprints(s *Spec) map[string]string {
	all := map[string]string{}
	for i, n := range s.Nodes {
		all[n.Name] = fmt.Sprintf("%064x", i+1)
	}
	return all
}

// TestContract pins the node config: testdata/contract/*.txtar holds a spec and the node.json of one of its nodes.
func TestContract(t *testing.T) {
	files, err := filepath.Glob("testdata/contract/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			spec := parse(t, string(a.Files[0].Data))
			name := strings.TrimSuffix(a.Files[1].Name, ".json")
			c, err := spec.Contract(name, ContractInputs{
				Fingerprints: fingerprints(spec), Operator: operatorPrint, NotBefore: time.Date(2025, 6, 1, 12, 0, 0, 0, time.FixedZone("", 3600)),
			})
			if err != nil {
				t.Fatal(err)
			}
			if a.Files[1].Data, err = c.Marshal(); err != nil {
				t.Fatal(err)
			}
			again, err := node.Parse(a.Files[1].Data)
			if err != nil {
				t.Fatalf("the node would refuse it: %v", err)
			}
			if diff := cmp.Diff(c, *again, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("the node would read something else (-rendered +read):\n%s", diff)
			}
			golden.Check(t, file, txtar.Format(a))
		})
	}
}

func TestContractVersionsReallyBuilt(t *testing.T) {
	spec := parse(t, single)
	c, err := spec.Contract("n1", ContractInputs{
		Fingerprints: fingerprints(spec), Operator: operatorPrint, NotBefore: time.Unix(1, 0),
		Versions: map[string]string{PayloadEtcd: "v3.6.99", PayloadKubernetes: "v1.36.99"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := node.Versions{Kubernetes: "v1.36.99", Kubelet: "v1.36.99", Etcd: "v3.6.99", CoreDNS: DefaultVersion(PayloadCoreDNS), Pause: DefaultVersion(PayloadPause)}
	if c.Versions != want {
		t.Errorf("got %+v, want %+v", c.Versions, want)
	}
}

func TestContractRefuses(t *testing.T) {
	spec := parse(t, single)
	for name, c := range map[string]struct {
		node string
		in   ContractInputs
		want string
	}{
		"no such node":   {"n9", ContractInputs{Fingerprints: fingerprints(spec), Operator: operatorPrint, NotBefore: time.Unix(1, 0)}, "no such node"},
		"no fingerprint": {"n1", ContractInputs{Operator: operatorPrint, NotBefore: time.Unix(1, 0)}, "fingerprint"},
		"no operator":    {"n1", ContractInputs{Fingerprints: fingerprints(spec), NotBefore: time.Unix(1, 0)}, "operator"},
		"no time":        {"n1", ContractInputs{Fingerprints: fingerprints(spec), Operator: operatorPrint}, "notBefore"},
	} {
		if _, err := spec.Contract(c.node, c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, c.want)
		}
	}
}

// TestDefaultsAreAsDescribed compares the Default of fields with what an almost empty spec gets.
func TestDefaultsAreAsDescribed(t *testing.T) {
	inWords := []string{"", "the name", "the version", "per payload", "none, for one control plane", "the only Ethernet card", "nftables, and ipvs for v1.34", "rr, for ipvs"}
	spec := parse(t, single)
	for name, v := range map[string]any{
		"Spec": *spec, "Cluster": spec.Cluster, "Kubernetes": spec.Kubernetes, "Payload": spec.Payloads[PayloadEtcd], "Image": spec.Image,
		"Network": spec.Network, "LoadBalancer": spec.Network.LoadBalancer, "Proxy": spec.Network.Proxy, "Runtime": spec.Runtime,
	} {
		value := reflect.ValueOf(v)
		for i, f := range reflect.VisibleFields(value.Type()) {
			want := fieldDoc(value.Type(), f).Default
			if got := fmt.Sprint(value.Field(i).Interface()); !slices.Contains(inWords, want) && got != want {
				t.Errorf("%s.%s: default %q, described as %q", name, keyName(f), got, want)
			}
		}
	}
	if spec.Network.LoadBalancer.Mode != node.ModeNone || spec.Cluster.ID != "demo" || spec.Kubernetes.Kubelet != spec.Kubernetes.Version {
		t.Errorf("wrong defaults in %+v", spec)
	}
}

// TestProxyDefault: who writes nothing gets a mode that nothing is to be warned about, in every version.
func TestProxyDefault(t *testing.T) {
	for kubernetes, want := range map[string]string{"v1.34.2": node.ProxyIPVS, "v1.35.0": node.ProxyNFTables, "v1.36.3": node.ProxyNFTables, "v1.37.2": node.ProxyNFTables} {
		result, err := check("cluster.yaml", []byte(single+"kubernetes: {version: "+kubernetes+"}\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := result.spec.Network.Proxy; got.Mode != want || (got.Scheduler == "rr") != (want == node.ProxyIPVS) || len(result.warnings) > 0 {
			t.Errorf("%s: %+v, warnings %v", kubernetes, got, result.warnings)
		}
	}
}

func TestPayloadDefaults(t *testing.T) {
	for kubernetes, etcd := range map[string]string{"v1.34.2": "v3.5.", "v1.35.0": "v3.6.", "v1.36.3": "v3.6.", "v1.37.0": "v3.7."} {
		spec := parse(t, single+"kubernetes: {version: "+kubernetes+"}\n")
		if got := spec.Payloads[PayloadEtcd].Version; !strings.HasPrefix(got, etcd) {
			t.Errorf("kubernetes %s got etcd %s", kubernetes, got)
		}
		if got := spec.Payloads[PayloadKubernetes].Version; got != kubernetes {
			t.Errorf("kubernetes %s got the payload %s", kubernetes, got)
		}
	}
	spec := parse(t, single)
	for _, name := range PayloadNames() {
		if _, ok := spec.Payloads[name]; ok == slices.Contains([]string{PayloadKubelet, PayloadFlannel}, name) {
			t.Errorf("payload %s is there: %t", name, ok)
		}
	}
	apart := parse(t, single+"kubernetes: {kubelet: v1.35.1}\npayloads: {kubelet: {source: file, path: k.tar, sha256: "+strings.Repeat("0", 64)+"}}\n")
	if got := apart.Payloads[PayloadKubelet].Version; got != "v1.35.1" {
		t.Errorf("the kubelet apart has version %q", got)
	}
}

func TestInventory(t *testing.T) {
	spec := parse(t, `cluster: {name: demo, domain: k8s.example.org}
network: {vip: 10.0.0.10, podCIDR: 10.244.0.0/22, serviceCIDR: 10.97.0.0/24, loadBalancer: {mode: stacked, host: api.example.org}}
nodes:
  - {name: w1, roles: [worker], address: 10.0.0.20/24}
  - {name: cp2, roles: [etcd, control-plane], address: 10.0.0.12/24, butane: []}
  - {name: cp1, roles: [control-plane], address: 10.0.0.11/24}
`)
	names, addrs := spec.APIServerSANs()
	wantNames := []string{"api.example.org", "cp1", "cp2", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.k8s.example.org", "localhost"}
	if diff := cmp.Diff(wantNames, names); diff != "" {
		t.Error(diff)
	}
	if got, want := fmt.Sprint(addrs), "[10.0.0.10 10.0.0.11 10.0.0.12 10.97.0.1 127.0.0.1]"; got != want {
		t.Errorf("addresses %s, want %s", got, want)
	}
	if host, port := spec.APIEndpoint(); host != "10.0.0.10" || port != 8443 {
		t.Errorf("endpoint %s:%d", host, port)
	}
	if got := spec.DNSServiceIP().String(); got != "10.97.0.10" {
		t.Errorf("DNS is %s", got)
	}
	for i, want := range map[int]string{0: "10.244.0.0/24", 3: "10.244.3.0/24", 4: "invalid Prefix"} {
		if got := spec.NodePodCIDR(i).String(); got != want {
			t.Errorf("pods of node %d are %s, want %s", i, got, want)
		}
	}
}

// TestPodsStay: a node that comes in between moves nobody's pods, and one that is gone leaves its own to others.
func TestPodsStay(t *testing.T) {
	spec := func(names ...string) *Spec {
		text := "cluster: {name: demo}\nnetwork: {podCIDR: 10.244.0.0/21}\nnodes:\n  - {name: cp1, roles: [etcd, control-plane, worker], address: 10.0.0.11/24}\n"
		for i, name := range names {
			text += fmt.Sprintf("  - {name: %s, roles: [worker], address: 10.0.0.%d/24}\n", name, 21+i)
		}
		return parse(t, text)
	}
	thirds := func(given map[string]netip.Prefix) map[string]int {
		got := map[string]int{}
		for name, p := range given {
			got[name] = int(p.Addr().As4()[2])
		}
		return got
	}
	first := spec("w1", "w2", "w3").PodCIDRs(nil)
	if diff := cmp.Diff(map[string]int{"cp1": 0, "w1": 1, "w2": 2, "w3": 3}, thirds(first)); diff != "" {
		t.Error(diff)
	}
	second := spec("w1", "new", "w3", "other").PodCIDRs(first) // w2 is gone
	if diff := cmp.Diff(map[string]int{"cp1": 0, "w1": 1, "new": 2, "w3": 3, "other": 4}, thirds(second)); diff != "" {
		t.Error(diff)
	}
	third := spec("newer", "w1", "w2", "w3", "other").PodCIDRs(first)
	if diff := cmp.Diff(map[string]int{"cp1": 0, "newer": 4, "w1": 1, "w2": 2, "w3": 3, "other": 5}, thirds(third)); diff != "" {
		t.Error(diff)
	}
	elsewhere := spec("w1").PodCIDRs(map[string]netip.Prefix{"w1": netip.MustParsePrefix("10.9.9.0/24"), "cp1": netip.MustParsePrefix("10.244.1.0/25")})
	if diff := cmp.Diff(map[string]int{"cp1": 0, "w1": 1}, thirds(elsewhere)); diff != "" {
		t.Error(diff)
	}
}

// TestContractNames: a config names its own node and those that all must know, so it does not grow with the cluster.
func TestContractNames(t *testing.T) {
	spec := parse(t, `cluster: {name: demo}
network: {loadBalancer: {mode: dedicated}, vip: 10.0.0.10}
nodes:
  - {name: w1, roles: [worker], address: 10.0.0.21/24}
  - {name: lb1, roles: [lb], address: 10.0.0.31/24}
  - {name: e1, roles: [etcd], address: 10.0.0.41/24}
  - {name: cp1, roles: [control-plane], address: 10.0.0.11/24}
  - {name: w2, roles: [worker], address: 10.0.0.22/24}
`)
	for name, want := range map[string]string{"w1": "w1 lb1 e1 cp1", "cp1": "lb1 e1 cp1", "w2": "lb1 e1 cp1 w2"} {
		c, err := spec.Contract(name, ContractInputs{Fingerprints: fingerprints(spec), Operator: operatorPrint, NotBefore: time.Unix(1, 0)})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, n := range c.Nodes {
			names = append(names, n.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestOnlyBalancer: one dedicated balancer without a VIP is where the API is, and in the API servers' certificates.
func TestOnlyBalancer(t *testing.T) {
	spec := parse(t, `cluster: {name: demo}
network: {loadBalancer: {mode: dedicated}}
nodes:
  - {name: lb1, roles: [lb], address: 10.0.0.31/24}
  - {name: cp1, roles: [etcd, control-plane], address: 10.0.0.11/24}
`)
	if host, port := spec.APIEndpoint(); host != "10.0.0.31" || port != 8443 {
		t.Errorf("endpoint %s:%d", host, port)
	}
	if _, addrs := spec.APIServerSANs(); !slices.Contains(addrs, netip.MustParseAddr("10.0.0.31")) {
		t.Errorf("certificates for %v", addrs)
	}
}

func TestSnippetsFor(t *testing.T) {
	spec := Spec{Butane: map[Role][]string{RoleAll: {"all"}, RoleWorker: {"w"}, RoleEtcd: {"e1", "e2"}}}
	got := spec.SnippetsFor(Node{Roles: []Role{RoleWorker, RoleEtcd}, Butane: []string{"own"}})
	if diff := cmp.Diff([]string{"all", "e1", "e2", "w", "own"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"8GiB": 8 * GiB, "450 MiB": 450 * MiB, "1KiB": KiB, "2TiB": 2 * TiB} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%q is %d, %v", text, got, err)
		}
		if back, err := ParseSize(got.String()); err != nil || back != got {
			t.Errorf("%q came back as %d, %v", text, back, err)
		}
	}
	for _, text := range []string{"", "8", "8GB", "-1GiB", "1.5GiB", "9999999999TiB", "GiB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q became %d", text, got)
		}
	}
}

// TestCaret: tabs before the place must be kept under it, and a repetition is said once.
func TestCaret(t *testing.T) {
	p := Problem{File: "f", Line: 12, Col: 4, Width: 3, Source: "\ta: bcd", Message: "m", Hint: "h"}
	want := "f:12:4: m\n   12 | \ta: bcd\n      | \t  ^^^\nhint: h\n"
	if got := p.String(); got != want {
		t.Errorf("got\n%s want\n%s", got, want)
	}
	if got := sortProblems([]Problem{p, p}, "f"); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

func TestProblemsErrorExitsWith2(t *testing.T) {
	_, err := Parse("cluster.yaml", []byte("{}"), nil)
	var coded interface{ ExitCode() int }
	if !errors.As(err, &coded) || coded.ExitCode() != 2 {
		t.Errorf("%v exits otherwise", err)
	}
}

// TestAliases: anchors are followed, once around a cycle at most.
func TestAliases(t *testing.T) {
	spec := parse(t, "cluster: {name: &n demo}\nnetwork: {}\nnodes:\n  - {name: *n, roles: &r [etcd, control-plane, worker], address: 10.0.0.11/24}\n")
	if spec.Nodes[0].Name != "demo" {
		t.Errorf("got %+v", spec.Nodes)
	}
	if _, err := Parse("f", []byte("cluster: &a {name: *a}\nnodes: &b [*b]\nnetwork: {dns: &c [*c]}\n"), nil); err == nil {
		t.Error("a cycle was accepted")
	}
}

// FuzzParse: no input makes the parser panic; what it accepts has a contract that the node accepts.
func FuzzParse(f *testing.F) {
	seeds, err := filepath.Glob("../cmd/slipway/testdata/script/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range seeds {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, member := range a.Files {
			if strings.HasSuffix(member.Name, ".yaml") || strings.HasSuffix(member.Name, ".bu") {
				f.Add(member.Data)
			}
		}
	}
	template, err := os.ReadFile("../cmd/slipway/init.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(template)
	f.Fuzz(func(t *testing.T, data []byte) {
		spec, err := Parse("cluster.yaml", data, oneSnippet(data))
		if problems := new(ProblemsError); err != nil && (!errors.As(err, &problems) || len(problems.Problems) == 0 || problems.Error() == "") {
			t.Fatalf("a wrong spec is told as %v", err)
		}
		if err != nil {
			return
		}
		if _, err := spec.Contract(spec.Nodes[0].Name, ContractInputs{Fingerprints: fingerprints(spec), Operator: operatorPrint, NotBefore: time.Unix(1, 0)}); err != nil {
			t.Errorf("a spec that passes makes no contract: %v", err)
		}
	})
}

// oneSnippet is every Butane file at once.
type oneSnippet []byte

func (s oneSnippet) ReadSnippet(string) ([]byte, error) { return s, nil }
func (oneSnippet) FilesDir() string                     { return "" }
