package firstboot

import (
	"context"

	"slipway/node"
)

// observeFormed is for nodes without a member: done once this node has seen an API server serve, through the loopback
// balancer that every node has. Until then it has no right to tell others that the cluster formed.
func (n *machine) observeFormed(ctx context.Context) (Finding, error) {
	if n.journal.Get().FormedAs(n.cfg.EtcdToken()) {
		return OK(), nil
	}
	c, err := n.client(Identity{CA: node.CACluster}, node.LocalAPIPort)
	if err != nil {
		return Finding{}, err
	}
	if _, err := c.Text(ctx, "/readyz"); err != nil {
		return unwell("an API server", err), nil
	}
	return Need("the journal to know that the cluster formed"), nil
}

func (n *machine) actFormed(context.Context) error { return n.recordFormed() }
