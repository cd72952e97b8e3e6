package firstboot

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/firstboot/peer"
)

// How an etcd member may start.
type start string

const (
	startRestart start = "restart" // it has its data
	startNew     start = "new"     // it forms the cluster together with the static peers
	startLate    start = "late"    // the cluster is there, and this node has never been in it
	startReplace start = "replace" // this node had a member, and lost its data: it comes back as another one
	startWait    start = "wait"    // it is not known yet
	startRefuse  start = "refuse"  // never with this config
)

// world is what an etcd node can know before it starts its member.
type world struct {
	Cluster  string
	Epoch    int
	Token    string
	Node     string
	Instance string
	HasData  bool
	Journal  string        // token in the own journal, empty when it has none
	Started  bool          // the journal says: this node has started its member for Token, or was about to
	Formed   bool          // the journal says: the cluster of the token Journal was formed
	Gone     string        // the journal says: the data of the member for Journal was put aside, and why
	Lost     bool          // a journal of this cluster could not be read: what it said is not known
	Told     string        // who told this node that the cluster has formed, as far as it remembers
	Known    []string      // instances of this node that are known to have started a member, as far as it remembers
	Peers    []view        // every other etcd node of the inventory
	Asked    time.Duration // how long this node has been asking, and could be told, since its daemon started
	Grace    time.Duration // how long a first formation waits for all members
}

// view is what one other etcd node said last, or why it said nothing.
type view struct {
	Name        string
	Attestation *peer.Attestation
	Err         error
}

var errNotMet = errors.New("not asked yet")

// verdict is the decision and its reason, for people.
type verdict struct {
	Start  start
	Reason string
	Known  bool // startNew and startLate: a majority remembers that this instance starts. Without, it must be told first
}

// listening is how long a node gives those that it cannot ask to tell what they remember of it: no config names the workers that
// may have come since. A call that began before this node served its API is given up within peer.Reach, the next one follows an eager
// second later, and has two more to arrive.
const listening = peer.Reach + 3*eager

// decide holds the rules by which an etcd member starts. It must never let a member that lost its data start as if it
// had never been, and must never need a hand for a first formation. See ADR 24 for what can go wrong in between.
//
//   - Data of this cluster: start with it. Data of another id or epoch: refuse.
//   - Somebody has a higher epoch: this node's config is old, refuse. Lower epochs are other clusters: they count as absent.
//   - Another machine with this node's name and key is about: wait. Whoever is there first must not be disturbed.
//   - Another instance of this node had started a member, by anybody's word, or this one had: its data is gone. It never
//     starts under the identity that it had, but is replaced by the formed cluster.
//   - The cluster has formed, by anybody's word: late; never new.
//   - A journal that was lost may have said so too: never new.
//   - Otherwise new: once all members say "not formed, and I know of no other instance of you", or, after the grace
//     period, a majority (this one included).
//
// A member is safe to start anew exactly if it never ran before: with the same token and peers it comes to the same
// cluster, empty, whether the others have begun or not. So a peer with data that has not seen the cluster formed is a
// vote. One that was wiped is none: it has nothing to tell. A start must be remembered by a majority before it happens.
// That covers the time until somebody sees the cluster formed: two members start, one is wiped and comes back, and the
// other, or whoever that one told, knows it by then. TestModel walks through all of this.
func decide(w world) verdict {
	if w.HasData {
		return decideWithData(w)
	}
	if v, ok := refuseByEpoch(w); ok {
		return v
	}
	votes := w.count()
	if len(votes.twins) > 0 {
		return verdict{Start: startWait, Reason: twinToGo(votes.twins)}
	}
	if w.Gone != "" && w.Journal == w.Token {
		return verdict{Start: startReplace, Reason: "the data of this node's member was put aside: " + w.Gone}
	}
	if w.Formed && w.Journal == w.Token {
		return verdict{Start: startReplace, Reason: "this node belonged to the formed cluster, and its etcd data is gone"}
	}
	if id := former(w.Instance, w.Started, append(votes.known, w.Known...)); id != "" {
		return verdict{Start: startReplace, Reason: fmt.Sprintf("this node had started a member before it was wiped, as instance %.8s", id)}
	}
	formed := len(votes.formed) > 0 || w.Told != ""
	if w.Lost && !formed {
		return verdict{Start: startRefuse, Reason: "this node's journal was lost, and there is no etcd data: nobody knows whether it belonged to a formed cluster\nhint: if it never did, or if that cluster may be given up, raise cluster.epoch on every node"}
	}
	if formed {
		return w.late(votes)
	}
	return w.begin(votes)
}

