package firstboot

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway/firstboot/peer"
	"slipway/firstboot/status"
	"slipway/internal/golden"
	"slipway/node"
)

// contract is a good node config for the first of the nodes, as the parser gives it.
func contract(t *testing.T, nodes ...node.Node) *node.Config {
	t.Helper()
	for i := range nodes {
		nodes[i].Address = netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/24", 11+i))
		nodes[i].Fingerprint = strings.Repeat(fmt.Sprintf("%02x", 11+i), 32)
		if nodes[i].Has(node.Worker) {
			nodes[i].PodCIDR = netip.MustParsePrefix(fmt.Sprintf("10.244.%d.0/24", i))
		}
	}
	c := &node.Config{
		Version: node.Version, Cluster: node.Cluster{ID: "demo", Name: "demo", Epoch: 1, Domain: "cluster.local"},
		Versions:  node.Versions{Kubernetes: "v1.36.3", Kubelet: "v1.36.3", Etcd: "v3.6.11", CoreDNS: "v1.12.4", Pause: "3.10.2"},
		NotBefore: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), Node: nodes[0].Name, Nodes: nodes,
		Operator: strings.Repeat("0e", 32),
		API:      node.API{Mode: node.ModeNone, Host: "10.0.0.11", Port: node.APIPort},
		Network: node.Network{
			PodCIDR: netip.MustParsePrefix("10.244.0.0/16"), ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"),
			APIService: netip.MustParseAddr("10.96.0.1"), DNSService: netip.MustParseAddr("10.96.0.10"),
			CNI: node.CNIBridge, ProxyMode: node.ProxyIPVS, Scheduler: "rr",
		},
		Runtime: node.Runtime{Name: node.RuntimeContainerd},
	}
	if control := c.WithRole(node.ControlPlane); len(control) > 1 {
		c.API = node.API{Mode: node.ModeExternal, Host: "api.example.com", Port: node.APIPort}
	}
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := node.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

var everything = []node.Role{node.Etcd, node.ControlPlane, node.Worker}

func single(t *testing.T) *node.Config {
	return contract(t, node.Node{Name: "n1", Roles: everything})
}

func three(t *testing.T) *node.Config {
	return contract(t, node.Node{Name: "cp1", Roles: everything}, node.Node{Name: "cp2", Roles: everything}, node.Node{Name: "cp3", Roles: everything})
}

// TestFormation forms a single node and compares the acts and the end state.
func TestFormation(t *testing.T) {
	w := newWorld(t, single(t))
	if last := w.form(5 * time.Minute); !last.Serving || !last.Formed || last.State != status.Serving {
		t.Fatalf("not serving: %+v", last)
	}
	golden.Check(t, "testdata/single.txt", "acts:\n"+strings.Join(w.acted, "\n")+"\n\nstate:\n"+shorten(w.String()))
	if len(w.wrong) > 0 {
		t.Error(w.wrong)
	}
	before := w.acts
	w.form(time.Minute)
	if w.acts != before {
		t.Errorf("a second daemon on a node that serves did %q", w.acted[before:])
	}
}

// shorten leaves sums of contents out: they change with every template.
func shorten(state string) string {
	var lines []string
	for line := range strings.Lines(state) {
		f := strings.Fields(line)
		if f[0] == "file" || f[0] == "object" {
			f = f[:len(f)-1]
		}
		lines = append(lines, strings.Join(f, " "))
	}
	return strings.Join(lines, "\n") + "\n"
}

