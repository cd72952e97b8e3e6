package cluster

import (
	"net"
	"net/netip"
	"regexp"
	"slices"

	"slipway/node"
)

const addressHint = "an IPv4 address with its prefix, like 10.0.0.11/24"

func (s *Spec) validateNodes(d *document) {
	if len(s.Nodes) == 0 {
		d.fail(at("nodes"), "at least one with the roles etcd, control-plane and worker", "there are no nodes")
		return
	}
	names, addresses, macs := map[string]string{}, map[string]string{}, map[string]string{}
	for i, n := range s.Nodes {
		p := at("nodes", i)
		n.validate(d, p)
		d.taken(names, p.with("name"), "name", n.Name, n.Name)
		if a := n.Addr(); a.IsValid() {
			d.taken(addresses, p.with("address"), "address", a.String(), n.Name)
		}
		if mac, err := net.ParseMAC(n.Interface.MAC); err == nil {
			d.taken(macs, p.with("interface").with("mac"), "MAC address", mac.String(), n.Name)
		}
	}
}

// taken refuses what another node has already; owners remembers.
func (d *document) taken(owners map[string]string, p path, what, value, node string) {
	if owner, ok := owners[value]; ok {
		d.fail(p, "every node needs its own", "%s %s is already that of node %q", what, value, owner)
		return
	}
	owners[value] = node
}

func (n Node) validate(d *document, p path) {
	d.label(p.with("name"), n.Name)
	if n.Name == "localhost" {
		d.fail(p.with("name"), "give the node a name of its own", "no node can be called localhost")
	}
	if n.Name == node.OperatorName || n.Name == node.InventoryName {
		d.fail(p.with("name"), "give the node another name", "%s is the operator's own name, by which nodes know who may ask them", n.Name)
	}
	if len(n.Roles) == 0 {
		d.fail(p.with("roles"), allowed("", nodeRoles), "the node has no role")
	}
	for i, r := range n.Roles {
		at := p.with("roles").with(i)
		if !slices.Contains(nodeRoles, r) {
			d.fail(at, allowed(string(r), nodeRoles), "role %q does not exist", r)
		}
	}
	unique(d, p.with("roles"), n.Roles)
	n.validateAddress(d, p.with("address"))
	n.Interface.validate(d, p.with("interface"))
	for key, value := range n.Labels {
		at := p.with("labels").with(key)
		if why, hint := node.RefuseLabel(key); why != "" {
			d.failKey(at, hint, "%s", why)
		} else if why, hint := node.RefuseLabelValue(value); why != "" {
			d.fail(at, hint, "%s", why)
		}
	}
}

func (n Node) validateAddress(d *document, p path) {
	prefix, err := netip.ParsePrefix(n.Address)
	if err != nil || !prefix.Addr().Is4() {
		d.fail(p, addressHint, "%q is not an IPv4 address with its prefix", n.Address)
		return
	}
	if prefix.Bits() < 8 || prefix.Bits() > 30 || !isHost(prefix, prefix.Addr()) || !usable(prefix.Addr()) {
		d.fail(p, addressHint, "%q is not the address of a machine in its subnet", n.Address)
	}
}

// isHost: inside the subnet, and neither its own nor its broadcast address.
func isHost(subnet netip.Prefix, a netip.Addr) bool {
	first := subnet.Masked().Addr()
	return subnet.Contains(a) && a != first && a != addToAddr(first, 1<<(32-subnet.Bits())-1)
}

func usable(a netip.Addr) bool {
	return !a.IsLoopback() && !a.IsMulticast() && !a.IsUnspecified() && !a.IsLinkLocalUnicast()
}

var interfaceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$`)

func (i Interface) validate(d *document, p path) {
	if i.Name != "" && i.MAC != "" {
		d.fail(p, "keep one of name and mac", "the card is picked twice")
	}
	if i.Name != "" && !interfaceName.MatchString(i.Name) {
		d.fail(p.with("name"), "at most 15 letters, digits and - _ . like ens192", "%q is not the name of a network card", i.Name)
	}
	if i.MAC == "" {
		return
	}
	if mac, err := net.ParseMAC(i.MAC); err != nil || len(mac) != 6 || mac[0]&1 != 0 {
		d.fail(p.with("mac"), "six bytes in hex, not of a group, like 52:54:00:12:34:56", "%q is not the MAC address of a card", i.MAC)
	}
}

// validateRoles checks what only the nodes together can have.
func (s *Spec) validateRoles(d *document) {
	if len(s.Nodes) == 0 || s.hasUnknownRole() {
		return
	}
	if len(s.NodesWith(RoleControlPlane)) == 0 {
		d.fail(at("nodes", RoleControlPlane), "give one node the role control-plane", "no node has the role control-plane")
	}
	members := len(s.NodesWith(RoleEtcd))
	switch {
	case members == 0:
		d.fail(at("nodes", RoleEtcd), "give 1, 3 or 5 nodes the role etcd", "no node has the role etcd")
	case members%2 == 0:
		d.fail(at("nodes", RoleEtcd), "allowed: an odd number, 1, 3 or 5: an even one survives no more than one less", "%d nodes have the role etcd", members)
	}
	if len(s.NodesWith(RoleWorker)) == 0 {
		d.warn(at("nodes"), "give a node the role worker", "no node has the role worker: there is nowhere for pods, not even for cluster DNS")
	}
	s.validateLBNodes(d)
}

// hasUnknownRole: counting roles means little while one of them is misspelt.
func (s *Spec) hasUnknownRole() bool {
	return slices.ContainsFunc(s.Nodes, func(n Node) bool {
		return slices.ContainsFunc(n.Roles, func(r Role) bool { return !slices.Contains(nodeRoles, r) })
	})
}

func (s *Spec) validateLBNodes(d *document) {
	mode := s.Network.LoadBalancer.Mode
	if mode == node.ModeDedicated && len(s.NodesWith(RoleLB)) == 0 {
		d.fail(at("network", "loadBalancer", "mode"), "give one or two nodes the role lb, or use the mode stacked", "mode dedicated needs nodes of the role lb")
	}
	for i, n := range s.Nodes {
		at := at("nodes", i, "roles")
		switch {
		case !n.Has(RoleLB):
		case slices.ContainsFunc(n.Roles, func(r Role) bool { return r != RoleLB && r != RoleEtcd }):
			d.fail(at, "a node of role lb does nothing else, but to be an etcd member as well; for balancers on the control planes use loadBalancer.mode stacked", "node %q is lb and more", n.Name)
		case mode == node.ModeStacked && !n.Has(RoleEtcd):
			d.fail(at, "beside balancers on the control planes it is for a witness, with the roles lb and etcd; or set network.loadBalancer.mode to dedicated", "node %q has the role lb, but the load balancer mode is %q", n.Name, mode)
		case mode != node.ModeDedicated && mode != node.ModeStacked:
			d.fail(at, "set network.loadBalancer.mode to dedicated, or remove the node", "node %q has the role lb, but the load balancer mode is %q", n.Name, mode)
		}
	}
}
