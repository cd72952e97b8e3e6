package cluster

import (
	"net/netip"
	"slices"

	"slipway/node"
)

// Has says whether the node has a role; every node has RoleAll.
func (n Node) Has(role Role) bool { return role == RoleAll || slices.Contains(n.Roles, role) }

// Prefix is the node's address with its prefix; the zero Prefix in a spec that was not checked.
func (n Node) Prefix() netip.Prefix {
	p, _ := netip.ParsePrefix(n.Address)
	return p
}

// Addr is the node's address alone.
func (n Node) Addr() netip.Addr { return n.Prefix().Addr() }

// NodesWith is the nodes of a role, in the order of the spec; RoleAll gives all.
func (s *Spec) NodesWith(role Role) []Node {
	var nodes []Node
	for _, n := range s.Nodes {
		if n.Has(role) {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// Node finds a node by name.
func (s *Spec) Node(name string) (Node, bool) {
	i := slices.IndexFunc(s.Nodes, func(n Node) bool { return n.Name == name })
	if i < 0 {
		return Node{}, false
	}
	return s.Nodes[i], true
}

// NodePodCIDR is node i's own slice of the pod network: the i-th /24, whatever its roles, so that a change of roles
// moves no pods. The zero Prefix: the pod network has no such slice.
func (s *Spec) NodePodCIDR(i int) netip.Prefix {
	pods, err := netip.ParsePrefix(s.Network.PodCIDR)
	if err != nil || !pods.Addr().Is4() || pods.Bits() > nodePodBits {
		return netip.Prefix{}
	}
	p := netip.PrefixFrom(addToAddr(pods.Masked().Addr(), i<<(32-nodePodBits)), nodePodBits)
	if !pods.Contains(p.Addr()) {
		return netip.Prefix{}
	}
	return p
}

// PodCIDRs is every node's slice of the pod network: what it had before, as far as that is in the network, else NodePodCIDR, and
// where that is another's by now, the first that is free. So a node that comes in between moves nobody's pods. Of two that had the same
// slice the first in the spec keeps it.
func (s *Spec) PodCIDRs(before map[string]netip.Prefix) map[string]netip.Prefix {
	pods, err := netip.ParsePrefix(s.Network.PodCIDR)
	if err != nil {
		return nil
	}
	given, taken := map[string]netip.Prefix{}, map[netip.Prefix]bool{}
	give := func(name string, p netip.Prefix) bool {
		if !p.IsValid() || p.Bits() != nodePodBits || !pods.Contains(p.Addr()) || taken[p] {
			return false
		}
		given[name], taken[p] = p, true
		return true
	}
	for _, n := range s.Nodes {
		give(n.Name, before[n.Name])
	}
	free := 0
	for i, n := range s.Nodes {
		if given[n.Name].IsValid() || give(n.Name, s.NodePodCIDR(i)) {
			continue
		}
		for p := s.NodePodCIDR(free); p.IsValid() && !give(n.Name, p); p = s.NodePodCIDR(free) {
			free++
		}
	}
	return given
}

// nodePodBits: every node's pods are a /24.
const nodePodBits = 24

// addToAddr counts n on from an IPv4 address; the zero Addr if that leads out of the address space.
func addToAddr(a netip.Addr, n int) netip.Addr {
	b := a.As4()
	sum := int64(b[0])<<24 | int64(b[1])<<16 | int64(b[2])<<8 | int64(b[3])
	if sum += int64(n); sum < 0 || sum > 1<<32-1 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
}

// serviceAddr is the n-th address of the service network.
func (s *Spec) serviceAddr(n int) netip.Addr {
	p, err := netip.ParsePrefix(s.Network.ServiceCIDR)
	if err != nil || !p.Addr().Is4() {
		return netip.Addr{}
	}
	return addToAddr(p.Masked().Addr(), n)
}

// APIServiceIP is the address of the service kubernetes.default: the first of the service network.
func (s *Spec) APIServiceIP() netip.Addr { return s.serviceAddr(1) }

// DNSServiceIP is the address of cluster DNS: the tenth of the service network.
func (s *Spec) DNSServiceIP() netip.Addr { return s.serviceAddr(10) }

// VIP is the API's virtual address, or the zero Addr.
func (s *Spec) VIP() netip.Addr {
	a, _ := netip.ParseAddr(s.Network.VIP)
	return a
}

// APIEndpoint is what clients outside the nodes use: the VIP, the only balancer, the external one, or the only control plane.
func (s *Spec) APIEndpoint() (host string, port int) {
	lb := s.Network.LoadBalancer
	switch lb.Mode {
	case node.ModeStacked, node.ModeDedicated:
		if only, ok := s.onlyBalancer(); ok {
			return only.Addr().String(), lb.Port
		}
		return s.Network.VIP, lb.Port
	case node.ModeExternal:
		return lb.Host, lb.Port
	}
	for _, n := range s.NodesWith(RoleControlPlane) {
		return n.Addr().String(), node.APIPort
	}
	return "", node.APIPort
}

// APIPortOf is where the cluster's API is on a node that has it: its balancer's port before that of its own API server.
func (s *Spec) APIPortOf(n Node) int {
	if slices.Contains(n.Roles, RoleLB) {
		return s.Network.LoadBalancer.Port
	}
	return node.APIPort
}

// onlyBalancer is the dedicated balancer that needs no VIP because there is no other.
func (s *Spec) onlyBalancer() (Node, bool) {
	balancers := s.NodesWith(RoleLB)
	if s.Network.LoadBalancer.Mode != node.ModeDedicated || s.Network.VIP != "" || len(balancers) != 1 {
		return Node{}, false
	}
	return balancers[0], true
}

// APIServerSANs is every name and address that an API server's certificate must carry, each list sorted and without
// repetition: services' names, control planes, VIP, balancer, loopback and the first service address.
func (s *Spec) APIServerSANs() (names []string, addrs []netip.Addr) {
	names = []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + s.Cluster.Domain, "localhost"}
	addrs = []netip.Addr{netip.MustParseAddr("127.0.0.1"), s.APIServiceIP()}
	for _, n := range s.NodesWith(RoleControlPlane) {
		names, addrs = append(names, n.Name), append(addrs, n.Addr())
	}
	if vip := s.VIP(); vip.IsValid() {
		addrs = append(addrs, vip)
	}
	if only, ok := s.onlyBalancer(); ok {
		addrs = append(addrs, only.Addr())
	}
	if host := s.Network.LoadBalancer.Host; host != "" {
		if a, err := netip.ParseAddr(host); err == nil {
			addrs = append(addrs, a)
		} else {
			names = append(names, host)
		}
	}
	slices.Sort(names)
	slices.SortFunc(addrs, netip.Addr.Compare)
	return slices.Compact(names), slices.Compact(addrs)
}
