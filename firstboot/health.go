package firstboot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway/firstboot/etcd"
	"slipway/firstboot/inside"
	"slipway/firstboot/status"
	"slipway/node"
)

// healthLimit bounds each look at one part of the node: all of them have to fit into an exchange of the peer API.
const healthLimit = 3 * time.Second

// etcdFresh is how long what the own member said is told again: asking starts etcdctl twice, and a dashboard asks every 2 s.
const etcdFresh = 5 * time.Second

// memberLook is what the own member said last. Who asks meanwhile waits for the same answer.
type memberLook struct {
	mu   sync.Mutex
	at   time.Time
	said *inside.Etcd
}

// inspector is the way into this node for the operator.
func (n *machine) inspector(latest func() status.Document) *inside.Node {
	look := &inside.Node{Files: n.FS, Run: n.Run, Streams: n.Streams, Now: n.Clock.Now, Status: latest, Probe: n.health}
	for _, u := range n.out.Units {
		look.Units = append(look.Units, u.Name)
	}
	if n.self.Has(node.ControlPlane) {
		look.Ready = n.readyz
	}
	return look
}

// health looks at all parts at once. It tells what is so now, but for etcd; the steps' findings may be older.
func (n *machine) health(ctx context.Context) inside.Health {
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	var h inside.Health
	var wait sync.WaitGroup
	if n.self.Has(node.Etcd) {
		wait.Go(func() { h.Etcd = n.recentEtcd(ctx) })
	}
	if n.self.Has(node.ControlPlane) {
		wait.Go(func() { h.API = n.apiState(ctx) })
	}
	if n.renders(vipUnit) {
		wait.Go(func() { h.VIP = n.vipState() })
	}
	h.Certificates = n.certificates()
	wait.Wait()
	return h
}

// recentEtcd is the member's state, some seconds old at most, however many ask. Whoever hangs up leaves nothing behind for others.
func (n *machine) recentEtcd(ctx context.Context) *inside.Etcd {
	l := &n.member
	l.mu.Lock()
	defer l.mu.Unlock()
	if age := n.Clock.Now().Sub(l.at); l.said != nil && age >= 0 && age < etcdFresh {
		return l.said
	}
	said := n.etcdState(ctx)
	if !errors.Is(ctx.Err(), context.Canceled) {
		l.at, l.said = n.Clock.Now(), said
	}
	return said
}

// etcdState asks the node's own member. One whose unit does not run is not asked: it would cost the whole of the time.
func (n *machine) etcdState(ctx context.Context) *inside.Etcd {
	u, err := n.unit(ctx, etcdUnit)
	if err != nil {
		return &inside.Etcd{Trouble: err.Error()}
	}
	if u.active != "active" && u.active != "activating" {
		return &inside.Etcd{Trouble: fmt.Sprintf("%s is %s", etcdUnit, cmp.Or(u.active, u.load))}
	}
	own := fmt.Sprintf("https://127.0.0.1:%d", node.EtcdClient)
	s, err := n.etcdctl().State(ctx, own)
	if err != nil {
		return &inside.Etcd{Trouble: err.Error()}
	}
	e := &inside.Etcd{
		ID: etcd.Hex(s.Member), Cluster: etcd.Hex(s.Cluster), Role: etcdRole(s), Version: s.Version,
		DBSize: s.DBSize, Index: s.RaftIndex, Term: s.RaftTerm, Errors: s.Errors,
	}
	if err := n.etcdHealth(ctx); err != nil {
		e.Trouble = err.Error()
	}
	e.Healthy = e.Trouble == ""
	if members, err := n.etcdctl().Remembered(ctx, own); err == nil {
		e.Members = listed(members)
	}
	return e
}

func etcdRole(s etcd.State) inside.EtcdRole {
	switch {
	case s.Learner:
		return inside.Learner
	case s.Leader == s.Member:
		return inside.Leader
	}
	return inside.Voter
}

// listed are etcd's members, sorted by name.
func listed(members []etcd.Member) []inside.Member {
	var all []inside.Member
	for _, m := range members {
		all = append(all, inside.Member{ID: etcd.Hex(m.ID), Name: m.Name, Learner: m.IsLearner, Started: m.Started()})
	}
	slices.SortFunc(all, func(a, b inside.Member) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return all
}

func (n *machine) apiState(ctx context.Context) *inside.API {
	c, err := n.api()
	if err == nil {
		_, err = c.Text(ctx, "/readyz")
	}
	if err != nil {
		return &inside.API{Trouble: err.Error()}
	}
	return &inside.API{Ready: true}
}

// readyz is what the node's own API server says of each of its checks, ready or not.
func (n *machine) readyz(ctx context.Context) (string, error) {
	c, err := n.api()
	if err != nil {
		return "", err
	}
	return c.Said(ctx, "/readyz?verbose")
}

// vipState looks whether the API's address is on one of the node's cards.
func (n *machine) vipState() *inside.VIP {
	v := &inside.VIP{Address: n.cfg.API.VIP.String()}
	var err error
	if v.Held, err = n.Wire.Has(n.cfg.API.VIP); err != nil {
		v.Trouble = err.Error()
	}
	return v
}

// certificates are those that the node has, and those that the kubelet renews by itself, the first to end first.
func (n *machine) certificates() []inside.Certificate {
	var all []inside.Certificate
	for pattern, by := range map[string]func(name string) inside.Renewal{
		node.PKIDir + "/*.crt":                     n.renewal,
		path.Dir(kubeletClient) + "/*-current.pem": func(string) inside.Renewal { return inside.ByKubelet },
	} {
		found, _ := n.FS.Glob(pattern)
		for _, f := range found {
			c := inside.Certificate{Name: strings.TrimSuffix(path.Base(f), path.Ext(f))}
			c.Renewal = by(c.Name)
			if cert, err := certificateIn(n.FS, f); err != nil {
				c.Trouble = err.Error()
			} else {
				c.Begins, c.Ends = cert.NotBefore.UTC(), cert.NotAfter.UTC()
			}
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b inside.Certificate) int { return cmp.Or(a.Ends.Compare(b.Ends), cmp.Compare(a.Name, b.Name)) })
	return all
}

// renewal says who renews one of the config's certificates.
func (n *machine) renewal(name string) inside.Renewal {
	switch {
	case name == node.CertPeer:
		return inside.NotNeeded
	case slices.ContainsFunc(n.clients(), func(c node.ClientCertificate) bool { return c.Name == name }):
		return inside.BySlipwayd
	}
	return inside.ByNewConfig
}
