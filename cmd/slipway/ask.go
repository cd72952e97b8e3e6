package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"slipway/cluster"
	"slipway/firstboot/peer"
	"slipway/firstboot/status"
	"slipway/node"
)

// askOptions say which nodes to ask, and where.
type askOptions struct {
	clusterOptions
	nodes     []string
	addresses []string
}

func (o *askOptions) addFlags(cmd *cobra.Command) { o.addFlagsAs(cmd, "f") }

// addFlagsAs is addFlags for a verb that has another use for -f.
func (o *askOptions) addFlagsAs(cmd *cobra.Command, file string) {
	o.clusterOptions.addFlagsAs(cmd, file)
	cmd.Flags().StringArrayVar(&o.addresses, "address", nil, "HOST:PORT of the node's peer API when it is not the spec's, or NODE=HOST:PORT; may be repeated")
}

const askHelp = `Nodes are asked at their peer API (port 7400) with the operator's certificate from the secrets. Behind a port forward say
--address: a node proves itself by its name, whatever the address.`

// target is a node with a client for it.
type target struct {
	name   string
	client *peer.Client
}

// reply is what a node said, or why it said nothing.
type reply struct {
	status.Document
	Error  string `json:"error,omitempty"` // the node did not answer
	cutOff bool   // ... because nobody waited for it any longer
}

// targets are the nodes to ask, in the spec's order.
func (o *askOptions) targets(s streams) ([]target, error) {
	loaded, err := s.load(o.spec)
	if err != nil {
		return nil, err
	}
	spec := loaded.Spec
	where, err := o.where(spec)
	if err != nil {
		return nil, err
	}
	p, dir, err := o.openPKI()
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	base, err := p.OperatorTLS()
	if err != nil {
		return nil, err
	}
	own := node.Cluster{ID: spec.Cluster.ID, Epoch: spec.Cluster.Epoch}
	var all []target
	for _, n := range spec.Nodes {
		if addr, ok := where[n.Name]; ok {
			all = append(all, target{n.Name, peer.NewClient(base, own, node.Node{Name: n.Name}, addr, rand.Reader)})
		}
	}
	return all, nil
}

// one is the node to ask, of a verb that asks a single one.
func (o *askOptions) one(s streams, name string) (target, error) {
	o.nodes = []string{name}
	all, err := o.targets(s)
	if err != nil {
		return target{}, err
	}
	return all[0], nil
}

// where gives host:port of the nodes to ask.
func (o *askOptions) where(spec *cluster.Spec) (map[string]string, error) {
	known := map[string]string{}
	for _, n := range spec.Nodes {
		prefix, err := netip.ParsePrefix(n.Address)
		if err != nil {
			return nil, fmt.Errorf("reading address of node %q: %w", n.Name, err)
		}
		known[n.Name] = net.JoinHostPort(prefix.Addr().String(), strconv.Itoa(node.PeerPort))
	}
	where := map[string]string{}
	for _, name := range o.nodes {
		if known[name] == "" {
			return nil, usageError{fmt.Errorf("choosing nodes: there is no node %q in %s", name, o.spec)}
		}
		where[name] = known[name]
	}
	if len(o.nodes) == 0 {
		where = known
	}
	return where, override(where, o.addresses)
}

// override puts the addresses of the command line in place.
func override(where map[string]string, addresses []string) error {
	for _, text := range addresses {
		name, addr, named := strings.Cut(text, "=")
		if !named {
			if len(where) != 1 {
				return usageError{fmt.Errorf("reading --address: %q does not say of which of the %d nodes it is\nhint: write NODE=HOST:PORT, or name one node", text, len(where))}
			}
			for only := range where {
				name, addr = only, text
			}
		}
		if where[name] == "" {
			return usageError{fmt.Errorf("reading --address: %q is no node that is asked", name)}
		}
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
			return usageError{fmt.Errorf("reading --address: %q is not HOST:PORT", addr)}
		}
		where[name] = addr
	}
	return nil
}

// askAll asks all nodes at once; the replies are in the order of the nodes.
func askAll(ctx context.Context, nodes []target) []reply {
	replies := make([]reply, len(nodes))
	var wait sync.WaitGroup
	for i, n := range nodes {
		wait.Go(func() {
			d, err := n.client.Status(ctx)
			replies[i] = reply{Document: d}
			if err != nil {
				replies[i] = reply{Document: status.Document{Node: n.name}, Error: err.Error(), cutOff: ctx.Err() != nil}
			}
		})
	}
	wait.Wait()
	return replies
}

// dash makes a cell of one line that is never empty.
func dash(text string) string {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool { return strings.TrimSpace(l) == "" })
	return cmp.Or(strings.Join(lines, "; "), "-")
}
