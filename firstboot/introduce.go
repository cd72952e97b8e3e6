package firstboot

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"slipway/firstboot/peer"
	"slipway/firstboot/status"
	"slipway/node"
)

// introduce takes the entry of a caller: its own, by the name and the key that it has just shown. What the operator did not sign,
// and what is older than another's, is refused, and the status says so on both sides.
func (n *machine) introduce(c peer.Caller, s node.SignedEntry) error {
	if _, configured := n.cfg.Lookup(c.Name); configured { // by the key in the config, else it would not have come this far
		return nil
	}
	e, news, err := n.admit(c, s)
	if err != nil {
		n.notices.Put(status.Notice{Kind: "entry", Name: c.Address, Text: fmt.Sprintf("%q introduced itself and was refused: %v", c.Name, err)}, strangersStay)
		return err
	}
	if news {
		n.log("node %q at %s introduced itself, serial %d", e.Node.Name, e.Node.Address.Addr(), e.Serial)
	}
	return nil
}

func (n *machine) admit(c peer.Caller, s node.SignedEntry) (node.Entry, bool, error) {
	e, err := s.Read()
	if err != nil {
		return e, false, err
	}
	if c.Operator || e.Node.Name != c.Name || e.Node.Fingerprint != c.Fingerprint {
		return e, false, fmt.Errorf("the entry is that of %q, and not of the key that %q has", e.Node.Name, c.Name)
	}
	return n.roster.Admit(s)
}

// refusedBy names the peers that refuse this node's entry, if there are any and nobody takes it.
func (n *machine) refusedBy() string {
	var by []string
	for _, v := range n.met.list(n.others()) {
		if v.Attestation != nil {
			return ""
		}
		if refusal, ok := errors.AsType[*peer.Refusal](v.Err); ok && refusal.Code == http.StatusForbidden {
			by = append(by, v.Name)
		}
	}
	return list(by)
}

// noteRefused tells that others do not take this node's entry.
func (n *machine) noteRefused() {
	texts := map[string]string{}
	for _, v := range n.met.list(n.others()) {
		if refusal, ok := errors.AsType[*peer.Refusal](v.Err); ok && refusal.Code == http.StatusForbidden {
			texts[v.Name] = refusal.Said()
		}
	}
	n.notices.Replace("entry refused", texts)
}

// entries is what is known of the entries in the cluster. It may be used from several goroutines.
type entries struct {
	mu      sync.Mutex
	read    bool // all of them were read once
	version int  // of the roster that list is of
	list    peer.List
}

func (e *entries) allRead() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.read
}

func (e *entries) setRead() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.read = true
}

// nodeList is the list that this node gives to others, made anew when the roster has changed. Only control planes have all.
func (n *machine) nodeList() (peer.List, bool) {
	e := &n.entries
	e.mu.Lock()
	defer e.mu.Unlock()
	version := n.roster.Version()
	if !e.read {
		return peer.List{}, false
	}
	if e.list.Tag == "" || e.version != version {
		list, err := peer.NewList(neighbours(n.roster.All()))
		if err != nil {
			return peer.List{}, false
		}
		e.version, e.list = version, list
	}
	return e.list, true
}

// neighbours are the nodes that have pods.
func neighbours(all []node.Node) []peer.Neighbour {
	var list []peer.Neighbour
	for _, n := range all {
		if n.Has(node.Worker) && n.PodCIDR.IsValid() {
			list = append(list, peer.Neighbour{Name: n.Name, Address: n.Address.Addr(), Pods: n.PodCIDR})
		}
	}
	slices.SortFunc(list, func(a, b peer.Neighbour) int { return a.Address.Compare(b.Address) })
	return list
}