// late decides when the cluster has formed, and nobody knows of a member of this node. One whose journal was lost may have
// had one all the same.
func (w world) late(votes votes) verdict {
	reason := "the cluster has formed, said " + w.Told
	if len(votes.formed) > 0 {
		reason = "the cluster has formed, says " + list(votes.formed)
	}
	if w.Lost {
		return verdict{Start: startReplace, Reason: reason + ", and this node's journal was lost"}
	}
	return verdict{startLate, reason, w.known(votes)}
}

// begin decides when nothing speaks against a first formation.
func (w world) begin(votes votes) verdict {
	members, agreed := len(w.Peers)+1, len(votes.clean)+1
	majority := members/2 + 1
	switch {
	case agreed < majority:
		return verdict{Start: startWait, Reason: fmt.Sprintf("%d of %d etcd nodes: no answer from %s", majority, members, list(votes.silent))}
	case agreed < members && w.Asked < w.Grace:
		return verdict{Start: startWait, Reason: fmt.Sprintf("all %d etcd nodes, for %s, before %d of them begin: no answer from %s", members, w.Grace, majority, list(votes.silent))}
	case w.Asked < listening:
		return verdict{Start: startWait, Reason: fmt.Sprintf("other nodes to say, within %s, whether they remember this one", listening)}
	}
	return verdict{startNew, fmt.Sprintf("%d of %d etcd nodes say that the cluster never formed", agreed, members), w.known(votes)}
}

// known says whether a majority remembers that this instance starts.
func (w world) known(votes votes) bool { return w.Started && votes.aware+1 > (len(w.Peers)+1)/2 }

// votes is what the peers say, by name.
type votes struct {
	clean  []string // never formed, and nothing known that would speak against this node
	formed []string
	silent []string // those that have no say, with the reason
	known  []string // instances of this node that they know to have started a member
	aware  int      // how many know that this very instance starts
	twins  []string // addresses of other machines with this node's name and key, as they hear them
}

// count sorts the peers.
func (w world) count() votes {
	var v votes
	for _, p := range w.Peers {
		a := p.Attestation
		switch {
		case a == nil:
			v.silent = append(v.silent, fmt.Sprintf("%s (%v)", p.Name, p.Err))
			continue
		case a.Cluster != w.Cluster || a.Epoch != w.Epoch:
			v.silent = append(v.silent, fmt.Sprintf("%s (of %s/%d)", p.Name, a.Cluster, a.Epoch))
			continue
		case a.Formed:
			v.formed = append(v.formed, p.Name)
		case a.Unsure:
			v.silent = append(v.silent, p.Name+" (it lost what it knew)")
		default:
			v.clean = append(v.clean, p.Name)
		}
		if a.Has(w.Node, w.Instance) {
			v.aware++
		}
		v.known = append(v.known, a.Started[w.Node]...)
		if a.Twin != nil {
			v.twins = append(v.twins, a.Twin.Address)
		}
	}
	return v
}

func decideWithData(w world) verdict {
	if w.Journal != "" && w.Journal != w.Token {
		return verdict{Start: startRefuse, Reason: fmt.Sprintf("the etcd data here is of %q, and the node config is of %q\nhint: re-image the node to give the data up", w.Journal, w.Token)}
	}
	return verdict{Start: startRestart, Reason: "etcd data is here"}
}

func refuseByEpoch(w world) (verdict, bool) {
	for _, p := range w.Peers {
		if a := p.Attestation; a != nil && a.Cluster == w.Cluster && a.Epoch > w.Epoch {
			return verdict{Start: startRefuse, Reason: fmt.Sprintf("node %q is at epoch %d, this node's config is of epoch %d: it is out of date", p.Name, a.Epoch, w.Epoch)}, true
		}
	}
	return verdict{}, false
}

func list(names []string) string {
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
