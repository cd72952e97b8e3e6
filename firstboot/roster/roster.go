// Package roster is who belongs to the cluster besides those that this node's config names: nodes that showed an entry which
// the operator signed (package node).
//
// Start with New, Admit and Lookup. It decides by what is signed alone: it talks to nobody and writes nothing. The config comes
// first: no entry takes a name, an address or pods from a node that it names.
package roster

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"slipway/node"
)

// most is how many entries are kept: more nodes than Kubernetes carries.
const most = 8192

// Roster may be used from several goroutines.
type Roster struct {
	cfg *node.Config
	ca  *x509.CertPool

	mu      sync.Mutex
	members map[string]member // by name
	owners  map[string]string // of an address or pods -> name
	version int               // counts changes
}

// member is an entry and how it was signed.
type member struct {
	entry  node.Entry
	signed node.SignedEntry
	kept   bool // by the cluster
}

// New is a roster that has nobody but those that the config names. The peer CA is what entries are proved against.
func New(cfg *node.Config, ca *x509.CertPool) *Roster {
	return &Roster{cfg: cfg, ca: ca, members: map[string]member{}, owners: map[string]string{}}
}

// Outdated says that something else counts for more than an entry: a newer one, or this node's config.
type Outdated struct{ text string }

func (o Outdated) Error() string { return o.text }

// Admit takes in an entry that is proved and claims nothing that is another's by a newer one. It is no error to bring one again.
// news says whether it was not known. An Outdated error is for a machine that an operator signed an entry for, but before another.
func (r *Roster) Admit(s node.SignedEntry) (e node.Entry, news bool, err error) {
	if e, known := r.has(s); known {
		return e, false, nil
	}
	if e, err = r.cfg.VerifyEntry(s, r.ca); err != nil {
		return e, false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old, known := r.members[e.Node.Name]
	if known && old.signed.Body == s.Body { // signed again
		return e, false, nil
	}
	losers, err := r.judge(e)
	if err != nil {
		return e, false, err
	}
	if len(r.members) >= most && len(losers) == 0 {
		return e, false, fmt.Errorf("%d nodes are known, and there is no room for more", most)
	}
	for _, name := range losers {
		r.forget(name)
	}
	r.version++
	r.members[e.Node.Name] = member{entry: e, signed: s}
	for _, claim := range claims(e.Node) {
		r.owners[claim] = e.Node.Name
	}
	return e, true, nil
}

// has finds an entry that was admitted already, byte for byte.
func (r *Roster) has(s node.SignedEntry) (node.Entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m, known := r.members[nameOf(s)]
	return m.entry, known && m.signed.Body == s.Body && bytes.Equal(m.signed.Signature, s.Signature)
}

// nameOf is who an entry is about, if it can be read.
func nameOf(s node.SignedEntry) string {
	e, err := s.Read()
	if err != nil {
		return ""
	}
	return e.Node.Name
}

// claims are what only one node can have, besides its name. Pods are compared as a whole: every entry has a slice of one size.
func claims(n node.Node) []string {
	all := []string{n.Address.Addr().String()}
	if n.PodCIDR.IsValid() {
		all = append(all, n.PodCIDR.String())
	}
	return all
}

// judge says whose entries an entry takes the place of.
func (r *Roster) judge(e node.Entry) (losers []string, err error) {
	if err := r.againstConfig(e.Node); err != nil {
		return nil, err
	}
	rivals := []string{e.Node.Name}
	for _, claim := range claims(e.Node) {
		if owner, taken := r.owners[claim]; taken {
			rivals = append(rivals, owner)
		}
	}
	for _, name := range rivals {
		rival, known := r.members[name]
		if !known {
			continue
		}
		if rival.entry.Serial >= e.Serial {
			return nil, outdated(e, rival.entry)
		}
		losers = append(losers, name)
	}
	return losers, nil
}

// againstConfig refuses what belongs to a node that the config names, or to the API.
func (r *Roster) againstConfig(n node.Node) error {
	if r.cfg.API.VIP == n.Address.Addr() {
		return Outdated{fmt.Sprintf("the address %s of node %q is the API's", r.cfg.API.VIP, n.Name)}
	}
	for _, c := range r.cfg.Nodes {
		switch {
		case c.Name == n.Name:
			return Outdated{fmt.Sprintf("the node %q of this cluster's config has another entry", n.Name)}
		case c.Address.Addr() == n.Address.Addr():
			return Outdated{fmt.Sprintf("the address %s of node %q is that of %q in this cluster's config", n.Address.Addr(), n.Name, c.Name)}
		case c.PodCIDR.IsValid() && n.PodCIDR.IsValid() && c.PodCIDR.Overlaps(n.PodCIDR):
			return Outdated{fmt.Sprintf("the pods %s of node %q are those of %q in this cluster's config", n.PodCIDR, n.Name, c.Name)}
		}
	}
	return nil
}

func outdated(e, rival node.Entry) error {
	what := "the name"
	if e.Node.Name != rival.Node.Name {
		what = fmt.Sprintf("the address or the pods of %q", rival.Node.Name)
	}
	if e.Serial == rival.Serial {
		return Outdated{fmt.Sprintf("another entry has %s and the same serial, %d, and does not say the same\nhint: make new configs from the one and only secrets folder", what, e.Serial)}
	}
	return Outdated{fmt.Sprintf("a newer entry has %s: serial %d, and this one's is %d\nhint: this machine's config is out of date: give it a new one, or switch it off", what, rival.Serial, e.Serial)}
}

func (r *Roster) forget(name string) {
	maps.DeleteFunc(r.owners, func(_, owner string) bool { return owner == name })
	delete(r.members, name)
}

// Lookup finds a node by name, in the config or by its entry.
func (r *Roster) Lookup(name string) (node.Node, bool) {
	if n, known := r.cfg.Lookup(name); known {
		return n, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m, known := r.members[name]
	return m.entry.Node, known
}

// All is every node that is known, those of the config first, then by name.
func (r *Roster) All() []node.Node {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]node.Node, 0, len(r.members))
	for _, m := range r.members {
		all = append(all, m.entry.Node)
	}
	slices.SortFunc(all, func(a, b node.Node) int { return strings.Compare(a.Name, b.Name) })
	return append(slices.Clone(r.cfg.Nodes), all...)
}

// Version is another number whenever All has changed.
func (r *Roster) Version() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.version
}

// Loose are the entries that the cluster is not known to keep, by name, as many as said.
func (r *Roster) Loose(atMost int) map[string]node.SignedEntry {
	r.mu.Lock()
	defer r.mu.Unlock()
	loose := map[string]node.SignedEntry{}
	for name, m := range r.members {
		if !m.kept && len(loose) < atMost {
			loose[name] = m.signed
		}
	}
	return loose
}

// Keep notes whether the cluster keeps an entry of this body for a node.
func (r *Roster) Keep(name, body string, kept bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m, known := r.members[name]; known && (m.signed.Body == body || !kept) {
		m.kept = kept
		r.members[name] = m
	}
}
