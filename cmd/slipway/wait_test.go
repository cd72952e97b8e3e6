package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slipway/cluster"
	"slipway/firstboot/inside"
	"slipway/firstboot/peer"
	"slipway/firstboot/status"
)

var serves = status.Document{Node: "n1", State: status.Serving, Serving: true}

// yes are the checks that a lone node passes, as they are told.
func yes(l level) string {
	var b strings.Builder
	list, _ := checksFor(l)
	for _, c := range list {
		b.WriteString(c.name + ": yes\n")
	}
	return b.String()
}

// TestWait: exit 0 when the node serves, with what it waited for meanwhile.
func TestWait(t *testing.T) {
	spec, addr, node := statusLab(t)
	node.set(etcdWaits)
	time.AfterFunc(300*time.Millisecond, func() { node.set(serves) })
	code, out := slipway(t, "wait", "-f", spec, "n1", "--address", addr, "--timeout", "1m")
	waited := "etcd members are healthy: waiting for n1 (etcd waiting, waiting for 2 of 3 etcd nodes: first; hint)\n"
	want := strings.Replace(yes(forCluster), "etcd members are healthy", waited+"etcd members are healthy", 1)
	if code != exitOK || out != want {
		t.Errorf("exit %d:\n%swant:\n%s", code, out, want)
	}
}

// TestWaitJSON: one document at the end, of the nodes that serve, or of why the wait ended; what comes before it is for people.
func TestWaitJSON(t *testing.T) {
	spec, addr, node := statusLab(t)
	node.set(serves)
	var out, errOut bytes.Buffer
	args := []string{"wait", "-f", spec, "n1", "--address", addr, "--json", "--timeout"}
	code := run(t.Context(), append(args, "1m"), strings.NewReader(""), &out, &errOut)
	var docs []status.Document
	if err := json.Unmarshal(out.Bytes(), &docs); err != nil || code != exitOK || len(docs) != 1 || docs[0].Node != "n1" || !docs[0].Serving || errOut.String() != yes(forCluster) {
		t.Errorf("exit %d, %v: %s%s", code, err, out.String(), errOut.String())
	}
	node.set(etcdWaits)
	out.Reset()
	code = run(t.Context(), append(args, "200ms"), strings.NewReader(""), &out, &errOut)
	var f failure
	if err := json.Unmarshal(out.Bytes(), &f); err != nil || code != exitFailed || f.Code != code || !strings.HasPrefix(f.Error, "waiting for the cluster: after 200ms it is still not so that etcd members are healthy\nn1: etcd waiting") {
		t.Errorf("exit %d, %v: %s", code, err, out.String())
	}
}

// TestWaitTimeout: exit 1, and the last lines say what was missing, of whom.
func TestWaitTimeout(t *testing.T) {
	spec, addr, node := statusLab(t)
	node.set(etcdWaits)
	code, out := slipway(t, "wait", "-f", spec, "n1", "--address", addr, "--timeout", "200ms")
	want := "slipway: waiting for the cluster: after 200ms it is still not so that etcd members are healthy\nn1: etcd waiting, waiting for 2 of 3 etcd nodes: first; hint\n"
	if code != exitFailed || !strings.HasSuffix(out, want) {
		t.Errorf("exit %d:\n%swant at the end:\n%s", code, out, want)
	}
	code, out = slipway(t, "wait", "-f", spec, "--address", "n1="+addr, "--address", "n2=127.0.0.1:1", "--timeout", "200ms", "--for", "etcd")
	if code != exitFailed || strings.Contains(out, "n2") {
		t.Errorf("a worker is asked about etcd: exit %d:\n%s", code, out)
	}
}

