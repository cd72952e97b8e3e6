package qemu

import (
	"net/netip"

	"slipway/cluster"
)

// FromSpec takes from a complete spec (defaults filled in) what QEMU has to know.
func FromSpec(spec *cluster.Spec) (Lab, error) {
	lab := Lab{Cluster: spec.Cluster.Name, ID: spec.Cluster.ID, DiskSize: int64(spec.Image.Size)}
	if lab.ID == "" {
		lab.ID = lab.Cluster
	}
	for _, n := range spec.Nodes {
		prefix, err := netip.ParsePrefix(n.Address)
		if err != nil {
			return Lab{}, inputf("planning the network: address of node %q: %w", n.Name, err)
		}
		if lab.Subnet.IsValid() && lab.Subnet != prefix.Masked() {
			return Lab{}, errSubnets(lab.Subnet, prefix.Masked())
		}
		lab.Subnet = prefix.Masked()
		lab.Machines = append(lab.Machines, Machine{Name: n.Name, Address: prefix.Addr(), MAC: n.Interface.MAC, APIPort: spec.APIPortOf(n)})
	}
	if !lab.Subnet.Addr().Is4() || lab.Subnet.Bits() > 28 {
		return Lab{}, errSubnetSmall(lab.Subnet)
	}
	return lab.withServers(spec.Network)
}

// withServers chooses the two addresses at which QEMU itself answers: the spec's gateway, and the spec's DNS server
// if that lies in the nodes' network; else the first ones that nobody has.
func (l Lab) withServers(net cluster.Network) (Lab, error) {
	taken := map[netip.Addr]bool{}
	for _, m := range l.Machines {
		taken[m.Address] = true
	}
	if vip, err := netip.ParseAddr(net.VIP); err == nil {
		taken[vip] = true
	}
	free := func(a netip.Addr) bool { return !taken[a] }
	if net.Gateway != "" {
		gw, err := netip.ParseAddr(net.Gateway)
		if err != nil {
			return Lab{}, inputf("planning the network: gateway: %w", err)
		}
		if !l.Subnet.Contains(gw) {
			return Lab{}, errGatewayOutside(gw, l.Subnet)
		}
		l.Gateway = gw
	} else {
		l.Gateway, _ = freeAddress(l.Subnet, free) // a /28 has room, or the spec would not be valid
	}
	taken[l.Gateway] = true
	l.DNS, _ = freeAddress(l.Subnet, free)
	for _, s := range net.DNS {
		if a, err := netip.ParseAddr(s); err == nil && l.Subnet.Contains(a) && free(a) {
			l.DNS = a
			break
		}
	}
	return l, nil
}
