package ignition

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"slipway/cluster"
	"slipway/cluster/pki"
	"slipway/node"
	"slipway/roles"
)

// Node is all that one node will be: its contract, its Ignition config, and what slipwayd will make of the contract.
type Node struct {
	Config   *node.Config
	Ignition []byte
	Roles    roles.Output
}

// Nodes makes every node of a spec, in its order, with certificates that are issued as needed and not stored yet.
// Whatever could fail at boot fails here. Configs that are served by URL may be larger than Limit.
func Nodes(loaded *cluster.Loaded, p *pki.PKI, served bool) ([]Node, *pki.Set, error) {
	configs, set, err := Contracts(loaded.Spec, p)
	if err != nil {
		return nil, nil, err
	}
	var all []Node
	for _, c := range configs {
		n, err := makeNode(loaded, c, set, served)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, n)
	}
	return all, set, nil
}

// Contracts issues every node's certificates and gives every node's contract with them, in the spec's order.
// The certificates are not stored yet.
func Contracts(spec *cluster.Spec, p *pki.PKI) ([]*node.Config, *pki.Set, error) {
	draft, err := spec.Contract(spec.Nodes[0].Name, draftInputs(spec))
	if err != nil {
		return nil, nil, err
	}
	hosts, addresses := spec.APIServerSANs()
	for _, a := range addresses {
		hosts = append(hosts, a.String())
	}
	set, err := p.Issue(&draft, hosts)
	if err != nil {
		return nil, nil, err
	}
	in := cluster.ContractInputs{Fingerprints: set.Fingerprints(), Entries: set.Entries(), Operator: set.Operator(), NotBefore: set.NotBefore()}
	var all []*node.Config
	for _, n := range spec.Nodes {
		c, err := spec.Contract(n.Name, in)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, &c)
	}
	return all, set, nil
}

// draftInputs stand in for what only the certificates tell, which are made from the contract's inventory.
func draftInputs(spec *cluster.Spec) cluster.ContractInputs {
	none := strings.Repeat("0", 64)
	in := cluster.ContractInputs{Fingerprints: map[string]string{}, Operator: none, NotBefore: time.Unix(0, 0)}
	for _, n := range spec.Nodes {
		in.Fingerprints[n.Name] = none
	}
	return in
}

// makeNode renders the roles first: what they write at every boot, no snippet may write.
func makeNode(loaded *cluster.Loaded, c *node.Config, set *pki.Set, served bool) (Node, error) {
	out, err := roles.Render(c)
	if err != nil {
		return Node{}, fmt.Errorf("rendering the roles of %q: %w", c.Node, err)
	}
	self, _ := loaded.Spec.Node(c.Node)
	in := Input{Config: c, Gateway: loaded.Spec.GatewayOf(self), APIName: apiName(loaded.Spec), Served: served}
	files, err := set.Files(c.Self())
	if err != nil {
		return Node{}, err
	}
	for _, f := range files {
		in.Files = append(in.Files, File(f))
	}
	for _, f := range out.Files {
		in.Taken = append(in.Taken, f.Path)
	}
	for _, name := range loaded.Spec.SnippetsFor(self) {
		in.Snippets = append(in.Snippets, Snippet{Name: name, Ignition: loaded.Ignition[name]})
	}
	ign, err := Render(in)
	return Node{Config: c, Ignition: ign, Roles: out}, err
}

// apiName is the extra name that the spec gives the API, unless that is an address.
func apiName(spec *cluster.Spec) string {
	host := spec.Network.LoadBalancer.Host
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	return host
}
