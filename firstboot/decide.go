package firstboot

import (
	"fmt"
	"slices"
	"strings"

	"slipway/firstboot/peer"
)

// How an etcd member may start.
type start string

const (
	startRestart start = "restart" // it has its data
	startNew     start = "new"     // it forms the cluster together with the static peers
	startJoin    start = "join"    // the cluster is there without it
	startWait    start = "wait"    // it is not known yet
	startRefuse  start = "refuse"  // never with this config
)

// world is what an etcd node can know before it starts its member.
type world struct {
	Cluster string
	Epoch   int
	Token   string
	HasData bool
	Journal string // token in the own journal, empty when it has none
	Formed  bool   // the journal says: the cluster of the token Journal was formed
	Lost    bool   // a journal of this cluster could not be read: what it said is not known
	Peers   []view // every other etcd node of the inventory
}

// view is what one other etcd node said, or why it said nothing.
type view struct {
	Name        string
	Attestation *peer.Attestation
	Err         error
}

// verdict is the decision and its reason, for people.
type verdict struct {
	Start  start
	Reason string
}

// decide holds the rules by which an etcd member starts. It must never let a member that lost its data start a
// second cluster, and must never need a hand for a first formation.
//
//   - Data of this cluster: start with it. Data of another id or epoch: refuse.
//   - Somebody has a higher epoch: this node's config is old, refuse. Lower epochs are other clusters: they count as absent.
//   - The own journal or any peer says "formed": join; never fall from join to new.
//   - A journal that was lost may have said so too: never new.
//   - Otherwise new, once a majority of the members (this one included) says "not formed".
//
// A peer with data that has not yet seen the cluster formed counts as one that forms: it has started by these rules
// with the same token and the same peer list, and waits for its quorum. Two members that lost their data while the
// third is switched off cannot be told from a first formation with one machine dead: re-imaging a majority needs a
// higher epoch, which makes the survivor another cluster.
func decide(w world) verdict {
	if w.HasData {
		return decideWithData(w)
	}
	if v, ok := refuseByEpoch(w); ok {
		return v
	}
	if w.Formed && w.Journal == w.Token {
		return verdict{startJoin, "this node belonged to the formed cluster, and its etcd data is gone"}
	}
	clean, formed, silent := w.votes()
	if len(formed) > 0 {
		return verdict{startJoin, "formed, says " + list(formed)}
	}
	if w.Lost {
		return verdict{startRefuse, "this node's journal was lost, and there is no etcd data: nobody knows whether it belonged to a formed cluster\nhint: if it never did, or if that cluster may be given up, raise cluster.epoch on every node"}
	}
	members, agreed := len(w.Peers)+1, len(clean)+1
	if majority := members/2 + 1; agreed < majority {
		return verdict{startWait, fmt.Sprintf("%d of %d etcd nodes: no answer from %s", majority, members, list(silent))}
	}
	return verdict{startNew, fmt.Sprintf("%d of %d etcd nodes say that the cluster never formed", agreed, members)}
}

// votes sorts the peers into those that say "never formed", those that say "formed", and those that have no say, with the
// reason.
func (w world) votes() (clean, formed, silent []string) {
	for _, p := range w.Peers {
		switch a := p.Attestation; {
		case a == nil:
			silent = append(silent, fmt.Sprintf("%s (%v)", p.Name, p.Err))
		case a.Cluster != w.Cluster || a.Epoch != w.Epoch:
			silent = append(silent, fmt.Sprintf("%s (of %s/%d)", p.Name, a.Cluster, a.Epoch))
		case a.Formed:
			formed = append(formed, p.Name)
		case a.Unsure:
			silent = append(silent, p.Name+" (its journal was lost)")
		default:
			clean = append(clean, p.Name)
		}
	}
	return clean, formed, silent
}

func decideWithData(w world) verdict {
	if w.Journal != "" && w.Journal != w.Token {
		return verdict{startRefuse, fmt.Sprintf("the etcd data here is of %q, and the node config is of %q\nhint: re-image the node to give the data up", w.Journal, w.Token)}
	}
	return verdict{startRestart, "etcd data is here"}
}

func refuseByEpoch(w world) (verdict, bool) {
	for _, p := range w.Peers {
		if a := p.Attestation; a != nil && a.Cluster == w.Cluster && a.Epoch > w.Epoch {
			return verdict{startRefuse, fmt.Sprintf("node %q is at epoch %d, this node's config is of epoch %d: it is out of date", p.Name, a.Epoch, w.Epoch)}, true
		}
	}
	return verdict{}, false
}

func list(names []string) string {
	slices.Sort(names)
	return strings.Join(names, ", ")
}
