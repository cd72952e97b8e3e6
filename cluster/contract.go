package cluster

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"time"

	"slipway/firstboot/config"
)

// ContractInputs is what a node config holds that the spec does not know.
type ContractInputs struct {
	Fingerprints map[string]string // node name -> SHA-256, hex, of its peer certificate's SubjectPublicKeyInfo; every node
	NotBefore    time.Time         // floor for the nodes' clocks
	Versions     map[string]string // payload name -> version really built; what is absent comes from the spec
}

// Contract is the node config of one node. It passes the contract's own Validate, so what is refused here would have
// failed at boot.
func (s *Spec) Contract(node string, in ContractInputs) (config.Config, error) {
	if _, ok := s.Node(node); !ok {
		return config.Config{}, fmt.Errorf("making the node config of %q: no such node in the spec", node)
	}
	host, port := s.APIEndpoint()
	c := config.Config{
		Version:   config.Version,
		Cluster:   config.Cluster{ID: s.Cluster.ID, Name: s.Cluster.Name, Epoch: s.Cluster.Epoch, Domain: s.Cluster.Domain},
		Versions:  s.contractVersions(in.Versions),
		NotBefore: in.NotBefore.UTC(),
		Node:      node,
		Nodes:     s.contractNodes(in.Fingerprints),
		API:       config.API{Mode: s.Network.LoadBalancer.Mode, VIP: s.VIP(), Host: host, Port: port},
		Network:   s.contractNetwork(),
		Runtime:   config.Runtime{Name: s.Runtime.Name, Mirrors: s.Runtime.Mirrors},
		ExtraArgs: s.Kubernetes.ExtraArgs,
		Debug:     s.Debug,
	}
	if err := c.Validate(); err != nil {
		return config.Config{}, fmt.Errorf("making the node config of %q: %w", node, err)
	}
	return c, nil
}

func (s *Spec) contractVersions(built map[string]string) config.Versions {
	v := map[string]string{}
	for name, p := range s.Payloads {
		v[name] = p.Version
	}
	kubelet := s.Kubernetes.Kubelet
	if b, ok := built[PayloadKubernetes]; ok && kubelet == s.Kubernetes.Version {
		kubelet = b
	}
	maps.Copy(v, built)
	return config.Versions{
		Kubernetes: v[PayloadKubernetes], Kubelet: kubelet,
		Etcd: v[PayloadEtcd], CoreDNS: v[PayloadCoreDNS], Pause: v[PayloadPause],
	}
}

func (s *Spec) contractNodes(fingerprints map[string]string) []config.Node {
	nodes := make([]config.Node, len(s.Nodes))
	for i, n := range s.Nodes {
		nodes[i] = config.Node{
			Name: n.Name, Address: n.Prefix(), Interface: n.Interface.Name, MAC: n.Interface.canonicalMAC(),
			Fingerprint: fingerprints[n.Name], Labels: n.Labels,
		}
		for _, r := range n.Roles {
			nodes[i].Roles = append(nodes[i].Roles, config.Role(r))
		}
		if n.Has(RoleWorker) {
			nodes[i].PodCIDR = s.NodePodCIDR(i)
		}
	}
	return nodes
}

// canonicalMAC is lower case with colons, however the user wrote it; "" without one.
func (i Interface) canonicalMAC() string {
	mac, err := net.ParseMAC(i.MAC)
	if err != nil {
		return ""
	}
	return mac.String()
}

func (s *Spec) contractNetwork() config.Network {
	n := s.Network
	pods, _ := netip.ParsePrefix(n.PodCIDR)
	services, _ := netip.ParsePrefix(n.ServiceCIDR)
	out := config.Network{
		PodCIDR: pods, ServiceCIDR: services, APIService: s.APIServiceIP(), DNSService: s.DNSServiceIP(),
		NTP: n.NTP, CNI: n.CNI, ProxyMode: n.Proxy.Mode, Scheduler: n.Proxy.Scheduler, StrictARP: n.Proxy.StrictARP,
	}
	for _, d := range n.DNS {
		if a, err := netip.ParseAddr(d); err == nil {
			out.DNS = append(out.DNS, a)
		}
	}
	return out
}
