package role

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"slipway/node"
)

// Node is the contract as one node sees it.
type Node struct {
	*node.Config
	Self node.Node
}

// NewNode finds the contract's own node in its inventory and refuses what no role could be rendered for.
func NewNode(cfg *node.Config) (*Node, error) {
	self, found := cfg.Lookup(cfg.Node)
	if !found {
		return nil, fmt.Errorf("finding node %q: not among the %d nodes of the contract", cfg.Node, len(cfg.Nodes))
	}
	n := &Node{Config: cfg, Self: self}
	for _, need := range []node.Role{node.ControlPlane, node.Etcd} {
		if len(n.With(need)) == 0 {
			return nil, fmt.Errorf("rendering node %q: no node of the contract has role %q", cfg.Node, need)
		}
	}
	if err := n.checkVersions(); err != nil {
		return nil, fmt.Errorf("rendering node %q: %w", cfg.Node, err)
	}
	return n, n.checkExtraArgs()
}

func (n *Node) checkVersions() error {
	for _, v := range []string{n.Versions.Kubernetes, n.Versions.Kubelet} {
		_, minor, err := MajorMinor(v)
		if err != nil {
			return err
		}
		if minor < node.MinMinor || minor > node.MaxMinor {
			return fmt.Errorf("choosing flags for Kubernetes %q: supported are 1.%d to 1.%d", v, node.MinMinor, node.MaxMinor)
		}
	}
	return nil
}

// MajorMinor takes "v1.36.3" apart.
func MajorMinor(version string) (major, minor int, err error) {
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(parts) < 2 {
		return 0, 0, fmt.Errorf("reading version %q: want vX.Y.Z", version)
	}
	if major, err = strconv.Atoi(parts[0]); err == nil {
		minor, err = strconv.Atoi(parts[1])
	}
	if err != nil {
		return 0, 0, fmt.Errorf("reading version %q: want vX.Y.Z", version)
	}
	return major, minor, nil
}

// Is tells whether this node has role r.
func (n *Node) Is(r node.Role) bool { return n.Self.Has(r) }

// With lists the nodes that have role r, in the inventory's order.
func (n *Node) With(r node.Role) []node.Node { return n.WithRole(r) }

// Balancers lists the nodes that run the load balancer for the API's address: none when there is none or it is
// somebody else's.
func (n *Node) Balancers() []node.Node {
	switch n.API.Mode {
	case node.ModeDedicated:
		return n.With(node.LB)
	case node.ModeStacked: // and a witness
		return slices.DeleteFunc(slices.Clone(n.Nodes), func(m node.Node) bool { return !m.Has(node.ControlPlane) && !m.Has(node.LB) })
	}
	return nil
}

// Addr is this node's own address.
func (n *Node) Addr() netip.Addr { return n.Self.Address.Addr() }

// Crt is the path of a certificate or CA bundle of the contract.
func (n *Node) Crt(name string) string { return path.Join(node.PKIDir, name+".crt") }

// Key is the path of a private key of the contract.
func (n *Node) Key(name string) string { return path.Join(node.PKIDir, name+".key") }

// HostPort joins address and port, with brackets where the address needs them.
func HostPort(addr netip.Addr, port int) string {
	return netip.AddrPortFrom(addr, uint16(port)).String()
}

// URL is the https URL of a port.
func URL(addr netip.Addr, port int) string { return "https://" + HostPort(addr, port) }

// LocalAPI is where a node's own kubelet and kube-proxy find the API: a loopback balancer, so that losing the
// cluster's virtual address never hurts nodes.
func LocalAPI() string { return HostPort(Loopback(), node.LocalAPIPort) }

// Loopback is 127.0.0.1.
func Loopback() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }
