package firstboot

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"slipway/firstboot/peer"
	"slipway/node"
)

// How often a node exchanges with each etcd node.
const (
	// eager is until the cluster is known to have formed, and whenever there was no answer: a member that comes back, perhaps
	// wiped, is then told at once what this node knows of it.
	eager = time.Second
	// calm is when all is well, or what the other asks for, if that is longer. Whoever is wiped is away for longer than calm, is missed
	// by those that called meanwhile, and called eagerly by them.
	calm = 10 * time.Second
	// stale is when a caller that was heard before counts as gone, at the earliest: one and a half times calm.
	stale = 15 * time.Second
)

// attester exchanges with another node.
type attester interface {
	Attest(ctx context.Context, n node.Node, t peer.Testimony) (peer.Attestation, error)
	Nodes(ctx context.Context, n node.Node, tag string) (list peer.List, changed bool, err error)
	Certificate(ctx context.Context, n node.Node, r peer.CertificateRequest) ([]byte, error)
}

// meetings is what the other etcd nodes said last. It may be used from several goroutines.
type meetings struct {
	mu    sync.Mutex
	views map[string]view
}

func (m *meetings) put(v view) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.views == nil {
		m.views = map[string]view{}
	}
	m.views[v.Name] = v
}

// list has a view of each of the nodes.
func (m *meetings) list(nodes []node.Node) []view {
	m.mu.Lock()
	defer m.mu.Unlock()
	var views []view
	for _, p := range nodes {
		v, met := m.views[p.Name]
		if !met {
			v = view{Name: p.Name, Err: errNotMet}
		}
		views = append(views, v)
	}
	return views
}

// others are the etcd nodes but this one: all that a node ever asks.
func (n *machine) others() []node.Node {
	return slices.DeleteFunc(n.cfg.WithRole(node.Etcd), func(p node.Node) bool { return p.Name == n.self.Name })
}

// meet exchanges with one node, takes down what it said, and gives when it wants to hear from this one again. An answer that could not
// be journalled is none.
func (n *machine) meet(ctx context.Context, p node.Node) (again time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, peer.Timeout)
	defer cancel()
	a, err := n.peers.Attest(ctx, p, n.testimony())
	if err == nil && a.Cluster == n.cfg.Cluster.ID && a.Epoch == n.cfg.Cluster.Epoch {
		err = n.learn(p.Name, a.Testimony)
	}
	v := view{Name: p.Name, Err: err}
	if err == nil {
		v.Attestation = &a
	}
	n.met.put(v)
	return a.Again, err
}

// meetAll exchanges with all others once, at the same time.
func (n *machine) meetAll(ctx context.Context) {
	var wait sync.WaitGroup
	for _, p := range n.others() {
		wait.Go(func() { _, _ = n.meet(ctx, p) }) // the error is in the view
	}
	wait.Wait()
}

// keepMeeting exchanges with each of the others until the context ends.
func (n *machine) keepMeeting(ctx context.Context) {
	for _, p := range n.others() {
		go func() {
			for ctx.Err() == nil {
				again, err := n.meet(ctx, p)
				n.noteTwins()
				n.noteRefused()
				if n.Clock.Sleep(ctx, pace(n.testimony().Formed, again, err)) != nil {
					return
				}
			}
		}()
	}
}

// pace is the time until the next call. A member that was reached has all that this node knows, so it may ask to be left alone; one that
// was not is called eagerly, whatever it asked for before.
func pace(formed bool, again time.Duration, err error) time.Duration {
	switch {
	case err != nil:
		return eager
	case formed:
		return max(calm, again)
	}
	return max(eager, again)
}

// noteTwins tells of other machines with this node's name and key, as the others hear them.
func (n *machine) noteTwins() {
	texts := map[string]string{}
	for _, v := range n.met.list(n.others()) {
		if v.Attestation != nil && v.Attestation.Twin != nil {
			t := v.Attestation.Twin
			texts[t.Address] = fmt.Sprintf("another machine has the name and key of this node, and calls %s from %s\nhint: switch one of the two off", v.Name, t.Address)
		}
	}
	n.notices.Replace("twin", texts)
}

// alone says what a node waits for before it starts, for the first time on this machine, what one machine of its name alone may
// run: another one that is there already must not be disturbed. Etcd members have rules of their own for that, see decide.
func (n *machine) alone(ctx context.Context, step string) string {
	others := n.others()
	if n.journal.Get().Has(step) || len(others) == 0 {
		return ""
	}
	var twins, silent []string
	for _, v := range n.met.list(others) {
		switch a := v.Attestation; {
		case a == nil:
			silent = append(silent, fmt.Sprintf("%s (%v)", v.Name, v.Err))
		case a.Twin != nil:
			twins = append(twins, a.Twin.Address)
		}
	}
	switch {
	case len(twins) > 0:
		return twinToGo(twins)
	case len(silent) == len(others):
		return "an etcd node to say whether another machine has this node's name: no answer from " + list(silent)
	case n.Clock.Now().Sub(n.began) < listening:
		return fmt.Sprintf("etcd nodes to hear, within %s, whether another machine has this node's name", listening)
	}
	if err := n.sharedAddress(ctx); err != nil {
		return fmt.Sprintf("that other machine to go away: %v", err)
	}
	return ""
}

// twinToGo is what a machine waits for whose name and key another one has.
func twinToGo(addresses []string) string {
	return fmt.Sprintf("the other machine with the name and key of this node, at %s, to go away\nhint: switch one of the two off", list(addresses))
}

// callers is which instances of the other nodes called, and when. It may be used from several goroutines.
type callers struct {
	mu    sync.Mutex
	heard map[string][]sighting // by node, the latest last
}

type sighting struct {
	instance, address string
	gone              time.Time // when it counts as gone, unless it is heard again
}

// mostTwins is how many instances of one node are kept at a time.
const mostTwins = 4

// note takes down who called, and gives another instance of the same node that is heard as well.
func (c *callers) note(who peer.Caller, instance string, now time.Time) *peer.Twin {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.heard == nil {
		c.heard = map[string][]sighting{}
	}
	kept := slices.DeleteFunc(c.heard[who.Name], func(s sighting) bool { return s.instance == instance || now.After(s.gone) })
	var twin *peer.Twin
	if len(kept) > 0 {
		last := kept[len(kept)-1]
		twin = &peer.Twin{Instance: last.instance, Address: last.address}
	}
	kept = append(kept, sighting{instance, who.Address, now.Add(max(stale, who.Again+who.Again/2))})
	c.heard[who.Name] = kept[max(0, len(kept)-mostTwins):]
	return twin
}
