package firstboot

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"slipway/firstboot/etcd"
)

// roll is what the formed cluster says of its members, and how they are.
type roll struct {
	Members []etcd.Member
	Quorum  bool             // the list is the quorum's; else one member alone remembers it
	Ill     map[uint64]error // voters that have started and do not answer as members of a quorum, and why
	Empty   map[string]bool  // etcd nodes that say themselves that they have no data: they wait to be replaced as well
	Alive   map[uint64]bool  // members that answer at the address that they gave
	Holder  etcd.Holder      // of the lock
	Trouble []string         // etcd nodes that did not give the list, each with the reason
	Twin    string           // address of this node at which another instance answers
}

// joiner is the node that wants in.
type joiner struct {
	Name     string
	Instance string
	PeerURL  string
	Joining  string // id of the learner that it knows to be itself, in hex
	Verdict  verdict
	Met      bool // every other etcd node has answered, and whoever cannot be asked had time to tell what it remembers
}

// move is what a joiner does next, and why.
type move struct {
	Do      action
	Reason  string
	Remove  []uint64 // enter: members that go first
	Promote []uint64 // enter: learners of others that live: they are given their vote first
	Cluster string   // start: the members as etcd wants to be told of them
}

type action string

const (
	moveWait   action = "wait"
	moveStart  action = "start" // it is in the list, and nobody has started it
	moveEnter  action = "enter" // under the lock: leftovers are removed, and it is added as a learner
	moveRefuse action = "refuse"
)

// next decides how a node comes into a cluster that has formed. It never leads to a new cluster, and never takes a member out
// that lives, nor one without which the others that are well are no quorum (ADR 34).
//
//   - Without a quorum nothing can be changed. A node that never ran a member, by everybody's word, may still be what
//     brings the quorum back: it starts as what it is in the list.
//   - It is in the list and was never started: start. As a learner only if it is the one that this node added; whose the
//     others are is not known, nor whether they ran.
//   - It is in the list and was started, by another instance: that one is removed, and this one added, unless it lives.
//   - It is not in the list: added. In each case as a learner, so that it has no vote before it has the data.
//   - Others' learners are left over from a joiner that died: whoever has the lock is the only one at work. One that
//     lives gets its vote, one that does not is removed.
func next(r roll, j joiner) move {
	mine := slices.DeleteFunc(slices.Clone(r.Members), func(m etcd.Member) bool { return m.Name != j.Name && !slices.Contains(m.PeerURLs, j.PeerURL) })
	if r.Twin != "" {
		return move{Do: moveRefuse, Reason: fmt.Sprintf("another machine with the name and key of this node answers at %s: it stays the member\nhint: switch this machine off, or that one", r.Twin)}
	}
	for _, m := range mine {
		if m.Started() && r.Alive[m.ID] {
			return move{Do: moveRefuse, Reason: fmt.Sprintf("another machine is member %q of the cluster and lives, at %s: it stays the member\nhint: switch this machine off, or that one", j.Name, list(m.ClientURLs))}
		}
	}
	fresh := len(mine) == 1 && !mine[0].Started() && !mine[0].IsLearner && j.Verdict.Start == startLate
	own := len(mine) == 1 && !mine[0].Started() && mine[0].IsLearner && etcd.Hex(mine[0].ID) == j.Joining
	switch {
	case !r.Quorum && fresh && j.Met:
		return move{Do: moveStart, Reason: "its place in the cluster was never taken, and the others have no quorum without it", Cluster: r.cluster(j)}
	case !r.Quorum:
		return move{Do: moveWait, Reason: fmt.Sprintf("a quorum of the etcd members, because %s: %s\nhint: bring the others back; if they are lost, restore one's disk, or raise cluster.epoch on every node to give the data up", j.Verdict.Reason, r.trouble())}
	case fresh:
		return move{Do: moveStart, Reason: "its place in the cluster was never taken", Cluster: r.cluster(j)}
	case own:
		return move{Do: moveStart, Reason: "it was added as a learner", Cluster: r.cluster(j)}
	}
	return r.enter(j, mine)
}

