package firstboot

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway/firstboot/peer"
	"slipway/node"
)

// TestChangeRoutes: only what is slipwayd's own is changed, and whatever leads where it should is left alone.
func TestChangeRoutes(t *testing.T) {
	have, err := parseRoutes(`[
{"dst":"default","gateway":"10.0.0.1","dev":"eth0","protocol":"static","flags":[]},
{"dst":"10.0.0.0/24","dev":"eth0","protocol":"kernel","scope":"link","prefsrc":"10.0.0.11","flags":[]},
{"dst":"10.0.0.99","gateway":"10.0.0.1","dev":"eth0","protocol":"76","flags":[]},
{"dst":"10.244.1.0/24","gateway":"10.0.0.21","dev":"eth0","protocol":"76","flags":[]},
{"dst":"10.244.2.0/24","gateway":"10.0.0.22","dev":"eth0","protocol":"76","flags":[]},
{"dst":"10.244.3.0/24","gateway":"10.0.0.23","dev":"eth0","protocol":"76","flags":[]},
{"dst":"10.244.4.0/24","gateway":"10.0.0.24","dev":"eth0","protocol":"static","flags":[]},
{"dst":"10.244.9.0/24","gateway":"10.0.0.9","dev":"eth0","protocol":"bird","flags":[]}]`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[netip.Prefix]string{}
	for pods, gateway := range map[string]string{"10.244.1.0/24": "10.0.0.21", "10.244.2.0/24": "10.0.0.52", "10.244.4.0/24": "10.0.0.24", "10.244.5.0/24": "10.0.0.25"} {
		want[netip.MustParsePrefix(pods)] = gateway
	}
	if diff := cmp.Diff([]string{
		"route del 10.244.2.0/24 via 10.0.0.22 proto 76",
		"route del 10.244.3.0/24 via 10.0.0.23 proto 76",
		"route add 10.244.2.0/24 via 10.0.0.52 proto 76",
		"route add 10.244.5.0/24 via 10.0.0.25 proto 76",
	}, changeRoutes(have, want)); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"{", "no routes"} {
		if _, err := parseRoutes(bad); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
	if have, err := parseRoutes(""); err != nil || len(have) > 0 {
		t.Errorf("nothing: %v, %v", have, err)
	}
}

// planes answer for the list of nodes, by name, and count who was asked.
type planes struct {
	fakePeers
	lists map[string]peer.List
	asked []string
}

func (p *planes) Nodes(_ context.Context, n node.Node, tag string) (peer.List, bool, error) {
	p.asked = append(p.asked, n.Name)
	list, ok := p.lists[n.Name]
	if !ok {
		return peer.List{}, false, errors.New("no answer")
	}
	return list, list.Tag != tag, nil
}

func listOf(t *testing.T, hosts ...byte) peer.List {
	t.Helper()
	var all []peer.Neighbour
	for _, h := range hosts {
		all = append(all, peer.Neighbour{Name: fmt.Sprint("n", h), Address: netip.AddrFrom4([4]byte{10, 0, 0, h}), Pods: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, h, 0}), 24)})
	}
	list, err := peer.NewList(all)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestRoutes: a worker has routes to those that a control plane knows, asks one of them now and then, another when that one is
