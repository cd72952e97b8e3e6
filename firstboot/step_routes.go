package firstboot

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"slipway/node"
)

// routeProtocol marks slipwayd's own routes in the kernel (rtnetlink(7), rtm_protocol; nobody has it in iproute2's rt_protos). It
// changes and removes no others.
const routeProtocol = "76"

// route is one to a node's pods.
type route struct {
	Gateway string `json:"gateway"`
	Own     bool   `json:"own"`
}

// observeNodes is done when this node is known to a control plane, knows the other nodes, and has routes to their pods. Control
// planes need those as well: the API server calls webhooks.
func (n *machine) observeNodes(ctx context.Context) (Finding, error) {
	unknown := n.lookAround(ctx)
	changes, err := n.routeChanges(ctx)
	if err != nil {
		return Finding{}, err
	}
	if len(changes) > 0 {
		return NeedTo("routes to the pods of other nodes", func(ctx context.Context) error { return n.setRoutes(ctx, changes) }), nil
	}
	switch {
	case unknown != nil:
		return Wait("a control plane to say which nodes there are: " + unknown.Error()), nil
	case n.self.Has(node.ControlPlane) && !n.entries.allRead(): // it goes by what it knew before until then
		return Wait("the cluster to say which nodes there are"), nil
	}
	return OK(), nil
}

func (n *machine) setRoutes(ctx context.Context, changes []string) error {
	if _, err := n.Run.Feed(ctx, strings.Join(changes, "\n")+"\n", "ip", "-4", "-force", "-batch", "-"); err != nil {
		return fmt.Errorf("setting routes: %w", err)
	}
	return nil
}

// routeChanges are the commands, for ip -batch, that lead from the routes that there are to those that there should be.
func (n *machine) routeChanges(ctx context.Context) ([]string, error) {
	if !n.cfg.RoutesPods(n.self) || n.around.list.Tag == "" { // who knows of nobody takes no routes away
		return nil, nil
	}
	out, err := n.Run.Run(ctx, "ip", "-j", "-4", "route", "show")
	if err != nil {
		return nil, fmt.Errorf("looking at routes: %w", err)
	}
	have, err := parseRoutes(out)
	if err != nil {
		return nil, err
	}
	return changeRoutes(have, n.wantedRoutes()), nil
}

// wantedRoutes lead to the pods of every other node in this one's subnet. A node in another subnet is left to the routers between
// them, which alone can know the way.
func (n *machine) wantedRoutes() map[netip.Prefix]string {
	want := map[netip.Prefix]string{}
	for _, o := range n.around.all {
		if o.Name != n.self.Name && n.self.Address.Contains(o.Address) && n.cfg.Network.PodCIDR.Contains(o.Pods.Addr()) {
			want[o.Pods] = o.Address.String()
		}
	}
	return want
}

// parseRoutes reads what ip -j route show prints. Of two routes to one network it takes the own.
func parseRoutes(out string) (map[netip.Prefix]route, error) {
	var list []struct{ Dst, Gateway, Protocol string }
	if strings.TrimSpace(out) != "" {
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			return nil, fmt.Errorf("reading routes: %w", err)
		}
	}
	have := map[netip.Prefix]route{}
	for _, r := range list {
		dst, err := netip.ParsePrefix(r.Dst)
		if err != nil { // "default", or one host
			continue
		}
		if old, known := have[dst]; !known || !old.Own {
			have[dst] = route{r.Gateway, r.Protocol == routeProtocol}
		}
	}
	return have, nil
}

// changeRoutes leaves alone whatever leads where it should, whoever set it.
func changeRoutes(have map[netip.Prefix]route, want map[netip.Prefix]string) []string {
	var changes []string
	for _, dst := range slices.SortedFunc(maps.Keys(have), netip.Prefix.Compare) {
		if r := have[dst]; r.Own && want[dst] != r.Gateway {
			changes = append(changes, fmt.Sprintf("route del %s via %s proto %s", dst, r.Gateway, routeProtocol))
		}
	}
	for _, dst := range slices.SortedFunc(maps.Keys(want), netip.Prefix.Compare) {
		if have[dst].Gateway != want[dst] {
			changes = append(changes, fmt.Sprintf("route add %s via %s proto %s", dst, want[dst], routeProtocol))
		}
	}
	return changes
}
