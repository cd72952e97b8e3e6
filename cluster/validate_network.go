package cluster

import (
	"fmt"
	"net/netip"
	"slices"

	"slipway/node"
)

func (n Network) validate(d *document) {
	p := at("network")
	oneOf(d, p.with("cni"), n.CNI, node.CNIs)
	if flannel := p.with("flannel"); n.CNI == node.CNIFlannel {
		oneOf(d, flannel.with("backend"), n.Flannel.Backend, node.Backends)
	} else if d.has(flannel) {
		d.failKey(flannel, "remove it, or use cni: flannel", "flannel is only for the pod network flannel")
	}
	proxy := p.with("proxy")
	oneOf(d, proxy.with("mode"), n.Proxy.Mode, node.ProxyModes)
	if n.Proxy.Mode != node.ProxyIPVS {
		for _, key := range []string{"scheduler", "strictARP"} {
			if d.has(proxy.with(key)) {
				d.failKey(proxy.with(key), "remove it, or use the mode ipvs", "%s is only for the proxy mode ipvs", key)
			}
		}
	} else {
		oneOf(d, proxy.with("scheduler"), n.Proxy.Scheduler, node.Schedulers)
	}
	unique(d, p.with("dns"), n.DNS)
	unique(d, p.with("ntp"), n.NTP)
	for i, server := range n.NTP {
		if _, err := netip.ParseAddr(server); err != nil && !node.IsDNSName(server) {
			d.fail(p.with("ntp").with(i), "a name or an address, like pool.ntp.org", "%q is not a time server", server)
		}
	}
}

// ipvsDeprecated is the minor since when upstream advises against the proxy mode ipvs: KEP 5495.
const ipvsDeprecated = 35

// defaultProxyMode is one that upstream does not advise against (ADR 16). It is nftables wherever that is ipvs' successor.
func defaultProxyMode(kubernetes string) string {
	if minor := kubeMinor(kubernetes); minor >= 0 && minor < ipvsDeprecated {
		return node.ProxyIPVS
	}
	return node.ProxyNFTables
}

func (s *Spec) warnIPVS(d *document) {
	if s.Network.Proxy.Mode == node.ProxyIPVS && kubeMinor(s.Kubernetes.Version) >= ipvsDeprecated {
		d.warn(at("network", "proxy", "mode"), "it works in all versions this slipway knows; the way ahead is mode nftables", "the proxy mode ipvs is deprecated since kubernetes v1.35")
	}
}

// ownPorts is what the nodes that carry a balancer may listen on besides; one of role lb may be an etcd member.
var ownPorts = map[string][]int{
	node.ModeDedicated: {node.PeerPort, node.LocalAPIPort, node.EtcdClient, node.EtcdPeer, node.EtcdHealth},
	node.ModeStacked: {node.PeerPort, node.LocalAPIPort, node.APIPort, node.EtcdClient, node.EtcdPeer, node.EtcdHealth,
		10249, 10250, 10256, 10257, 10259}, // kube-proxy, kubelet, kube-proxy, controller manager, scheduler
}

func (s *Spec) validateLoadBalancer(d *document) {
	lb, p := s.Network.LoadBalancer, at("network", "loadBalancer")
	planes := len(s.NodesWith(RoleControlPlane))
	if planes > 1 && (lb.Mode == "" || lb.Mode == node.ModeNone) {
		d.fail(p.with("mode"), "allowed: stacked, dedicated, external", "%d control planes need a load balancer", planes)
	}
	oneOf(d, p.with("mode"), lb.Mode, node.Modes)
	if lb.Port > 65535 || slices.Contains(ownPorts[lb.Mode], lb.Port) {
		d.fail(p.with("port"), "8443 is free", "port %d cannot be the balancer's", lb.Port)
	}
	if lb.Mode == node.ModeExternal && lb.Host == "" {
		d.fail(p.with("host"), "its name or address", "mode external needs the host of the balancer")
	}
	if _, err := netip.ParseAddr(lb.Host); lb.Host != "" && err != nil && !node.IsDNSName(lb.Host) {
		d.fail(p.with("host"), "a DNS name or an address", "%q is not a host", lb.Host)
	}
	switch lb.Mode {
	case node.ModeStacked:
		s.validateVIP(d, RoleControlPlane, RoleLB)
	case node.ModeDedicated:
		if _, ok := s.onlyBalancer(); !ok {
			s.validateVIP(d, RoleLB)
		}
	case node.ModeNone, node.ModeExternal:
		if s.Network.VIP != "" {
			d.fail(at("network", "vip"), "use loadBalancer.mode stacked or dedicated, or remove the VIP", "nobody holds the VIP in load balancer mode %s", lb.Mode)
		}
	}
}