// enter decides what has to go before a node is added.
func (r roll) enter(j joiner, mine []etcd.Member) move {
	switch {
	case r.Holder == etcd.Holder{} || r.Holder == etcd.Holder{Node: j.Name, Instance: j.Instance}:
	case r.Holder.Node == j.Name:
		return move{Do: moveWait, Reason: "the turn of this node's former instance to end, which takes a minute"}
	default:
		return move{Do: moveWait, Reason: r.Holder.Node + " to have joined: one node at a time\nhint: if that machine was switched off, its turn ends after a minute"}
	}
	m := move{Do: moveEnter, Reason: "to be added to the cluster as a learner"}
	for _, old := range mine {
		if why := r.indispensable(mine); !old.IsLearner && why != "" {
			return move{Do: moveWait, Reason: why}
		}
		m.Remove, m.Reason = append(m.Remove, old.ID), "to be added to the cluster as a learner, in the place of the member that it was"
	}
	for _, left := range r.Members {
		switch {
		case !left.IsLearner || slices.Contains(m.Remove, left.ID):
		case left.Started() && r.Alive[left.ID]:
			m.Promote = append(m.Promote, left.ID)
		default:
			m.Remove = append(m.Remove, left.ID)
		}
	}
	return m
}

// indispensable says why these voters cannot be taken out: those that are well without them must be a majority of the list as it is.
// They are then one of the shorter list as well, and nothing that a quorum acknowledged gets lost on the way (TestModelOfReplacing).
// It is empty if they can be.
func (r roll) indispensable(out []etcd.Member) string {
	voters, well := 0, 0
	var missing []string
	for _, m := range r.Members {
		gone := slices.ContainsFunc(out, func(o etcd.Member) bool { return o.ID == m.ID })
		switch err := r.Ill[m.ID]; {
		case m.IsLearner:
			continue
		case gone:
		case err != nil:
			missing = append(missing, fmt.Sprintf("%s (%v)", cmp.Or(m.Name, etcd.Hex(m.ID)), err))
		case !m.Started():
			missing = append(missing, cmp.Or(m.Name, etcd.Hex(m.ID))+" (it has not started)")
		default:
			well++
		}
		voters++
	}
	if well > voters/2 {
		return ""
	}
	return fmt.Sprintf("%d of %d members to be well, before the one of this node is replaced: %s", voters/2+1, voters, list(missing))
}

// ill says which voters but one are not well. One that is known to have lost its data is not waited for: it waits itself, and
// two of five would wait for each other for ever.
func (r roll) ill(but uint64) string {
	var texts []string
	for _, m := range r.Members {
		if err := r.Ill[m.ID]; err != nil && m.ID != but && !r.Empty[m.Name] {
			texts = append(texts, fmt.Sprintf("%s (%v)", cmp.Or(m.Name, etcd.Hex(m.ID)), err))
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return list(texts)
}

func (r roll) trouble() string {
	if len(r.Trouble) == 0 {
		return "there are no others"
	}
	return list(r.Trouble)
}

// cluster is ETCD_INITIAL_CLUSTER: every member by a name and its peer URLs. etcd goes by the URLs; of the names only its own
// must be right.
func (r roll) cluster(j joiner) string {
	var parts []string
	for _, m := range r.Members {
		name := cmp.Or(m.Name, etcd.Hex(m.ID))
		if slices.Contains(m.PeerURLs, j.PeerURL) {
			name = j.Name
		}
		for _, url := range m.PeerURLs {
			parts = append(parts, name+"="+url)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// healthy says whether the others have a quorum, and none of them is ill: what a member may be given up for.
func (r roll) healthy(but uint64) bool { return r.Quorum && r.ill(but) == "" }
