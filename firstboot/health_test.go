package firstboot

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slipway/firstboot/inside"
	"slipway/node"
)

// askedRunner is a world with etcdctl.
type askedRunner struct {
	fakeRunner
	said map[string]string // by the beginning of what follows the options
}

func (r askedRunner) Run(ctx context.Context, name string, args ...string) (string, error) {
	return r.Feed(ctx, "", name, args...)
}

func (r askedRunner) Feed(ctx context.Context, input, name string, args ...string) (string, error) {
	if name != "etcdctl" {
		return r.fakeRunner.Feed(ctx, input, name, args...)
	}
	for words, out := range r.said {
		if strings.Contains(strings.Join(args, " "), words) {
			return out, nil
		}
	}
	return "", errors.New("running " + name + ": Error: context deadline exceeded")
}

const (
	leads   = `[{"Status":{"header":{"cluster_id":16182464580185855327,"member_id":31,"raft_term":2},"version":"3.6.11","dbSize":20480,"leader":31,"raftIndex":12,"raftTerm":2,"raftAppliedIndex":12}}]`
	learns  = `[{"Status":{"header":{"cluster_id":1,"member_id":31},"leader":30,"isLearner":true,"errors":["etcdserver: no leader"]}}]`
	members = `{"members":[{"ID":31,"name":"n1","clientURLs":["https://10.0.0.11:2379"]},{"ID":32,"isLearner":true}]}`
)

// TestHealth: the parts of a node that serves, and what they say when they do not.
func TestHealth(t *testing.T) {
	w := newWorld(t, single(t))
	w.form(5 * time.Minute)
	n := w.node
	n.Run = askedRunner{fakeRunner{w}, map[string]string{"endpoint status": leads, "member list": members}}
	ca := newCA(t)
	w.put(node.PKIDir+"/ca.crt", string(pemBlock("CERTIFICATE", ca.cert.Raw)))
	w.put(node.PKIDir+"/apiserver.crt", string(pemBlock("CERTIFICATE", ca.issueUntil(t, "x", time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC)).Leaf.Raw)))
	w.put(node.PKIDir+"/kubelet-client.crt", string(pemBlock("CERTIFICATE", ca.issueUntil(t, "x", time.Date(2099, 1, 2, 0, 0, 0, 0, time.UTC)).Leaf.Raw)))
	w.put("/var/lib/kubelet/pki/kubelet-client-current.pem", string(pemBlock("CERTIFICATE", ca.issue(t, "x").Leaf.Raw))+string(pemBlock("EC PRIVATE KEY", []byte("x"))))

	h := n.health(t.Context())
	if e := h.Etcd; !e.Healthy || e.Role != inside.Leader || e.ID != "1f" || e.Cluster == "" || e.DBSize != 20480 || e.Index != 12 || len(e.Members) != 2 || !e.Members[1].Started || !e.Members[0].Learner {
		t.Errorf("%+v", e)
	}
	if !h.API.Ready || h.VIP != nil {
		t.Errorf("%+v, %+v", h.API, h.VIP)
	}
	if c := h.Certificates; len(c) != 5 || c[0].Name != "apiserver" || c[0].Ends.Day() != 2 || c[0].Renewal != inside.ByNewConfig || c[3].Name != "kubelet-server-current" || c[3].Renewal != inside.ByKubelet || c[4].Name != "kubelet-client" || c[4].Renewal != inside.BySlipwayd {
		t.Errorf("%+v", c)
	}
	if text, err := n.readyz(t.Context()); err != nil || text != "ok\n" {
		t.Errorf("%q, %v", text, err)
	}

	n.Run = askedRunner{fakeRunner{w}, map[string]string{"endpoint status": learns}}
	w.put(node.PKIDir+"/apiserver.crt", "x")
	delete(w.units, "kube-apiserver.service")
	w.now = w.now.Add(etcdFresh)
	h = n.health(t.Context())
	if e := h.Etcd; e.Role != inside.Learner || len(e.Errors) != 1 || e.Members != nil {
		t.Errorf("%+v", e)
	}
	if h.API.Ready || !strings.Contains(h.API.Trouble, "connection refused") || h.Certificates[0].Name != "apiserver" || !strings.Contains(h.Certificates[0].Trouble, "no certificate can be read in it") {
		t.Errorf("%+v, %+v", h.API, h.Certificates[0])
	}

	n.Run = askedRunner{fakeRunner{w}, nil}
	if e := n.etcdState(t.Context()); e.Healthy || e.Trouble != "etcdctl endpoint status at https://127.0.0.1:2379: context deadline exceeded" {
		t.Errorf("%+v", e)
	}
	delete(w.units, "etcd.service")
	w.now = w.now.Add(sameMoment)
	if e := n.etcdState(t.Context()); e.Healthy || e.Trouble != "etcd.service is inactive" {
		t.Errorf("%+v", e)
	}
}

// countedRunner counts how often a program was started.
type countedRunner struct {
	Runner
	starts  *atomic.Int32
	program string
}

func (r countedRunner) Run(ctx context.Context, name string, args ...string) (string, error) {
	return r.Feed(ctx, "", name, args...)
}

func (r countedRunner) Feed(ctx context.Context, input, name string, args ...string) (string, error) {
	if name == r.program {
		r.starts.Add(1)
	}
	return r.Runner.Feed(ctx, input, name, args...)
}

// TestHealthShared: however many ask, etcdctl starts twice in 5 s. What somebody who hung up broke off is told to nobody else.
func TestHealthShared(t *testing.T) {
	w := newWorld(t, single(t))
	w.form(5 * time.Minute)
	n := w.node
	var starts atomic.Int32
	n.Run = countedRunner{askedRunner{fakeRunner{w}, map[string]string{"endpoint status": leads, "member list": members}}, &starts, "etcdctl"}
	ask := func(ctx context.Context) {
		var wait sync.WaitGroup
		for range 20 {
			wait.Go(func() {
				if e := n.recentEtcd(ctx); !e.Healthy || len(e.Members) != 2 {
					t.Errorf("%+v", e)
				}
			})
		}
		wait.Wait()
	}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	n.recentEtcd(gone)
	for _, want := range []int32{4, 4, 6} { // with the two of who hung up
		ask(t.Context())
		if got := starts.Load(); got != want {
			t.Errorf("etcdctl was started %d times, want %d", got, want)
		}
		w.now = w.now.Add(etcdFresh * 3 / 5)
	}
}

// TestVIPState: held if one of the node's cards has the address.
func TestVIPState(t *testing.T) {
	vip := netip.MustParseAddr("10.0.0.10")
	for own, want := range map[netip.Addr]bool{netip.MustParseAddr("10.0.0.11"): false, vip: true} {
		w := newWorld(t, single(t))
		w.segment = &fakeWire{own: own}
		w.start()
		w.node.cfg.API.VIP = vip
		if v := w.node.vipState(); v.Held != want || v.Address != "10.0.0.10" || v.Trouble != "" {
			t.Errorf("%s: %+v", own, v)
		}
	}
}