// TestWaitFormed: with cni: none a node that did all it can is enough for --for formed, and the next level says why not.
func TestWaitFormed(t *testing.T) {
	spec, addr, node := statusLab(t)
	data, err := os.ReadFile(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(spec, bytes.Replace(data, []byte("  gateway"), []byte("  cni: none\n  gateway"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	done := func(name string) status.Step { return status.Step{Name: name, State: status.Done} }
	node.set(status.Document{
		Node: "n1", Step: "node-ready", State: status.Waiting, WaitingFor: "the node to be ready: cni plugin not initialized", Formed: true,
		Steps: []status.Step{done("member"), done("apiserver"), done("controllers"), done("kubelet"), {Name: "node-ready", State: status.Waiting}, {Name: "cluster", State: status.Pending}},
	})
	args := []string{"wait", "-f", spec, "n1", "--address", addr, "--timeout"}
	if code, out := slipway(t, append(args, "1m", "--for", "formed")...); code != exitOK || out != yes(forFormed) {
		t.Errorf("exit %d:\n%s", code, out)
	}
	code, out := slipway(t, append(args, "200ms")...)
	if code != exitFailed || !strings.Contains(out, "still not so that Kubernetes' nodes are Ready\nn1: node-ready waiting, waiting for the node to be ready: cni plugin not initialized\nhint: the spec says cni: none") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

// TestWaitLevels: the command line and the documentation know the same levels.
func TestWaitLevels(t *testing.T) {
	docs, err := os.ReadFile("../../docs/looking-inside.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range levels {
		if !strings.Contains(string(docs), "| `"+string(l.level)+"` |") {
			t.Errorf("docs/looking-inside.md does not describe --for %s", l.level)
		}
	}
	for _, c := range checks {
		if !strings.Contains(string(docs), c.name) {
			t.Errorf("docs/looking-inside.md does not name the check %q", c.name)
		}
	}
}

// healthy is a cluster of a balancer and three members that passes every check, for a test to break.
func healthy() seen {
	spec := &cluster.Spec{}
	var replies []reply
	var members []inside.Member
	roles := map[string][]cluster.Role{"lb1": {cluster.RoleLB}, "w1": {cluster.RoleWorker}}
	for _, name := range []string{"cp1", "cp2", "cp3"} {
		roles[name] = []cluster.Role{cluster.RoleEtcd, cluster.RoleControlPlane}
		members = append(members, inside.Member{ID: name, Name: name, Started: true})
	}
	for _, name := range []string{"lb1", "cp1", "cp2", "cp3", "w1"} {
		spec.Nodes = append(spec.Nodes, cluster.Node{Name: name, Roles: roles[name]})
		r := reply{Document: status.Document{Node: name, State: status.Serving, Serving: true}, Roles: roles[name], Health: &inside.Health{}}
		if r.has(cluster.RoleEtcd) {
			r.Health.Etcd = &inside.Etcd{Healthy: true, ID: name, Cluster: "e1", Role: inside.Voter, Members: slices.Clone(members)}
			r.Health.API = &inside.API{Ready: true}
		}
		if r.has(cluster.RoleLB) {
			r.Health.VIP = &inside.VIP{Address: "10.0.0.10", Held: true}
		}
		replies = append(replies, r)
	}
	return seen{replies, spec, true}
}

// TestChecks: each check can fail, and names whom it is about.
func TestChecks(t *testing.T) {
	for _, c := range []struct {
		name, missing string
		spoil         func(s *seen, cp2 *reply)
	}{
		{"", "", func(*seen, *reply) {}},
		{"etcd nodes answer", "cp2: no answer yet: gone", func(_ *seen, r *reply) { *r = silent(*r) }},
		{"etcd members are healthy", "cp2: RAFT NO LEADER", func(_ *seen, r *reply) { r.Health.Etcd.Healthy, r.Health.Etcd.Trouble = false, "RAFT NO LEADER" }},
		{"etcd members are healthy", "cp2: alarm NOSPACE", func(_ *seen, r *reply) { r.Health.Etcd.Errors = []string{"alarm NOSPACE"} }},
		{"etcd members are healthy", "cp2: member waiting, waiting for its vote", func(_ *seen, r *reply) {
			r.Health.Etcd.Healthy, r.Serving, r.Document.Step, r.State, r.WaitingFor = false, false, "member", status.Waiting, "its vote"
		}},
		{"etcd members know the same cluster", "cp2: it is in etcd cluster e2, and cp1 is in e1", func(_ *seen, r *reply) { r.Health.Etcd.Cluster = "e2" }},
		{"etcd members know the same cluster", "cp2: it knows the members cp1, cp2, and cp1 knows cp1, cp2, cp3", func(_ *seen, r *reply) { r.Health.Etcd.Members = r.Health.Etcd.Members[:2] }},
		{"etcd members are the spec's, and have a vote", "cp4: it is no member yet", func(s *seen, _ *reply) {
			s.spec.Nodes = append(s.spec.Nodes, cluster.Node{Name: "cp4", Roles: []cluster.Role{cluster.RoleEtcd}})
		}},
		{"etcd members are the spec's, and have a vote", "cp3: it is a learner and gets its vote once it has the data", func(s *seen, _ *reply) { s.learns(2) }},
		{"etcd members are the spec's, and have a vote", "cp3: it is a member, and no node of the spec", func(s *seen, _ *reply) {
			s.spec.Nodes, s.replies = slices.Delete(s.spec.Nodes, 3, 4), slices.Delete(s.replies, 3, 4)
		}},
		{"API servers are ready", "cp2: etcd failed", func(_ *seen, r *reply) { r.Health.API = &inside.API{Trouble: "etcd failed"} }},
		{"load balancers answer", "lb1: no answer yet: gone", func(s *seen, _ *reply) { s.replies[0] = silent(s.replies[0]) }},
		{"the VIP has one holder", "lb1: one of them has to take it", func(s *seen, _ *reply) { s.replies[0].Health.VIP.Held = false }},
		{"the VIP has one holder", "lb1 and cp2: each of them holds it", func(_ *seen, r *reply) { r.Health.VIP = &inside.VIP{Held: true} }},
		{"all nodes answer", "w1: no answer yet: gone", func(s *seen, _ *reply) { s.replies[4] = silent(s.replies[4]) }},
		{"kubelets run", "w1: kubelet waiting", func(s *seen, _ *reply) { s.at(4, "kubelet") }},
		{"controller managers and schedulers are ready", "cp2: controllers waiting", func(s *seen, _ *reply) { s.at(2, "controllers") }},
		{"every step that needs no pod network is done", "w1: kube-proxy: kube-proxy waiting", func(s *seen, _ *reply) { s.at(4, "kube-proxy", "kubelet") }},
		{"Kubernetes' nodes are Ready", "w1: node-ready waiting", func(s *seen, _ *reply) { s.at(4, "node-ready", "kubelet") }},
		{"all nodes serve", "cp2: cluster waiting", func(s *seen, _ *reply) { s.at(2, "cluster", "controllers") }},
	} {
		s := healthy()
		c.spoil(&s, &s.replies[2])
		w := &waiter{s: streams{err: &bytes.Buffer{}}, spec: s.spec, checks: checks, all: true}
		w.tell(s.replies)
		var first string
		if len(w.missing) > 0 {
			first = w.missing[0].who + ": " + w.missing[0].why
		}
		if w.at != c.name || first != c.missing {
			t.Errorf("at %q, %q; want %q, %q", w.at, first, c.name, c.missing)
		}
	}
}

// silent is a node that does not answer.
func silent(r reply) reply {
	return reply{Document: status.Document{Node: r.Node}, Roles: r.Roles, Error: "gone"}
}

// at lets a node wait at a step, with others done before.
func (s *seen) at(i int, step string, done ...string) {
	r := &s.replies[i]
	r.Serving, r.State, r.Step, r.Steps = false, status.Waiting, step, []status.Step{{Name: step, State: status.Waiting}}
	for _, name := range done {
		r.Steps = append(r.Steps, status.Step{Name: name, State: status.Done})
	}
}

// learns makes a member a learner, in everybody's list.
func (s *seen) learns(i int) {
	for _, r := range s.replies {
		if r.Health.Etcd != nil {
			r.Health.Etcd.Members[i].Learner = true
		}
	}
}

// TestBrief: of many nodes a few are named.
func TestBrief(t *testing.T) {
	if got := brief([]waitFor{{"a", "x"}, {"b", "x"}, {"c", "x"}, {"d", "x"}, {"e", "x"}}); got != "a (x), b (x), c (x), and 2 more" {
		t.Error(got)
	}
}

// TestWaitIsCheap: while a node's own status says that it is not there yet, its members are not asked each time.
func TestWaitIsCheap(t *testing.T) {
	var looks atomic.Int32
	spec, addr, node := labWith(t, func(o *peer.ServerOptions, _ map[string][]byte) {
		o.Inside = &inside.Node{Probe: func(context.Context) inside.Health {
			looks.Add(1)
			return inside.Health{Etcd: &inside.Etcd{Trouble: "etcd.service is inactive"}}
		}}
	})
	node.set(etcdWaits)
	code, out := slipway(t, "wait", "-f", spec, "n1", "--address", addr, "--timeout", "3500ms")
	if code != exitFailed || looks.Load() != 1 {
		t.Errorf("exit %d, looked %d times: %s", code, looks.Load(), out)
	}
}