// validateVIP demands a VIP that the nodes with any of the roles can hold.
func (s *Spec) validateVIP(d *document, roles ...Role) {
	p := at("network", "vip")
	if s.Network.VIP == "" {
		d.fail(p, "a free address in the nodes' subnet; one balancer alone, of mode dedicated, does without", "load balancer mode %s needs a VIP", s.Network.LoadBalancer.Mode)
		return
	}
	vip := s.VIP()
	if !vip.Is4() {
		d.fail(p, "an address without prefix, like 10.0.0.10", "%q is not an IPv4 address", s.Network.VIP)
		return
	}
	for _, n := range s.Nodes {
		if n.Addr() == vip {
			d.fail(p, "a free address in the nodes' subnet", "the VIP %s is the address of node %q", vip, n.Name)
		}
	}
	for _, n := range s.Nodes {
		if subnet := n.Prefix(); slices.ContainsFunc(roles, n.Has) && subnet.IsValid() && !isHost(subnet, vip) {
			d.fail(p, "a free address in "+subnet.Masked().String(), "the VIP %s is outside the subnet of node %q", vip, n.Name)
		}
	}
	if slices.ContainsFunc(s.Nodes, func(n Node) bool { return s.GatewayOf(n) == vip }) || slices.Contains(s.Network.DNS, s.Network.VIP) {
		d.fail(p, "a free address in the nodes' subnet", "the VIP %s is the gateway or a DNS server", vip)
	}
}

// validateAddresses checks gateway and DNS, and that nodes reach one another directly where their routes need it.
func (s *Spec) validateAddresses(d *document) {
	for i, server := range s.Network.DNS {
		if a, err := netip.ParseAddr(server); err != nil || !a.Is4() {
			d.fail(at("network", "dns", i), "an address like 10.0.0.3", "%q is not an IPv4 address", server)
		}
	}
	if len(s.Nodes) == 0 {
		return
	}
	s.validateSubnet(d)
	s.validateGateway(d)
}

// validateSubnet refuses nodes in several subnets where pods are reached by the addresses of their nodes.
func (s *Spec) validateSubnet(d *document) {
	network := "the bridge network"
	switch {
	case s.Network.CNI == node.CNIFlannel && s.Network.Flannel.Backend == node.FlannelHostGW:
		network = "flannel's backend host-gw"
	case s.Network.CNI != node.CNIBridge:
		return
	}
	first := s.Nodes[0]
	for i, n := range s.Nodes {
		if n.Prefix().IsValid() && first.Prefix().IsValid() && n.Prefix().Masked() != first.Prefix().Masked() {
			d.fail(at("nodes", i, "address"), "all nodes in one subnet, or cni: flannel with its backend vxlan, or cni: none with a pod network that routes",
				"node %q is not in the subnet of %q, %s, and %s routes pods by node addresses", n.Name, first.Name, first.Prefix().Masked(), network)
		}
	}
}

