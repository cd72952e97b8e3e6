package firstboot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"slipway/firstboot/journal"
	"slipway/firstboot/peer"
	"slipway/node"
)

const (
	etcdUnit = "etcd.service"
	etcdEnv  = runDir + "/etcd.env"
)

// attester asks another node for its attestation.
type attester interface {
	Attest(ctx context.Context, n node.Node) (peer.Attestation, error)
}

// observeEtcd is done when the member is part of a quorum, the journal has it, and a restart of the unit could not form
// anything any more. A member that does not run yet is decided upon here, so that a verdict to wait is a finding.
func (n *machine) observeEtcd(ctx context.Context) (Finding, error) {
	found, err := n.lookAt(ctx, etcdUnit)
	if err != nil {
		return Finding{}, err
	}
	if found.act {
		return n.decideEtcd(ctx)
	}
	if !found.done {
		return Wait("etcd to reach its quorum"), nil
	}
	if err := n.etcdHealth(ctx); err != nil {
		return Finding{}, err
	}
	settled, err := n.matches(etcdEnv, n.envFor("existing"), 0o644)
	if err != nil {
		return Finding{}, err
	}
	if !settled || !n.journal.Get().FormedAs(n.cfg.EtcdToken()) {
		return Need("the journal to know that the cluster formed"), nil
	}
	n.notePeers(nil) // from here on it is etcd's own business who answers
	return OK(), nil
}

// decideEtcd asks the peers and applies the rules.
func (n *machine) decideEtcd(ctx context.Context) (Finding, error) {
	w, err := n.world(ctx)
	if err != nil {
		return Finding{}, err
	}
	n.etcd = decide(w)
	switch n.etcd.Start {
	case startNew, startRestart:
		return Need("etcd to start"), nil
	case startWait:
		return Wait(n.etcd.Reason), nil
	case startJoin:
		return Finding{}, fmt.Errorf("cluster already formed (%s): waiting for member replacement, which this version cannot do\nhint: restore this node's disk, or form a new cluster by a higher cluster.epoch on every node", n.etcd.Reason)
	}
	return Finding{}, errors.New(n.etcd.Reason)
}

// world observes what decide needs. Peers are asked at the same time.
func (n *machine) world(ctx context.Context) (world, error) {
	data, err := n.hasData()
	if err != nil {
		return world{}, fmt.Errorf("looking for etcd data: %w", err)
	}
	j := n.journal.Get()
	w := world{
		Cluster: n.cfg.Cluster.ID, Epoch: n.cfg.Cluster.Epoch, Token: n.cfg.EtcdToken(),
		HasData: data, Journal: j.Token, Formed: j.Formed, Lost: j.LostAs(n.cfg.EtcdToken()),
	}
	if data {
		return w, nil
	}
	for _, p := range n.cfg.WithRole(node.Etcd) {
		if p.Name != n.self.Name {
			w.Peers = append(w.Peers, view{Name: p.Name})
		}
	}
	var wait sync.WaitGroup
	for i := range w.Peers {
		wait.Go(func() { n.ask(ctx, &w.Peers[i]) })
	}
	wait.Wait()
	n.notePeers(w.Peers)
	return w, nil
}

// notePeers puts the peers that could not be asked on the board, also when there are enough without them.
func (n *machine) notePeers(peers []view) {
	trouble := map[string]string{}
	for _, p := range peers {
		if p.Err != nil {
			trouble[p.Name] = p.Err.Error()
		}
	}
	n.notices.Replace("peer", trouble)
}

func (n *machine) ask(ctx context.Context, v *view) {
	ctx, cancel := context.WithTimeout(ctx, peer.Timeout)
	defer cancel()
	p, _ := n.cfg.Lookup(v.Name)
	a, err := n.peers.Attest(ctx, p)
	if err != nil {
		v.Err = err
		return
	}
	v.Attestation = &a
}

// actEtcd carries the last verdict out, or settles a member that has become healthy. The journal knows of the start
// before there can be data, and of the formation before anything else builds on it.
func (n *machine) actEtcd(ctx context.Context) error {
	u, err := n.unit(ctx, etcdUnit)
	if err != nil {
		return err
	}
	if u.active == "active" {
		if err := n.recordFormed(); err != nil {
			return err
		}
		return n.writeEnv("existing")
	}
	state := map[start]string{startNew: "new", startRestart: "existing"}[n.etcd.Start]
	if state == "" {
		return fmt.Errorf("starting etcd: the decision is to %s: %s", n.etcd.Start, n.etcd.Reason)
	}
	if err := n.recordStart(); err != nil {
		return err
	}
	if err := n.writeEnv(state); err != nil {
		return err
	}
	return n.startUnit(etcdUnit)(ctx)
}

// recordStart binds the journal to this cluster and keeps how the member came to it. What the journal said of another
// cluster is over.
func (n *machine) recordStart() error {
	token, verdict := n.cfg.EtcdToken(), string(n.etcd.Start)
	if j := n.journal.Get(); j.Token == token && j.Started != "" {
		return nil
	}
	return n.journal.Update(func(j *journal.Journal) {
		if j.Token != "" && j.Token != token {
			*j = journal.Journal{Version: j.Version}
		}
		j.Token, j.Started = token, verdict
	})
}

func (n *machine) envFor(state string) []byte {
	return fmt.Appendf(nil, "ETCD_INITIAL_CLUSTER_STATE=%s\nETCD_INITIAL_CLUSTER_TOKEN=%s\n", state, n.cfg.EtcdToken())
}

func (n *machine) writeEnv(state string) error {
	if err := n.write(etcdEnv, n.envFor(state), 0o644); err != nil {
		return fmt.Errorf("writing etcd's environment: %w", err)
	}
	return nil
}

// etcdHealth asks the member over TLS with a client certificate. The answer is healthy only with a quorum: it is a
// read through the log (etcd, server/etcdserver/api/etcdhttp/health.go).
func (n *machine) etcdHealth(ctx context.Context) error {
	c, err := n.client(Identity{Cert: node.CertEtcdCli, CA: node.CAEtcd}, node.EtcdClient)
	if err != nil {
		return err
	}
	text, err := c.Text(ctx, "/health")
	if err != nil {
		return fmt.Errorf("asking etcd for its health: %w", err)
	}
	var answer struct{ Health, Reason string }
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return fmt.Errorf("asking etcd for its health: %w", err)
	}
	if answer.Health != "true" {
		return fmt.Errorf("etcd is not healthy: %s", answer.Reason)
	}
	return nil
}
