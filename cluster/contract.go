package cluster

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"time"

	"slipway/node"
)

// ContractInputs is what a node config holds that the spec does not know.
type ContractInputs struct {
	Fingerprints map[string]string           // node name -> SHA-256, hex, of its peer certificate's SubjectPublicKeyInfo; every node
	Entries      map[string]node.SignedEntry // node name -> its entry, by which others know it
	Operator     string                      // the same of the operator's certificate
	Pods         map[string]netip.Prefix     // node name -> its pod network, where it was given one before
	NotBefore    time.Time                   // floor for the nodes' clocks
	Versions     map[string]string           // payload name -> version really built; what is absent comes from the spec
}

// Contract is the node config of one node, which names that node and those that every node must know. It passes the contract's own Validate, so what is refused here would have
// failed at boot.
func (s *Spec) Contract(name string, in ContractInputs) (node.Config, error) {
	if _, ok := s.Node(name); !ok {
		return node.Config{}, fmt.Errorf("making the node config of %q: no such node in the spec", name)
	}
	host, port := s.APIEndpoint()
	c := node.Config{
		Version:   node.Version,
		Cluster:   node.Cluster{ID: s.Cluster.ID, Name: s.Cluster.Name, Epoch: s.Cluster.Epoch, Domain: s.Cluster.Domain},
		Versions:  s.contractVersions(in.Versions),
		NotBefore: in.NotBefore.UTC(),
		Operator:  in.Operator,
		Node:      name,
		Entry:     in.Entries[name],
		Nodes:     s.contractNodes(name, in),
		API:       node.API{Mode: s.Network.LoadBalancer.Mode, VIP: s.VIP(), Host: host, Port: port},
		Network:   s.contractNetwork(),
		Runtime:   node.Runtime{Name: s.Runtime.Name, Mirrors: s.Runtime.Mirrors},
		ExtraArgs: s.Kubernetes.ExtraArgs,
		Tuning:    s.contractTuning(),
		Debug:     s.Debug,
	}
	if err := c.Validate(); err != nil {
		return node.Config{}, fmt.Errorf("making the node config of %q: %w", name, err)
	}
	return c, nil
}

func (s *Spec) contractVersions(built map[string]string) node.Versions {
	v := map[string]string{}
	for name, p := range s.Payloads {
		v[name] = p.Version
	}
	kubelet := s.Kubernetes.Kubelet
	if b, ok := built[PayloadKubernetes]; ok && kubelet == s.Kubernetes.Version {
		kubelet = b
	}
	maps.Copy(v, built)
	return node.Versions{
		Kubernetes: v[PayloadKubernetes], Kubelet: kubelet,
		Etcd: v[PayloadEtcd], CoreDNS: v[PayloadCoreDNS], Pause: v[PayloadPause],
	}
}

// contractNodes are the nodes that the config of one names.
func (s *Spec) contractNodes(self string, in ContractInputs) []node.Node {
	var nodes []node.Node
	for i, n := range s.Nodes {
		if n.Name == self || n.Has(RoleEtcd) || n.Has(RoleControlPlane) || n.Has(RoleLB) {
			nodes = append(nodes, s.contractNode(i, in))
		}
	}
	return nodes
}

// Inventory is every node as its own config has it.
func (s *Spec) Inventory(in ContractInputs) []node.Node {
	nodes := make([]node.Node, len(s.Nodes))
	for i := range s.Nodes {
		nodes[i] = s.contractNode(i, in)
	}
	return nodes
}

func (s *Spec) contractNode(i int, in ContractInputs) node.Node {
	n := s.Nodes[i]
	made := node.Node{
		Name: n.Name, Address: n.Prefix(), Interface: n.Interface.Name, MAC: n.Interface.canonicalMAC(),
		Fingerprint: in.Fingerprints[n.Name], Labels: n.Labels,
	}
	for _, r := range n.Roles {
		made.Roles = append(made.Roles, node.Role(r))
	}
	if n.Has(RoleWorker) {
		made.PodCIDR = cmp.Or(in.Pods[n.Name], s.NodePodCIDR(i))
	}
	return made
}

func (s *Spec) contractTuning() node.Tuning {
	grace, _ := node.ParseDuration(s.Tuning.FormationGrace)
	advert, _ := node.ParseDuration(s.Tuning.VRRPAdvert)
	check, _ := node.ParseDuration(s.Tuning.APICheckTimeout)
	life, _ := node.ParseDuration(s.Tuning.CertificateLife)
	return node.Tuning{FormationGrace: grace, VRRPAdvert: advert, APICheckTimeout: check, CertificateLife: life}
}

// canonicalMAC is lower case with colons, however the user wrote it; "" without one.
func (i Interface) canonicalMAC() string {
	mac, err := net.ParseMAC(i.MAC)
	if err != nil {
		return ""
	}
	return mac.String()
}

func (s *Spec) contractNetwork() node.Network {
	n := s.Network
	pods, _ := netip.ParsePrefix(n.PodCIDR)
	services, _ := netip.ParsePrefix(n.ServiceCIDR)
	out := node.Network{
		PodCIDR: pods, ServiceCIDR: services, APIService: s.APIServiceIP(), DNSService: s.DNSServiceIP(),
		NTP: n.NTP, CNI: n.CNI, ProxyMode: n.Proxy.Mode, Scheduler: n.Proxy.Scheduler, StrictARP: n.Proxy.StrictARP,
		Flannel: node.Flannel{Backend: n.Flannel.Backend},
	}
	for _, d := range n.DNS {
		if a, err := netip.ParseAddr(d); err == nil {
			out.DNS = append(out.DNS, a)
		}
	}
	return out
}
