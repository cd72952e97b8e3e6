package firstboot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"slipway/node"
)

// observeMember is done when the member is part of a quorum, the journal has it, and a restart of the unit could not form
// anything any more.
func (n *machine) observeMember(ctx context.Context) (Finding, error) {
	found, err := n.lookAt(ctx, etcdUnit)
	if err != nil {
		return Finding{}, err
	}
	if !found.done {
		return Wait("etcd to reach its quorum" + n.absent()), nil
	}
	if n.journal.Get().Joining != "" {
		return NeedAgain("the other members to give this one its vote, once it has the data", n.promote), nil
	}
	if err := n.etcdHealth(ctx); err != nil {
		return Finding{}, errors.Join(err, n.sharedAddress(ctx))
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

// absent names the other members that are not there, and why, as they were last met.
func (n *machine) absent() string {
	var names []string
	for _, v := range n.met.list(n.others()) {
		switch {
		case v.Attestation == nil:
			names = append(names, fmt.Sprintf("%s (%v)", v.Name, v.Err))
		case !v.Attestation.HasStarted():
			names = append(names, v.Name+" (its etcd has not started)")
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ": missing " + list(names)
}

// settle makes what a healthy member has reached last: the journal knows of it before anything else builds on it.
func (n *machine) settle(context.Context) error {
	if err := n.recordFormed(); err != nil {
		return err
	}
	return n.writeEnv("existing")
}

// etcdHealth asks the member over TLS with a client certificate. The answer is healthy only with a quorum: it is a
// read through the log (etcd, server/etcdserver/api/etcdhttp/health.go).
func (n *machine) etcdHealth(ctx context.Context) error {
	c, err := n.client(Identity{Cert: node.CertEtcdCli, CA: node.CAEtcd}, node.EtcdHealth)
	if err != nil {
		return err
	}
	text, err := c.Said(ctx, "/health") // 503 has a reason in it
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