// validateGateway judges every node's default route, at the place that it comes from.
func (s *Spec) validateGateway(d *document) {
	for i, n := range s.Nodes {
		gateway, p := n.Gateway, at("nodes", i, "gateway")
		if gateway == "" {
			gateway, p = s.Network.Gateway, at("network", "gateway")
		}
		if gateway == "" {
			continue
		}
		a, err := netip.ParseAddr(gateway)
		switch subnet := n.Prefix(); {
		case err != nil || !a.Is4():
			d.fail(p, "an address like 10.0.0.1", "%q is not an IPv4 address", gateway)
		case !subnet.IsValid():
		case slices.ContainsFunc(s.Nodes, func(n Node) bool { return n.Addr() == a }):
			d.fail(p, "the address of your router", "the gateway %s is the address of a node", a)
		case !isHost(subnet, a):
			d.fail(p, "an address in "+subnet.Masked().String()+", or give the node a gateway of its own", "node %q cannot reach the gateway %s", n.Name, a)
		}
	}
}

// GatewayOf is a node's default route, or the zero Addr.
func (s *Spec) GatewayOf(n Node) netip.Addr {
	a, err := netip.ParseAddr(n.Gateway)
	if err != nil {
		a, _ = netip.ParseAddr(s.Network.Gateway)
	}
	return a
}

// named is a network and where the spec has it.
type named struct {
	name   string
	p      path
	prefix netip.Prefix
}

// validateNetworks refuses networks that are none, too small, or overlap each other.
func (s *Spec) validateNetworks(d *document) {
	pods, podsOK := d.network(at("network", "podCIDR"), s.Network.PodCIDR)
	services, servicesOK := d.network(at("network", "serviceCIDR"), s.Network.ServiceCIDR)
	if room := 1 << max(nodePodBits-pods.Bits(), 0); podsOK && (pods.Bits() > nodePodBits || room < len(s.Nodes)) {
		d.fail(at("network", "podCIDR"), "every node takes a /24 of it: 10.244.0.0/16 is enough for 256", "%s has no room for the pods of %d nodes", pods, len(s.Nodes))
	}
	if servicesOK && (services.Bits() < 12 || services.Bits() > 28) {
		d.fail(at("network", "serviceCIDR"), "between /12, the API server's limit, and /28, for DNS at the tenth address", "%s does not work for services", services)
	}
	var all []named
	if podsOK {
		all = append(all, named{"podCIDR", at("network", "podCIDR"), pods})
	}
	if servicesOK {
		all = append(all, named{"serviceCIDR", at("network", "serviceCIDR"), services})
	}
	for i, a := range all {
		for _, b := range append(all[i+1:len(all):len(all)], s.subnets()...) {
			if a.prefix.Overlaps(b.prefix) {
				d.fail(a.p, "pods, services and nodes each need addresses of their own", "%s %s overlaps %s %s", a.name, a.prefix, b.name, b.prefix)
			}
		}
		s.validateOutside(d, a)
	}
}

// validateOutside refuses resolvers that hide inside the pod or service network.
func (s *Spec) validateOutside(d *document, n named) {
	for i, server := range s.Network.DNS {
		if a, err := netip.ParseAddr(server); err == nil && n.prefix.Contains(a) {
			d.fail(at("network", "dns", i), "a resolver outside the cluster", "the DNS server %s is inside %s %s", a, n.name, n.prefix)
		}
	}
}

// subnets is the nodes' networks, each once.
func (s *Spec) subnets() []named {
	var all []named
	for i, n := range s.Nodes {
		prefix := n.Prefix().Masked()
		if prefix.IsValid() && !slices.ContainsFunc(all, func(o named) bool { return o.prefix == prefix }) {
			all = append(all, named{fmt.Sprintf("the subnet of node %q,", n.Name), at("nodes", i, "address"), prefix})
		}
	}
	return all
}

// network reads a CIDR that must be a network.
func (d *document) network(p path, text string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil || !prefix.Addr().Is4() {
		d.fail(p, "like 10.244.0.0/16", "%q is not an IPv4 network", text)
		return netip.Prefix{}, false
	}
	if prefix != prefix.Masked() {
		d.fail(p, "write "+prefix.Masked().String(), "%q has bits set beyond its prefix", text)
		return netip.Prefix{}, false
	}
	return prefix, true
}