// TestCrash lets the process die before and after every single change, journal writes included, once as a crash of the
// daemon and once as a power cut, and expects the same end state every time.
func TestCrash(t *testing.T) {
	whole := newWorld(t, single(t))
	whole.form(5 * time.Minute)
	want := whole.String()
	for act := 1; act <= whole.acts; act++ {
		for _, after := range []bool{false, true} {
			for _, power := range []bool{false, true} {
				w := newWorldWith(t, whole.cfg, whole.out)
				w.crashAt, w.crashAfter = act, after
				at := dies(t, w)
				if power {
					w.powerOn()
				}
				name := fmt.Sprintf("act %d (%s), after=%v, power cut=%v", act, at, after, power)
				if last := w.form(5 * time.Minute); !last.Serving {
					t.Fatalf("%s: not serving: %+v", name, last)
				}
				if diff := cmp.Diff(want, w.String()); diff != "" {
					t.Fatalf("%s: another end state:\n%s", name, diff)
				}
				if len(w.wrong) > 0 {
					t.Fatalf("%s: %v", name, w.wrong)
				}
			}
		}
	}
}

// dies runs the formation into its crash and says where that was.
func dies(t *testing.T, w *fakeWorld) (at string) {
	t.Helper()
	defer func() {
		c, ok := recover().(crash)
		if !ok {
			t.Fatal("there was no crash")
		}
		at, w.crashAt = c.act, 0
	}()
	w.form(5 * time.Minute)
	return ""
}

// TestPowerCutAfterFormation: everything starts again from the disk, with nothing decided anew.
func TestPowerCutAfterFormation(t *testing.T) {
	w := newWorld(t, single(t))
	w.form(5 * time.Minute)
	want := w.String()
	w.powerOn()
	if last := w.form(5 * time.Minute); !last.Serving {
		t.Errorf("not serving: %+v", last)
	}
	if diff := cmp.Diff(want, w.String()); diff != "" {
		t.Errorf("another state:\n%s", diff)
	}
}

// TestSupervision: what goes down is noticed, reported and started again.
func TestSupervision(t *testing.T) {
	w := newWorld(t, single(t))
	e, said := w.start()
	pass := func(d time.Duration) {
		for end := w.now.Add(d); w.now.Before(end); {
			if err := e.Pass(context.Background()); err != nil {
				t.Fatal(err)
			}
			e.Clock.Sleep(context.Background(), e.pause())
		}
	}
	pass(2 * time.Minute)
	if !e.Serving() {
		t.Fatalf("not serving: %+v", (*said)[len(*said)-1])
	}
	delete(w.units, "kube-scheduler.service")
	from := len(*said)
	pass(time.Minute)
	if !e.Serving() {
		t.Error("not serving again")
	}
	noticed := slices.ContainsFunc((*said)[from:], func(d status.Document) bool { return d.Step == "controllers" && !d.Serving })
	if !noticed {
		t.Error("nobody was told that the scheduler went down")
	}
}

// TestLostData: a node that lost its etcd data never forms a second cluster, and says what it waits for.
func TestLostData(t *testing.T) {
	w := newWorld(t, single(t))
	w.form(5 * time.Minute)
	w.powerOn()
	if err := os.RemoveAll(w.path("/var/lib/etcd")); err != nil {
		t.Fatal(err)
	}
	last := w.form(2 * time.Minute)
	if want := "a quorum of the etcd members, because this node belonged to the formed cluster, and its etcd data is gone: there are no others\nhint: "; last.Step != "etcd" || !strings.HasPrefix(last.WaitingFor, want) {
		t.Errorf("status %+v", last)
	}
	if len(w.wrong) > 0 || !w.active("kubelet.service") {
		t.Errorf("wrong: %v; the kubelet runs: %v", w.wrong, w.active("kubelet.service"))
	}
}

