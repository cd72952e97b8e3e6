package firstboot

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway/firstboot/peer"
	"slipway/firstboot/status"
	"slipway/firstboot/wire"
	"slipway/node"
)

// TestReadServers reads what haproxy 3.0 said of three servers: one ready, one that says 500, one that refuses.
func TestReadServers(t *testing.T) {
	table, err := os.ReadFile("testdata/haproxy-servers.csv")
	if err != nil {
		t.Fatal(err)
	}
	servers, err := readServers(string(table))
	want := []server{{"cp1", true, ""}, {"cp2", false, "it says that it is not ready"}, {"cp3", false, "Connection refused"}}
	if diff := cmp.Diff(want, servers, cmp.AllowUnexported(server{})); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if got := judgeServers(servers); !got.done {
		t.Errorf("one lives: %+v", got)
	}
	if got := judgeServers(servers[1:]).waiting; got != "an API server to be ready: cp2 (it says that it is not ready), cp3 (Connection refused)" {
		t.Error(got)
	}
	for in, want := range map[string]string{
		"# svname,status,check_status,check_desc,last_chk\ncp1,UP,INI,,\n":                          "cp1 (not asked yet)",
		"# svname,status,check_status,check_desc,last_chk\ncp1,UP 1/3,* L4TOUT,Layer4 timeout,\n":   "",
		"# svname,status,check_status,check_desc,last_chk\ncp1,DOWN,* L7TOUT,Layer7 timeout,\n":     "cp1 (Layer7 timeout)",
		"# svname,status,check_status,check_desc,last_chk\n\"cp1,DOWN,* L7TOUT,Layer7 timeout,\n\n": "it is no table",
		"No such proxy.\n": "no column",
		"":                 "it is no table",
	} {
		servers, err := readServers(in)
		if got := fmt.Sprint(judgeServers(servers).waiting, err); !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// TestJudgeVIP: done is only what is right; whatever else is seen has its words.
func TestJudgeVIP(t *testing.T) {
	vip := netip.MustParseAddr("10.0.0.10")
	off := Need("x to start")
	peer, twice, stranger := holder{"c2", "lb2"}, holder{"c9", "lb2"}, holder{"c7", ""}
	for name, c := range map[string]struct {
		v    vipView
		want string
	}{
		"mine":                  {vipView{unit: OK(), state: "MASTER", own: true}, "ok"},
		"the other's":           {vipView{unit: OK(), state: "BACKUP", holders: []holder{peer}}, "ok"},
		"by two cards of one":   {vipView{unit: OK(), state: "BACKUP", holders: []holder{peer, twice}}, "ok"},
		"before keepalived":     {vipView{unit: off}, "act x to start"},
		"the other has it":      {vipView{unit: off, holders: []holder{peer}}, "act x to start"},
		"left from a crash":     {vipView{unit: off, own: true}, "act x to start"},
		"a stranger has it":     {vipView{unit: off, holders: []holder{stranger}}, "wait 10.0.0.10 to be free: the card c7 has it, which is no balancer's of this cluster"},
		"and the other as well": {vipView{unit: off, holders: []holder{peer, stranger}}, "wait 10.0.0.10 to be free: the card c7 has it, which is no balancer's of this cluster"},
		"nobody":                {vipView{unit: OK(), state: "BACKUP"}, "wait a balancer to take 10.0.0.10"},
		"fault":                 {vipView{unit: OK(), state: "FAULT", fault: "no link", holders: []holder{peer}}, "wait keepalived to leave its state FAULT, in which it does not take 10.0.0.10: no link"},
		"two":                   {vipView{unit: OK(), state: "MASTER", own: true, holders: []holder{peer}}, "10.0.0.10 is held by lb1 and lb2 at the same time: they do not hear each other"},
		"a stranger comes":      {vipView{unit: OK(), state: "MASTER", own: true, holders: []holder{stranger}}, "the card c7 has 10.0.0.10, and is no balancer's of this cluster\nhint: give one of the two another address"},
	} {
		found, err := judgeVIP(vip, "lb1", c.v)
		if got := words(found, err); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// words is what observing a step came to.
func words(found Finding, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case found.done:
		return "ok"
	case found.act:
		return "act " + found.waiting
	}
	return "wait " + found.waiting
}

func TestStrangeRouters(t *testing.T) {
	ours := func(a netip.Addr) bool { return a == netip.MustParseAddr("10.0.0.31") }
	got := strangeRouters([]wire.Advert{
		{From: netip.MustParseAddr("10.0.0.31"), RouterID: 10}, {From: netip.MustParseAddr("10.0.0.77"), RouterID: 11}, {From: netip.MustParseAddr("10.0.0.78"), RouterID: 10},
	}, 10, ours)
	if len(got) != 1 || got[0].Name != "10.0.0.78" || !strings.Contains(got[0].Text, "router id, 10") {
		t.Errorf("%+v", got)
	}
}

// fakeWire is a segment with machines on it, by address. haproxy is on the same machine, and knows one server.
type fakeWire struct {
	own   netip.Addr
	cards map[netip.Addr][]string
	heard []wire.Advert
	asked []int
}

func (f *fakeWire) Has(a netip.Addr) (bool, error) { return a == f.own, nil }

func (f *fakeWire) Ask(_ context.Context, wanted []netip.Addr, times int) (map[netip.Addr][]string, error) {
	f.asked = append(f.asked, times)
	found := map[netip.Addr][]string{}
	for _, a := range wanted {
		found[a] = f.cards[a]
	}
	return found, nil
}

func (f *fakeWire) Adverts() ([]wire.Advert, error) { return f.heard, nil }

type fakeSockets string

func (f fakeSockets) Ask(context.Context, string, string) (string, error) {
	if f == "" {
		return "", errors.New("connection refused")
	}
	return "# svname,status,check_status,check_desc,last_chk\ncp1," + string(f) + "\n", nil
}

// TestBalancerForms: a balancer starts haproxy at once, and keepalived once no stranger has the VIP; both are done when they serve.
func TestBalancerForms(t *testing.T) {
	cfg := contract(t, node.Node{Name: "lb1", Roles: []node.Role{node.LB}}, node.Node{Name: "lb2", Roles: []node.Role{node.LB}},
		node.Node{Name: "cp1", Roles: []node.Role{node.Etcd, node.ControlPlane}})
	cfg.API = node.API{Mode: node.ModeDedicated, VIP: netip.MustParseAddr("10.0.0.10"), Host: "10.0.0.10", Port: 8443}
	w := newWorld(t, cfg)
	lb2 := netip.MustParseAddr("10.0.0.12")
	segment := &fakeWire{cards: map[netip.Addr][]string{cfg.API.VIP: {"stranger"}, lb2: {"c2"}}, heard: []wire.Advert{{From: netip.MustParseAddr("10.0.0.78"), RouterID: 10}}}
	w.segment, w.haproxy = segment, ""
	w.peers["cp1"] = peer.Attestation{Cluster: "demo", Epoch: 1}

	last := w.form(time.Minute)
	if _, runs := w.units[vipUnit]; runs || last.Step != "lb" || !strings.Contains(last.WaitingFor, "haproxy to answer") {
		t.Fatalf("keepalived runs: %v, %+v", runs, last)
	}
	if len(last.Notices) != 1 || last.Notices[0].Name != "10.0.0.78" {
		t.Errorf("notices %+v", last.Notices)
	}
	w.haproxy = "UP,L7OK,,"
	if last = w.form(time.Minute); last.Step != "vip" || !strings.Contains(last.WaitingFor, "card stranger has it") {
		t.Errorf("%+v", last)
	}
	segment.cards[cfg.API.VIP], segment.asked = []string{"c2"}, nil // the other balancer has taken it
	w.other = []string{"cp1"}
	w.form(time.Minute)
	if _, runs := w.units[vipUnit]; !runs || segment.asked[0] != askFirst || segment.asked[len(segment.asked)-1] != askLater {
		t.Errorf("keepalived runs: %v, asked %v", runs, segment.asked)
	}
	w.put("/run/slipway-keepalived/state", "FAULT\n")
	if last = w.form(time.Minute); stateOf(last, "lb") != status.Done || stateOf(last, "vip") != status.Waiting {
		t.Errorf("in FAULT: %+v", last)
	}
	w.put("/run/slipway-keepalived/state", "BACKUP\n")
	if last = w.form(time.Minute); stateOf(last, "vip") != status.Done {
		t.Errorf("as BACKUP: %+v", last)
	}
}

func stateOf(d status.Document, step string) status.State {
	for _, s := range d.Steps {
		if s.Name == step {
			return s.State
		}
	}
	return ""
}
