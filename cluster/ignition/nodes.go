package ignition

import (
	"fmt"
	"net/netip"
	"runtime"
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
	Encoded  []byte // Ignition as it is handed over: Encode's
	Roles    roles.Output
}

// Nodes makes every node of a spec, in its order, with certificates that are issued as needed and not stored yet.
// Whatever could fail at boot fails here. Configs that are served by URL may be larger than Limit.
func Nodes(loaded *cluster.Loaded, p *pki.PKI, served bool) ([]Node, *pki.Set, error) {
	var all []Node
	set, err := Each(loaded, p, served, func(n Node) error {
		all = append(all, n)
		return nil
	})
	return all, set, err
}

// Each is Nodes for any number of them: it hands each over, in the spec's order, and keeps none.
func Each(loaded *cluster.Loaded, p *pki.PKI, served bool, use func(Node) error) (*pki.Set, error) {
	in, set, err := issue(loaded.Spec, p)
	if err != nil {
		return nil, err
	}
	makeOne := func(i int) (Node, error) {
		c, err := contractOf(loaded.Spec, loaded.Spec.Nodes[i].Name, in, set)
		if err != nil {
			return Node{}, err
		}
		return makeNode(loaded, c, set, served)
	}
	return set, inOrder(len(loaded.Spec.Nodes), makeOne, use)
}

// One is Nodes for a single node, by its name in the spec.
func One(loaded *cluster.Loaded, p *pki.PKI, name string) (Node, *pki.Set, error) {
	in, set, err := issue(loaded.Spec, p)
	if err != nil {
		return Node{}, nil, err
	}
	c, err := contractOf(loaded.Spec, name, in, set)
	if err != nil {
		return Node{}, nil, err
	}
	n, err := makeNode(loaded, c, set, false)
	return n, set, err
}

// inOrder makes some at the same time, and uses them one after the other until one fails.
func inOrder[T any](count int, produce func(int) (T, error), use func(T) error) error {
	type result struct {
		value T
		err   error
	}
	results, quit := make(chan chan result, runtime.GOMAXPROCS(0)-1), make(chan struct{})
	defer close(quit)
	go func() {
		defer close(results)
		for i := range count {
			one := make(chan result, 1)
			select {
			case results <- one:
			case <-quit:
				return
			}
			go func() {
				value, err := produce(i)
				one <- result{value, err}
			}()
		}
	}()
	for one := range results {
		r := <-one
		if r.err == nil {
			r.err = use(r.value)
		}
		if r.err != nil {
			return r.err
		}
	}
	return nil
}

// Contracts issues every node's certificates and gives every node's contract with them, in the spec's order.
// The certificates are not stored yet.
func Contracts(spec *cluster.Spec, p *pki.PKI) ([]*node.Config, *pki.Set, error) {
	in, set, err := issue(spec, p)
	if err != nil {
		return nil, nil, err
	}
	var all []*node.Config
	for _, n := range spec.Nodes {
		c, err := contractOf(spec, n.Name, in, set)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, c)
	}
	return all, set, nil
}

// contractOf is a node's, with the floor of its clock: no more than the certificates of the nodes that it names, so that a new worker
// changes nobody else's.
func contractOf(spec *cluster.Spec, name string, in cluster.ContractInputs, set *pki.Set) (*node.Config, error) {
	c, err := spec.Contract(name, in)
	if err != nil {
		return nil, err
	}
	c.NotBefore = set.NotBefore(c.Nodes...)
	return &c, nil
}

// issue gives every node its certificates and its entry, and what contracts are made of with them.
func issue(spec *cluster.Spec, p *pki.PKI) (cluster.ContractInputs, *pki.Set, error) {
	before, err := p.Pods()
	if err != nil {
		return cluster.ContractInputs{}, nil, err
	}
	in := draftInputs(spec, before)
	draft, err := spec.Contract(spec.Nodes[0].Name, in)
	if err != nil {
		return in, nil, err
	}
	draft.Nodes = spec.Inventory(in)
	hosts, addresses := spec.APIServerSANs()
	for _, a := range addresses {
		hosts = append(hosts, a.String())
	}
	set, err := p.Issue(&draft, hosts)
	if err != nil {
		return in, nil, err
	}
	in.Fingerprints, in.Entries, in.Operator = set.Fingerprints(), set.Entries(), set.Operator()
	return in, set, nil
}

// draftInputs stand in for what only the certificates tell, which are made from the contract's inventory.
func draftInputs(spec *cluster.Spec, before map[string]netip.Prefix) cluster.ContractInputs {
	none := strings.Repeat("0", 64)
	in := cluster.ContractInputs{Fingerprints: map[string]string{}, Operator: none, NotBefore: time.Unix(0, 0), Pods: spec.PodCIDRs(before)}
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
	ign, encoded, err := render(in)
	return Node{Config: c, Ignition: ign, Encoded: encoded, Roles: out}, err
}

// apiName is the extra name that the spec gives the API, unless that is an address.
func apiName(spec *cluster.Spec) string {
	host := spec.Network.LoadBalancer.Host
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	return host
}