// silent, and goes by what it knew last when all are, also after a power cut.
func TestRoutes(t *testing.T) {
	w := newWorld(t, contract(t, node.Node{Name: "w1", Roles: []node.Role{node.Worker}},
		node.Node{Name: "cp1", Roles: []node.Role{node.Etcd, node.ControlPlane}}, node.Node{Name: "cp2", Roles: []node.Role{node.ControlPlane}},
		node.Node{Name: "e2", Roles: []node.Role{node.Etcd}}, node.Node{Name: "e3", Roles: []node.Role{node.Etcd}}))
	p := &planes{lists: map[string]peer.List{}}
	start := func() {
		w.start()
		w.node.peers = p
	}
	settle := func() Finding {
		t.Helper()
		found, err := w.node.observeNodes(t.Context())
		if err == nil && found.act {
			if err = found.do(t.Context()); err == nil {
				found, err = w.node.observeNodes(t.Context())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	routes := func() string {
		var all []string
		for dst, r := range w.routes {
			all = append(all, dst+" "+r["gateway"])
		}
		slices.Sort(all)
		return strings.Join(all, ", ")
	}
	start()
	if found := settle(); found.done || !strings.Contains(found.waiting, "which nodes there are: no answer") {
		t.Errorf("nobody answers: %+v", found)
	}
	p.lists["cp2"] = listOf(t, 21, 22)
	if found := settle(); !found.done || routes() != "10.244.21.0/24 10.0.0.21, 10.244.22.0/24 10.0.0.22" {
		t.Errorf("%+v, %s", found, routes())
	}
	p.asked = nil
	if settle(); len(p.asked) > 0 {
		t.Errorf("asked %v again at once", p.asked)
	}
	w.now = w.now.Add(time.Minute)
	if settle(); strings.Join(p.asked, " ") != "cp2" {
		t.Errorf("asked %v", p.asked)
	}
	p.lists["cp2"] = listOf(t, 22, 23)
	w.now = w.now.Add(time.Minute)
	if found := settle(); !found.done || routes() != "10.244.22.0/24 10.0.0.22, 10.244.23.0/24 10.0.0.23" {
		t.Errorf("one came, one went: %+v, %s", found, routes())
	}
	clear(p.lists)
	w.now = w.now.Add(time.Minute)
	w.powerOn()
	start()
	if found := settle(); !found.done || routes() != "10.244.22.0/24 10.0.0.22, 10.244.23.0/24 10.0.0.23" {
		t.Errorf("after a power cut, alone: %+v, %s", found, routes())
	}
	if notices := w.node.notices.List(); len(notices) != 1 || notices[0].Kind != "nodes" || !strings.Contains(notices[0].Text, "no answer") {
		t.Errorf("notices %+v", notices)
	}
	if err := os.WriteFile(w.path(neighboursPath), []byte("?"), 0o600); err != nil {
		t.Fatal(err)
	}
	start()
	if found := settle(); found.done {
		t.Errorf("of a list that cannot be read: %+v", found)
	}
}

// TestWords: where control planes attest they say which list they have, and among many nodes one asks for it when that is news, and else
// never.
func TestWords(t *testing.T) {
	everything := []node.Role{node.Etcd, node.ControlPlane}
	w := newWorld(t, contract(t, node.Node{Name: "w1", Roles: []node.Role{node.Worker}},
		node.Node{Name: "cp1", Roles: everything}, node.Node{Name: "cp2", Roles: everything}, node.Node{Name: "cp3", Roles: everything}))
	older, newer := listOf(t, 21, 22), listOf(t, 22, 23)
	p := &planes{lists: map[string]peer.List{"cp1": older, "cp2": older, "cp3": older}}
	w.start()
	w.node.peers = p
	again := time.Minute
	says := func(name string, list peer.List) {
		p.lists[name] = list
		w.node.met.put(view{Name: name, Attestation: &peer.Attestation{List: list.Tag, Again: again}})
	}
	for _, step := range []struct {
		what  string
		do    func()
		asked string
		want  peer.List
	}{
		{"at first", func() { p.lists = map[string]peer.List{"cp2": older} }, "cp2", older},
		{"all have the same", func() { says("cp1", older); says("cp2", older) }, "", older},
		{"one does not say", func() { says("cp3", peer.List{}) }, "", older},
		{"one has another", func() { says("cp2", newer) }, "cp2", newer},
		{"one is behind, and said so before", func() {}, "", newer},
		{"it comes along", func() { says("cp1", newer) }, "", newer},
		{"one is silent from here on", func() { w.node.met.put(view{Name: "cp1", Err: errNotMet}) }, "", newer},
		{"it has changed again meanwhile", func() { says("cp2", older); p.lists["cp2"] = listOf(t, 24) }, "cp2", listOf(t, 24)},
		{"its old word is no news", func() {}, "", listOf(t, 24)},
		{"few nodes are left", func() { again = calm; says("cp2", older); says("cp3", older) }, "cp2", older},
	} {
		step.do()
		p.asked = nil
		w.now = w.now.Add(time.Minute)
		if err := w.node.lookAround(t.Context()); err != nil {
			t.Fatal(err)
		}
		for len(p.asked) > 0 && p.asked[0] != step.asked { // those that do not answer
			p.asked = p.asked[1:]
		}
		if got := strings.Join(p.asked, " "); got != step.asked || w.node.around.list.Tag != step.want.Tag {
			t.Errorf("%s: asked %q, want %q; has %s, want %s", step.what, got, step.asked, w.node.around.list.Data, step.want.Data)
		}
	}
}