// TestMajority: the first of three waits for a second one, then starts with it, and has formed nothing as long as no other
// member runs.
func TestMajority(t *testing.T) {
	w := newWorld(t, three(t))
	last := w.form(time.Minute)
	if want := "2 of 3 etcd nodes: no answer from cp2 (no answer), cp3 (no answer)"; last.WaitingFor != want || last.Step != "etcd" || last.State != status.Waiting {
		t.Fatalf("status %+v, want to wait for %q", last, want)
	}
	if want := []status.Notice{{Kind: "peer", Name: "cp2", Text: "no answer"}, {Kind: "peer", Name: "cp3", Text: "no answer"}}; !slices.Equal(last.Notices, want) {
		t.Errorf("notices %+v", last.Notices)
	}
	w.peers["cp3"] = peer.Attestation{Node: "cp3", Cluster: "demo", Epoch: 1}
	last = w.form(5 * time.Minute)
	if want := "etcd to reach its quorum: missing cp2 (no answer), cp3 (its etcd has not started)"; last.Step != "member" || last.WaitingFor != want || last.Formed {
		t.Fatalf("alone: %+v, want to wait for %q", last, want)
	}
	w.other = []string{"cp3"}
	if last = w.form(5 * time.Minute); !last.Serving || !last.Formed || len(last.Notices) > 0 {
		t.Errorf("with cp3's member: %+v", last)
	}
}

