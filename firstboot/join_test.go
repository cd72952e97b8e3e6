package firstboot

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"slipway/firstboot/etcd"
)

// TestNext is the table of all that a node may find when its cluster has formed.
func TestNext(t *testing.T) {
	const url = "https://10.0.0.13:2380"
	member := func(id uint64, name string, change ...func(*etcd.Member)) etcd.Member {
		m := etcd.Member{ID: id, Name: name, PeerURLs: []string{"https://" + name + ":2380"}, ClientURLs: []string{"https://" + name + ":2379"}}
		if name == "cp3" || name == "" {
			m.PeerURLs = []string{url}
		}
		for _, c := range change {
			c(&m)
		}
		return m
	}
	unstarted := func(m *etcd.Member) { m.ClientURLs = nil }
	nameless := func(m *etcd.Member) { m.Name, m.ClientURLs = "", nil }
	learner := func(m *etcd.Member) { m.IsLearner = true }
	cp1, cp2 := member(1, "cp1"), member(2, "cp2")
	ill := map[uint64]error{2: errors.New("no answer")}
	for _, c := range []struct {
		name   string
		roll   roll
		joiner joiner
		want   action
		reason string // part of it
		remove []uint64
	}{
		{"late, never started", roll{Quorum: true, Members: []etcd.Member{cp1, cp2, member(3, "cp3", unstarted)}}, joiner{Verdict: verdict{Start: startLate}}, moveStart, "never taken", nil},
		{"late, another is ill", roll{Quorum: true, Ill: ill, Members: []etcd.Member{cp1, cp2, member(3, "cp3", unstarted)}}, joiner{Verdict: verdict{Start: startLate}}, moveStart, "never taken", nil},
		{"late, and started by nobody knows whom", roll{Quorum: true, Members: []etcd.Member{cp1, cp2, member(3, "cp3")}}, joiner{Verdict: verdict{Start: startLate}}, moveEnter, "in the place", []uint64{3}},
		{"wiped before it had told that it started", roll{Quorum: true, Members: []etcd.Member{cp1, cp2, member(3, "cp3", unstarted)}}, joiner{Verdict: verdict{Start: startReplace}}, moveEnter, "in the place", []uint64{3}},
		{"not listed", roll{Quorum: true, Members: []etcd.Member{cp1, cp2}}, joiner{Verdict: verdict{Start: startReplace}}, moveEnter, "to be added", nil},
		{"late, not listed", roll{Quorum: true, Members: []etcd.Member{cp1, cp2}}, joiner{Verdict: verdict{Start: startLate}}, moveEnter, "to be added", nil},
		{"not listed, another is ill", roll{Quorum: true, Ill: ill, Members: []etcd.Member{cp1, cp2}}, joiner{}, moveEnter, "to be added", nil},
		{"wiped", roll{Quorum: true, Members: []etcd.Member{cp1, cp2, member(3, "cp3")}}, joiner{Verdict: verdict{Start: startReplace}}, moveEnter, "in the place", []uint64{3}},
		{"wiped, the member is ill, of course", roll{Quorum: true, Ill: map[uint64]error{3: errors.New("x")}, Members: []etcd.Member{cp1, cp2, member(3, "cp3")}}, joiner{}, moveEnter, "", []uint64{3}},
		{"wiped, another is ill", roll{Quorum: true, Ill: ill, Members: []etcd.Member{cp1, cp2, member(3, "cp3")}}, joiner{}, moveWait, "2 of 3 members to be well, before the one of this node is replaced: cp2 (no answer)", nil},
		{"wiped, another is wiped as well", roll{Quorum: true, Ill: ill, Empty: map[string]bool{"cp2": true}, Members: []etcd.Member{cp1, cp2, member(3, "cp3"), member(4, "cp4"), member(5, "cp5")}}, joiner{}, moveEnter, "", []uint64{3}},
		{"wiped, one of five is dead", roll{Quorum: true, Ill: ill, Members: []etcd.Member{cp1, cp2, member(3, "cp3"), member(4, "cp4"), member(5, "cp5")}}, joiner{}, moveEnter, "", []uint64{3}},
		{"wiped, one is dead and one was taken out", roll{Quorum: true, Ill: ill, Members: []etcd.Member{cp1, cp2, member(3, "cp3"), member(4, "cp4")}}, joiner{}, moveWait, "3 of 4 members to be well", nil},
		{"wiped, another never started", roll{Quorum: true, Members: []etcd.Member{cp1, member(2, "cp2", unstarted), member(3, "cp3"), member(4, "cp4"), member(5, "cp5")}}, joiner{}, moveEnter, "", []uint64{3}},
		{"its own learner", roll{Quorum: true, Members: []etcd.Member{cp1, cp2, member(0x1f, "", nameless, learner)}}, joiner{Joining: "1f"}, moveStart, "as a learner", nil},
		{"its own learner, before it knew", roll{Quorum: true, Members: []etcd.Member{cp1, cp2, member(0x1f, "", nameless, learner)}}, joiner{}, moveEnter, "", []uint64{0x1f}},
		{"a learner of an instance before", roll{Quorum: true, Members: []etcd.Member{cp1, cp2, member(3, "cp3", learner)}}, joiner{}, moveEnter, "", []uint64{3}},
		{"a learner of an instance before, another is ill", roll{Quorum: true, Ill: ill, Members: []etcd.Member{cp1, cp2, member(3, "cp3", learner)}}, joiner{}, moveEnter, "", []uint64{3}},
		{"listed twice", roll{Quorum: true, Members: []etcd.Member{cp1, cp2, member(3, "cp3", func(m *etcd.Member) { m.PeerURLs = []string{"https://old:2380"} }), member(4, "", nameless, learner)}}, joiner{}, moveEnter, "", []uint64{3, 4}},
		{"another's dead learner", roll{Quorum: true, Members: []etcd.Member{cp1, member(2, "cp2", learner)}}, joiner{}, moveEnter, "", []uint64{2}},

		{"its member lives", roll{Quorum: true, Alive: map[uint64]bool{3: true}, Members: []etcd.Member{cp1, cp2, member(3, "cp3")}}, joiner{}, moveRefuse, "another machine is member \"cp3\" of the cluster and lives, at https://cp3:2379: it stays the member\nhint: ", nil},
		{"its learner lives", roll{Quorum: true, Alive: map[uint64]bool{3: true}, Members: []etcd.Member{cp1, cp2, member(3, "cp3", learner)}}, joiner{}, moveRefuse, "lives", nil},
		{"another instance answers here", roll{Twin: "10.0.0.13", Quorum: true, Members: []etcd.Member{cp1, cp2, member(3, "cp3", unstarted)}}, joiner{Verdict: verdict{Start: startLate}}, moveRefuse, "answers at 10.0.0.13", nil},

		{"another has the lock", roll{Quorum: true, Holder: etcd.Holder{Node: "cp2", Instance: "b"}, Members: []etcd.Member{cp1, cp2, member(3, "cp3")}}, joiner{}, moveWait, "cp2 to have joined: one node at a time", nil},
		{"an instance before has the lock", roll{Quorum: true, Holder: etcd.Holder{Node: "cp3", Instance: "b"}, Members: []etcd.Member{cp1, cp2, member(3, "cp3")}}, joiner{}, moveWait, "the turn of this node's former instance to end", nil},
		{"it has the lock", roll{Quorum: true, Holder: etcd.Holder{Node: "cp3", Instance: "a"}, Members: []etcd.Member{cp1, cp2, member(3, "cp3")}}, joiner{}, moveEnter, "", []uint64{3}},
		{"another has the lock, and it was never started", roll{Quorum: true, Holder: etcd.Holder{Node: "cp2", Instance: "b"}, Members: []etcd.Member{cp1, cp2, member(3, "cp3", unstarted)}}, joiner{Verdict: verdict{Start: startLate}}, moveStart, "", nil},

		{"no quorum, wiped", roll{Trouble: []string{"cp1 (no answer)"}, Members: []etcd.Member{cp1, cp2, member(3, "cp3")}}, joiner{Verdict: verdict{Start: startReplace, Reason: "it was wiped"}, Met: true}, moveWait, "a quorum of the etcd members, because it was wiped: cp1 (no answer)\nhint: ", nil},
		{"no quorum, wiped, never told that it started", roll{Members: []etcd.Member{cp1, cp2, member(3, "cp3", unstarted)}}, joiner{Verdict: verdict{Start: startReplace}, Met: true}, moveWait, "", nil},
		{"no quorum, late, all met", roll{Members: []etcd.Member{cp1, cp2, member(3, "cp3", unstarted)}}, joiner{Verdict: verdict{Start: startLate}, Met: true}, moveStart, "no quorum without it", nil},
		{"no quorum, late, one not met", roll{Members: []etcd.Member{cp1, cp2, member(3, "cp3", unstarted)}}, joiner{Verdict: verdict{Start: startLate}}, moveWait, "", nil},
		{"no quorum, late, started all the same", roll{Members: []etcd.Member{cp1, cp2, member(3, "cp3")}}, joiner{Verdict: verdict{Start: startLate}, Met: true}, moveWait, "", nil},
		{"nobody knows anything", roll{}, joiner{Verdict: verdict{Start: startLate}, Met: true}, moveWait, "there are no others", nil},
	} {
		c.joiner.Name, c.joiner.Instance, c.joiner.PeerURL = "cp3", "a", url
		got := next(c.roll, c.joiner)
		if got.Do != c.want || !strings.Contains(got.Reason, c.reason) || !slices.Equal(got.Remove, c.remove) || got.Reason == "" {
			t.Errorf("%s: %+v, want %s (...%s...) %v", c.name, got, c.want, c.reason, c.remove)
		}
		if (got.Do == moveStart) != (got.Cluster != "") {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestNextKeepsOthers: a learner of another node that lives gets its vote, and whatever is removed, no voter of another node is.
func TestNextKeepsOthers(t *testing.T) {
	live := etcd.Member{ID: 2, Name: "cp2", PeerURLs: []string{"p2"}, ClientURLs: []string{"c2"}, IsLearner: true}
	got := next(roll{Quorum: true, Alive: map[uint64]bool{2: true}, Members: []etcd.Member{{ID: 1, Name: "cp1", ClientURLs: []string{"c1"}}, live}}, joiner{Name: "cp3", PeerURL: "p3"})
	if got.Do != moveEnter || !slices.Equal(got.Promote, []uint64{2}) || len(got.Remove) > 0 {
		t.Errorf("%+v", got)
	}
}

// FuzzNext: whatever the list and however its members are, no voter of another node is ever removed, no member that lives, and
// nothing at all while the list is not the quorum's, or somebody else has the lock.
func FuzzNext(f *testing.F) {
	f.Add([]byte{0x01, 0x23, 0x45}, byte(1), byte(2))
	f.Add([]byte{0xff, 0x80, 0x13, 0x00}, byte(3), byte(0))
	f.Fuzz(func(t *testing.T, bits []byte, state, how byte) {
		r := roll{Quorum: state&1 != 0, Ill: map[uint64]error{}, Alive: map[uint64]bool{}, Empty: map[string]bool{"n1": state&8 != 0}}
		if state&2 != 0 {
			r.Holder = etcd.Holder{Node: "n9", Instance: "z"}
		}
		mine := map[uint64]bool{}
		for i, b := range bits[:min(len(bits), 7)] {
			id := uint64(i + 1)
			m := etcd.Member{ID: id, Name: []string{"n0", "n1", "n2", ""}[b&3], PeerURLs: []string{[]string{"p0", "p1"}[b>>2&1]}, IsLearner: b&8 != 0}
			if b&16 != 0 {
				m.ClientURLs = []string{"c"}
			}
			if b&32 != 0 {
				r.Ill[id] = errors.New("ill")
			}
			r.Alive[id] = b&64 != 0
			mine[id] = m.Name == "n0" || m.PeerURLs[0] == "p0"
			r.Members = append(r.Members, m)
		}
		j := joiner{Name: "n0", Instance: "a", PeerURL: "p0", Joining: "1", Met: state&4 != 0, Verdict: verdict{Start: []start{startLate, startReplace}[how&1], Reason: "x"}}
		got := next(r, j)
		if got.Do != moveEnter && len(got.Remove)+len(got.Promote) > 0 || got.Do == moveEnter && (!r.Quorum || state&2 != 0) {
			t.Errorf("%+v of %+v", got, r)
		}
		taken, left, well := false, 0, 0 // voters
		for _, m := range r.Members {
			switch {
			case m.IsLearner:
			case slices.Contains(got.Remove, m.ID):
				taken = true
			default:
				left++
				if m.Started() && r.Ill[m.ID] == nil {
					well++
				}
			}
		}
		if taken && well <= left/2 {
			t.Errorf("%v taken out, %d of the %d that are left are well: %+v", got.Remove, well, left, r)
		}
		for _, id := range got.Remove {
			m := r.Members[id-1]
			if !mine[id] && !m.IsLearner || m.Started() && r.Alive[id] {
				t.Errorf("removes %+v of %+v", m, r)
			}
		}
		if got.Do == moveStart && j.Verdict.Start == startReplace && j.Joining != "1" {
			t.Errorf("starts %+v", r)
		}
	})
}
