package role

import (
	"time"

	"slipway/node"
)

// balancing is what the configurations of both balancers have in common.
type balancing struct {
	Servers      []node.Node
	Port         int
	CA           string
	Checked      bool // the servers' health is asked for
	Cut          bool // the sessions of a dead server are cut
	CheckTimeout time.Duration
}

// Balancer gives the parts that both balancers' configurations share, of the one on a balancer and of the one on every node's
// loopback: haproxy's defaults, and its backends of all API servers, api-servers and, if those are checked, any-api-server.
func (n *Node) Balancer(checked bool) (defaults, backends string, err error) {
	b := balancing{
		Servers: n.With(node.ControlPlane), Port: node.APIPort, CA: n.Crt(node.CACluster),
		Checked: checked, CheckTimeout: n.Tuning.CheckTimeout(),
	}
	b.Cut = len(b.Servers) > 1
	d, err := execute(shared, "balancer-defaults.tmpl", b)
	if err != nil {
		return "", "", err
	}
	s, err := execute(shared, "api-servers.tmpl", b)
	return string(d), string(s), err
}