// TestGrace: with a majority there and one missing the first formation waits for the grace period, and not at all when
// everybody is there. Nodes that cannot be asked get their time to tell what they know in either case.
func TestGrace(t *testing.T) {
	cp2, cp3 := peer.Attestation{Node: "cp2", Cluster: "demo", Epoch: 1}, peer.Attestation{Node: "cp3", Cluster: "demo", Epoch: 1}
	worker := node.Node{Name: "w1", Roles: []node.Role{node.Worker}}
	for _, c := range []struct {
		name    string
		peers   fakePeers
		nodes   []node.Node
		from    time.Duration // when etcd starts
		waiting string
	}{
		{"all there", fakePeers{"cp2": cp2, "cp3": cp3}, nil, 0, ""},
		{"one missing", fakePeers{"cp2": cp2}, nil, 20 * time.Second, "all 3 etcd nodes, for 20s, before 2 of them begin: no answer from cp3 (no answer)"},
		{"all there, and a worker", fakePeers{"cp2": cp2, "cp3": cp3}, []node.Node{worker}, listening, "other nodes to say, within 4s, whether they remember this one"},
	} {
		nodes := append([]node.Node{{Name: "cp1", Roles: everything}, {Name: "cp2", Roles: everything}, {Name: "cp3", Roles: everything}}, c.nodes...)
		cfg := contract(t, nodes...)
		cfg.Tuning.FormationGrace = node.Duration(20 * time.Second)
		w := newWorld(t, cfg)
		w.peers = c.peers
		began := w.now
		if c.from > 0 {
			if last := w.form(c.from - 1); last.WaitingFor != c.waiting {
				t.Errorf("%s: status %+v, want to wait for %q", c.name, last, c.waiting)
			}
		}
		if _, early := w.units[etcdUnit]; early {
			t.Errorf("%s: etcd started within %s", c.name, w.now.Sub(began))
		}
		e, _ := w.start()
		w.node.began = began
		for range 8 { // some of them are for listening
			w.node.meetAll(t.Context())
			if err := e.Pass(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.now = w.now.Add(time.Second)
		}
		if _, started := w.units[etcdUnit]; !started {
			t.Errorf("%s: etcd has not started after %s", c.name, w.now.Sub(began))
		}
	}
}

// TestWiped: an instance that is told of another one of its node, at any time before it starts, starts nothing, and
// neither does one that nobody told of its start in time.
func TestWiped(t *testing.T) {
	const former = "ffffffffffffffffffffffffffffffff"
	clean := func(name string) peer.Attestation { return peer.Attestation{Node: name, Cluster: "demo", Epoch: 1} }
	w := newWorld(t, three(t))
	told := clean("cp2")
	told.Started = map[string][]string{"cp1": {former}}
	w.peers["cp2"], w.peers["cp3"] = told, clean("cp3")
	last := w.form(time.Minute)
	if last.Step != "etcd" || !strings.Contains(last.WaitingFor, "before it was wiped, as instance ffffffff") || !w.units[etcdUnit].IsZero() {
		t.Errorf("status %+v", last)
	}
	w.peers["cp2"] = clean("cp2") // cp2 forgets, and this node does not
	if last = w.form(time.Minute); !strings.Contains(last.WaitingFor, "before it was wiped") || !w.units[etcdUnit].IsZero() {
		t.Errorf("status %+v", last)
	}
	if a, err := w.node.hear(peer.Caller{Name: "cp3"}, peer.Testimony{}); err != nil || !a.Unsure || a.HasStarted() || !a.Has("cp1", former) {
		t.Errorf("attestation %+v, %v", a, err)
	}
}

// TestQuorumLost: a member that has lost the others is running and not well, and does not pass for it.
func TestQuorumLost(t *testing.T) {
	w := newWorld(t, three(t))
	w.peers["cp3"], w.other = peer.Attestation{Node: "cp3", Cluster: "demo", Epoch: 1}, []string{"cp3"}
	if last := w.form(5 * time.Minute); !last.Serving {
		t.Fatalf("not serving: %+v", last)
	}
	w.other = nil
	w.now = w.now.Add(time.Minute)
	e, said := w.start()
	for range 3 {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(5 * time.Second)
	}
	if last := (*said)[len(*said)-1]; last.Serving || last.Step != "member" || !strings.Contains(last.LastError, "RAFT NO LEADER") {
		t.Errorf("status %+v", last)
	}
}

// TestRoles: a node has the steps of its roles and no others.
func TestRoles(t *testing.T) {
	cp := node.Node{Name: "cp1", Roles: []node.Role{node.Etcd, node.ControlPlane}}
	worker := node.Node{Name: "w1", Roles: []node.Role{node.Worker}}
	balancer := node.Node{Name: "lb1", Roles: []node.Role{node.LB}}
	for _, test := range []struct {
		nodes []node.Node
		want  string
	}{
		{[]node.Node{cp, worker}, "time-gate scrub files apilb services etcd member apiserver controllers objects entries nodes approve labels cluster"},
		{[]node.Node{worker, cp}, "time-gate scrub files apilb services containerd images masq certificates kubelet kube-proxy nodes node-ready formed"},
		{[]node.Node{balancer, cp}, "time-gate scrub files apilb services lb formed"},
	} {
		cfg := contract(t, slices.Clone(test.nodes)...)
		if test.nodes[0].Name == "lb1" {
			cfg.API.Mode = node.ModeDedicated
		}
		e, _ := newWorld(t, cfg).start()
		var names []string
		for _, s := range e.Steps {
			for _, before := range s.After {
				if before == "lb" || before == "vip" {
					t.Errorf("%s: step %q waits for %q, which is done when the cluster serves", cfg.Node, s.Name, before)
				}
				if later := slices.IndexFunc(e.Steps, func(o Step) bool { return o.Name == before }); later >= 0 && !slices.Contains(names, before) {
					t.Errorf("%s: step %q stands before %q", cfg.Node, s.Name, before)
				}
			}
			names = append(names, s.Name)
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%s: %s, want %s", cfg.Node, got, test.want)
		}
	}
}

// TestWorker: a worker alone reaches the API through the loopback balancer with its own certificate.
func TestWorker(t *testing.T) {
	w := newWorld(t, contract(t,
		node.Node{Name: "w1", Roles: []node.Role{node.Worker}},
		node.Node{Name: "cp1", Roles: []node.Role{node.Etcd, node.ControlPlane}}))
	if last := w.form(time.Minute); last.Step != "kubelet" || !strings.Contains(last.WaitingFor, "no answer from cp1 (no answer)") {
		t.Errorf("with nobody who knows of another machine of its name: %+v", last)
	}
	w.peers["cp1"] = peer.Attestation{Cluster: "demo", Epoch: 1}
	if last := w.form(time.Minute); last.Serving || last.Step != "kube-proxy" {
		t.Errorf("without an API server: %+v", last)
	}
	w.units["kube-apiserver.service"] = w.now // elsewhere
	w.put(kubeletServing, servingPEM())       // approved there
	last := w.form(time.Minute)
	if !last.Serving || !last.Formed {
		t.Errorf("not serving: %+v", last)
	}
}
