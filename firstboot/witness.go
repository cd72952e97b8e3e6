package firstboot

import (
	"slices"

	"slipway/firstboot/journal"
	"slipway/firstboot/peer"
	"slipway/node"
)

// Every node is a witness: it remembers which instances of the etcd nodes have started a member, and that the cluster has
// formed, whoever it has that from, and tells it in every exchange. What a node forgets when it is wiped comes back to it
// from any other that still stands.

// testimony is what this node tells.
func (n *machine) testimony() peer.Testimony {
	return testify(n.journal.Get(), n.cfg.EtcdToken(), n.instance)
}

// testify is what an instance with this journal tells of the cluster of a token.
func testify(j journal.Journal, token, instance string) peer.Testimony {
	m := j.MemoryOf(token)
	return peer.Testimony{Instance: instance, Started: m.Started, Formed: j.FormedAs(token) || m.FormedBy != ""}
}

// learn journals what another node of this cluster and epoch tells. What is no news costs no write.
func (n *machine) learn(from string, t peer.Testimony) error {
	heed := func(j *journal.Journal) bool { return heed(j, n.cfg.EtcdToken(), n.cfg.WithRole(node.Etcd), from, t) }
	if now := n.journal.Get(); !heed(&now) {
		return nil
	}
	return n.journal.Update(func(j *journal.Journal) { heed(j) })
}

// heed takes a testimony about the cluster of a token into a journal, and says whether there was news in it. Nodes that
// are no etcd nodes here are left out: another config may have others.
func heed(j *journal.Journal, token string, members []node.Node, from string, t peer.Testimony) bool {
	j.Memory = j.MemoryOf(token)
	news := false
	for _, member := range members {
		for _, instance := range t.Started[member.Name] {
			news = j.Memory.AddStarted(member.Name, instance) || news
		}
	}
	if t.Formed {
		news = j.Memory.AddFormed(from) || news
	}
	return news
}

// hear answers a caller, and knows what it told from then on.
func (n *machine) hear(c peer.Caller, t peer.Testimony) (peer.Attestation, error) {
	var twin *peer.Twin
	if !c.Operator && t.Instance != "" {
		if err := n.learn(c.Name, t); err != nil {
			return peer.Attestation{}, err
		}
		twin = n.callers.note(c, t.Instance, n.Clock.Now())
	}
	data, err := n.hasData()
	a := attest(n.journal.Get(), n.cfg, n.instance)
	a.HasData, a.Twin = data, twin
	return a, err
}

// attest is what an instance of a config's node attests by its journal.
func attest(j journal.Journal, cfg *node.Config, instance string) peer.Attestation {
	token := cfg.EtcdToken()
	a := peer.Attestation{Node: cfg.Node, Cluster: cfg.Cluster.ID, Epoch: cfg.Cluster.Epoch, Testimony: testify(j, token, instance)}
	forgot := j.LostAs(token) || former(instance, j.StartedAs(token), a.Started[cfg.Node]) != ""
	a.Unsure = forgot && !a.Formed
	return a
}

// former finds, among the instances of a node that are known to have started a member, one that the node does not account
// for: then it was wiped. Its own counts if its journal knows nothing of a start: the machine was put back to an earlier
// state. It is empty for a node that was not wiped.
func former(instance string, started bool, known []string) string {
	i := slices.IndexFunc(known, func(k string) bool { return k != instance || !started })
	if i < 0 {
		return ""
	}
	return known[i]
}
