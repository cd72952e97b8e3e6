package firstboot

import (
	"context"
	"fmt"

	"slipway/roles/lb"
)

const (
	lbUnit  = "slipway-lb.service"
	vipUnit = "slipway-keepalived.service"
)

// balancerSteps are for nodes that answer for the API's address. Nothing that formation needs may come after them: they are done when it is.
func (n *machine) balancerSteps() []Step {
	var steps []Step
	if n.renders(lbUnit) {
		steps = append(steps, Step{Name: "lb", After: []string{"files"}, Observe: n.observeLB, Act: n.startUnit(lbUnit)})
	}
	if n.renders(vipUnit) {
		steps = append(steps, Step{Name: "vip", After: []string{"files"}, Observe: n.observeVIP, Act: n.startUnit(vipUnit)})
	}
	return steps
}

// observeLB is done when the balancer has an API server that is ready.
func (n *machine) observeLB(ctx context.Context) (Finding, error) {
	found, err := n.lookAt(ctx, lbUnit)
	if err != nil || !found.done {
		return found, err
	}
	table, err := n.Sockets.Ask(ctx, lb.AdminSocket, "show stat api-servers 4 -1")
	if err != nil {
		return Wait(fmt.Sprintf("haproxy to answer: %v", err)), nil
	}
	servers, err := readServers(table)
	if err != nil {
		return Finding{}, err
	}
	return judgeServers(servers), nil
}
