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
	"unicode"

	"github.com/spf13/cobra"

	"slipway/cluster"
	"slipway/firstboot/inside"
	"slipway/firstboot/peer"
	"slipway/firstboot/status"
	"slipway/node"
)

// askOptions say which nodes to ask, and where.
type askOptions struct {
	clusterOptions
	nodes     []string
	addresses []string
	machines  string // output folder of slipway qemu; empty: nodes are at their own addresses
}

func (o *askOptions) addFlags(cmd *cobra.Command) { o.addFlagsAs(cmd, "f") }

// addFlagsAs is addFlags for a verb that has another use for -f.
func (o *askOptions) addFlagsAs(cmd *cobra.Command, file string) {
	o.clusterOptions.addFlagsAs(cmd, file)
	cmd.Flags().StringArrayVar(&o.addresses, "address", nil, "HOST:PORT of the node's peer API when it is not the spec's, or NODE=HOST:PORT; may be repeated")
	cmd.Flags().StringVar(&o.machines, "qemu", "", qemuFlagHelp)
}

const askHelp = `Nodes are asked at their peer API (port 7400) with the operator's certificate from the secrets. Of machines of slipway
qemu say --qemu and its output folder, behind other port forwards --address: a node proves itself by its name, whatever the address.`

// target is a node with a client for it.
type target struct {
	name   string
	roles  []cluster.Role
	client *peer.Client
}

// reply is what a node said, or why it said nothing.
type reply struct {
	status.Document
	Roles  []cluster.Role `json:"roles"`            // as the spec has them
	Health *inside.Health `json:"health,omitempty"` // if it was asked for, and told
	Error  string         `json:"error,omitempty"`  // the node did not answer
	cutOff bool           // ... because nobody waited for it any longer
}

// has says whether the node has a role.
func (r reply) has(role cluster.Role) bool { return slices.Contains(r.Roles, role) }

// targets are the nodes to ask, in the spec's order.
func (o *askOptions) targets(s streams) ([]target, error) {
	loaded, err := s.load(o.spec)
	if err != nil {
		return nil, err
	}
	return o.targetsOf(loaded.Spec)
}

// targetsOf is targets for who has read the spec.
func (o *askOptions) targetsOf(spec *cluster.Spec) ([]target, error) {
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
			all = append(all, target{n.Name, n.Roles, peer.NewClient(base, own, node.Node{Name: n.Name}, addr, rand.Reader)})
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
	if o.machines != "" {
		ports, err := forwarded(spec, o.machines)
		if err != nil {
			return nil, err
		}
		for name, p := range ports {
			known[name] = local(p.Peer)
		}
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

// askAll asks all nodes at once for their status; the replies are in the order of the nodes.
func askAll(ctx context.Context, nodes []target) []reply {
	return each(nodes, func(n target) reply { return n.status(ctx) })
}

// lookAll asks for their health beside.
func lookAll(ctx context.Context, nodes []target) []reply {
	return each(nodes, func(n target) reply {
		var r reply
		var health *inside.Health
		var wait sync.WaitGroup
		wait.Go(func() { r = n.status(ctx) })
		wait.Go(func() {
			if h, err := n.client.Health(ctx); err == nil { // a node that is silent says so with its status, an older one has none
				health = &h
			}
		})
		wait.Wait()
		r.Health = health
		return r
	})
}

func each(nodes []target, ask func(target) reply) []reply {
	replies := make([]reply, len(nodes))
	var wait sync.WaitGroup
	for i, n := range nodes {
		wait.Go(func() { replies[i] = ask(n) })
	}
	wait.Wait()
	return replies
}

func (n target) status(ctx context.Context) reply {
	d, err := n.client.Status(ctx)
	if err != nil {
		return reply{Document: status.Document{Node: n.name}, Roles: n.roles, Error: err.Error(), cutOff: ctx.Err() != nil}
	}
	return reply{Document: d, Roles: n.roles}
}

// tell says what has changed since it was told last. An answer that was cut off by the end of a wait is no news.
func tell(replies []reply, told map[string]string, describe func(reply) string, say func(node, news string)) {
	for _, r := range replies {
		news := describe(r)
		if told[r.Node] == news || told[r.Node] != "" && r.cutOff {
			continue
		}
		told[r.Node] = news
		say(r.Node, news)
	}
}

// describe says in one line how a node is doing.
func describe(r reply) string {
	switch {
	case r.Error != "":
		return "no answer yet: " + dash(r.Error)
	case r.Serving:
		return "serving"
	}
	text := fmt.Sprintf("%s %s", cmp.Or(r.Step, "start"), r.State)
	if r.WaitingFor != "" {
		text += ", waiting for " + dash(r.WaitingFor)
	}
	if r.LastError != "" {
		text += ": " + dash(r.LastError)
	}
	return text
}

// dash makes a cell of one line that is never empty, and writes nothing to a terminal but text: what a program on a node said
// may be in it.
func dash(text string) string {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool { return strings.TrimSpace(l) == "" })
	return cmp.Or(strings.Map(printable, strings.Join(lines, "; ")), "-")
}

func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case !unicode.IsPrint(r):
		return '?'
	}
	return r
}
