package firstboot

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"slices"
	"time"

	"slipway/firstboot/peer"
	"slipway/node"
)

// neighboursPath holds the list that this node had last, so that its routes are there after a boot before any control plane is.
const neighboursPath = "/var/lib/slipway/nodes.json"

// neighbourhood is which nodes with pods there are, as this node knows. It is the nodes step's alone.
type neighbourhood struct {
	list peer.List
	all  []peer.Neighbour
	next time.Time         // when the list is to be asked for again
	at   int               // which of the control planes is asked
	said map[string]string // by control plane, the tag that it has named and that was looked into
}

// lookAround brings the list up to date, and tells what is wrong with that. Without any list at all there is an error.
func (n *machine) lookAround(ctx context.Context) error {
	h := &n.around
	if h.list.Tag == "" {
		n.recall(h)
	}
	err := n.renew(ctx, h)
	texts := map[string]string{}
	if err != nil && h.list.Tag != "" {
		texts[n.self.Name] = "nodes that came since are not known here: " + err.Error()
	}
	n.notices.Replace("nodes", texts)
	if h.list.Tag != "" {
		return nil
	}
	return err
}

// recall reads what the node knew before. What cannot be read it gets anew.
func (n *machine) recall(h *neighbourhood) {
	data, err := n.FS.ReadFile(neighboursPath)
	if err == nil {
		list := peer.ListOf(data)
		if h.all, err = peer.ParseList(list); err == nil {
			h.list = list
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.log("forgetting which nodes there were: %v", err)
	}
}

// renew takes the list of the cluster's entries on a control plane that has read them, and asks another one everywhere else.
func (n *machine) renew(ctx context.Context, h *neighbourhood) error {
	if list, ok := n.nodeList(); ok {
		return n.adopt(h, list)
	}
	planes := slices.DeleteFunc(n.cfg.WithRole(node.ControlPlane), func(p node.Node) bool { return p.Name == n.self.Name })
	now, words := n.Clock.Now(), n.words(planes)
	switch {
	case h.list.Tag == "":
	case len(words) > 0:
		planes = h.news(planes, words)
	case now.Before(h.next):
		return nil
	}
	if len(planes) == 0 {
		return nil
	}
	if h.next.IsZero() {
		h.at = spread(n.self.Name)
	}
	var errs []error
	for range planes {
		p := planes[h.at%len(planes)]
		list, changed, err := n.ask(ctx, p, h.list.Tag)
		if err == nil {
			h.next = now.Add(max(eager, list.Again))
			h.heed(p.Name, words[p.Name])
			if !changed {
				return nil
			}
			return n.adopt(h, list)
		}
		errs = append(errs, err)
		h.at++
	}
	return errors.Join(errs...)
}

// words are the tags of control planes' lists, by name, as they said when they attested last: those that are etcd members do. Only where
// so many call that they come late does a node go by them; of a few each asks every time it looks.
func (n *machine) words(planes []node.Node) map[string]string {
	words := map[string]string{}
	for _, v := range n.met.list(planes) {
		if v.Attestation != nil && v.Attestation.List != "" && v.Attestation.Again > calm {
			words[v.Name] = v.Attestation.List
		}
	}
	return words
}

// news are the control planes that have come to another list than this node has. What one said before is no news: two whose lists
// differ for a while do not make this node go back and forth.
func (h *neighbourhood) news(planes []node.Node, words map[string]string) []node.Node {
	var news []node.Node
	for _, p := range planes {
		switch word := words[p.Name]; word {
		case "", h.said[p.Name]:
		case h.list.Tag:
			h.heed(p.Name, word)
		default:
			news = append(news, p)
		}
	}
	return news
}

func (h *neighbourhood) heed(name, word string) {
	if h.said == nil {
		h.said = map[string]string{}
	}
	h.said[name] = word
}

func (n *machine) ask(ctx context.Context, p node.Node, tag string) (peer.List, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, peer.Timeout)
	defer cancel()
	return n.peers.Nodes(ctx, p, tag)
}

// adopt takes a list over, and keeps it.
func (n *machine) adopt(h *neighbourhood, list peer.List) error {
	if list.Tag == h.list.Tag {
		return nil
	}
	all, err := peer.ParseList(list)
	if err != nil {
		return err
	}
	h.all, h.list = all, peer.ListOf(list.Data)
	if err := n.write(neighboursPath, list.Data, 0o600); err != nil {
		return fmt.Errorf("keeping the list of nodes: %w", err)
	}
	return nil
}

// spread gives nodes different control planes to ask.
func spread(name string) int {
	h := fnv.New32a()
	h.Write([]byte(name)) // which cannot fail
	return int(h.Sum32() & 0xffff)
}
