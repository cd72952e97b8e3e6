package firstboot

import (
	"errors"
	"strings"
	"testing"
	"time"

	"slipway/firstboot/peer"
)

// TestDecide is the table of all rules. F numbers are the failure matrix of formation: F3 one member re-imaged with
// its peers up, F4 with its peers down, F5 two of three re-imaged, F6 all re-imaged by intent, F7 one dead on arrival.
func TestDecide(t *testing.T) {
	own := func(change func(*world)) world {
		w := world{Cluster: "demo", Epoch: 2, Token: "demo/2", Node: "a", Instance: "a1", Asked: listening}
		change(&w)
		return w
	}
	absent := func(name string) view { return view{Name: name, Err: errors.New("no answer")} }
	says := func(name string, formed, data bool) view {
		return view{Name: name, Attestation: &peer.Attestation{Node: name, Cluster: "demo", Epoch: 2, Testimony: peer.Testimony{Formed: formed}, HasData: data}}
	}
	of := func(name, cluster string, epoch int, formed bool) view {
		return view{Name: name, Attestation: &peer.Attestation{Node: name, Cluster: cluster, Epoch: epoch, Testimony: peer.Testimony{Formed: formed}, HasData: formed}}
	}
	unsure := func(name string) view {
		v := says(name, false, false)
		v.Attestation.Unsure = true
		return v
	}
	// knows is a peer that never saw the cluster formed, and knows of instances of this node.
	knows := func(name string, instances ...string) view {
		v := says(name, false, false)
		v.Attestation.Started = map[string][]string{"a": instances}
		return v
	}
	twin := func(name string) view {
		v := says(name, false, false)
		v.Attestation.Twin = &peer.Twin{Instance: "a2", Address: "10.0.0.99"}
		return v
	}
	with := func(peers ...view) func(*world) { return func(w *world) { w.Peers = peers } }
	for _, test := range []struct {
		name   string
		world  world
		want   start
		reason string // part of it
	}{
		{"single, nothing there", own(with()), startNew, "1 of 1"},
		{"single, data", own(func(w *world) { w.HasData = true }), startRestart, ""},
		{"single, data and journal", own(func(w *world) { w.HasData, w.Journal, w.Formed = true, "demo/2", true }), startRestart, ""},
		{"single, data and a journal that never saw it formed", own(func(w *world) { w.HasData, w.Journal = true, "demo/2" }), startRestart, ""},
		{"single, data of another epoch", own(func(w *world) { w.HasData, w.Journal, w.Formed = true, "demo/1", true }), startRefuse, `"demo/1"`},
		{"single, data lost", own(func(w *world) { w.Journal, w.Formed = "demo/2", true }), startReplace, "data is gone"},
		{"single, started before, no data yet", own(func(w *world) { w.Journal, w.Started, w.Known = "demo/2", true, []string{"a1"} }), startNew, ""},
		{"F6 single, journal of the epoch before", own(func(w *world) { w.Journal, w.Formed = "demo/1", true }), startNew, ""},

		{"three, nobody else up", own(with(absent("b"), absent("c"))), startWait, "2 of 3 etcd nodes: no answer from b (no answer), c (no answer)"},
		{"F7 three, one dead on arrival", own(with(says("b", false, false), absent("c"))), startNew, "2 of 3"},
		{"three, all clean", own(with(says("b", false, false), says("c", false, false))), startNew, "3 of 3"},
		{"three, the others have started and wait", own(with(says("b", false, true), absent("c"))), startNew, ""},
		{"F7 the third comes late", own(with(says("b", true, true), says("c", true, true))), startLate, "b, c"},
		{"F3 re-imaged, peers up", own(with(says("b", true, true), says("c", true, true))), startLate, ""},
		{"F3 re-imaged, one peer up", own(with(says("b", true, true), absent("c"))), startLate, ""},
		{"F4 re-imaged, peers down", own(with(absent("b"), absent("c"))), startWait, ""},
		{"F4 data lost, peers down", own(func(w *world) {
			w.Journal, w.Formed, w.Peers = "demo/2", true, []view{absent("b"), absent("c")}
		}), startReplace, ""},
		{"F5 two re-imaged, the survivor up", own(with(says("b", false, false), says("c", true, true))), startLate, "formed, says c"},
		{"F5 data lost on a peer, its journal there", own(with(says("b", true, false), absent("c"))), startLate, ""},
		{"F5 the survivor itself", own(func(w *world) {
			w.HasData, w.Journal, w.Formed, w.Peers = true, "demo/2", true, []view{says("b", false, false), says("c", false, false)}
		}), startRestart, ""},
		{"F6 all new, a straggler of the old epoch", own(with(says("b", false, false), of("c", "demo", 1, true))), startNew, "2 of 3"},
		{"F6 only stragglers answer", own(with(of("b", "demo", 1, true), of("c", "demo", 1, true))), startWait, "b (of demo/1)"},
		{"F6 the straggler itself, without data", own(with(of("b", "demo", 3, true), absent("c"))), startRefuse, "epoch 3"},
		{"F6 a peer of a later epoch, not formed yet", own(with(of("b", "demo", 3, false), says("c", false, false))), startRefuse, "out of date"},
		{"another cluster is no vote", own(with(of("b", "other", 2, false), absent("c"))), startWait, "b (of other/2)"},
		{"another cluster that formed is none of ours", own(with(of("b", "other", 2, true), says("c", false, false))), startNew, ""},

		{"journal lost, all clean", own(func(w *world) {
			w.Journal, w.Lost, w.Peers = "demo/2", true, []view{says("b", false, false), says("c", false, false)}
		}), startRefuse, "journal was lost"},
		{"journal lost, alone", own(func(w *world) { w.Journal, w.Lost = "demo/2", true }), startRefuse, "cluster.epoch"},
		{"journal lost, a peer knows", own(func(w *world) {
			w.Journal, w.Lost, w.Peers = "demo/2", true, []view{says("b", true, true), absent("c")}
		}), startReplace, "formed, says b, and this node's journal was lost"},
		{"journal lost, data here", own(func(w *world) { w.HasData, w.Journal, w.Lost = true, "demo/2", true }), startRestart, ""},
		{"a peer that lost its journal is no vote", own(with(unsure("b"), absent("c"))), startWait, "b (it lost what it knew), c (no answer)"},
		{"a peer that lost its journal, one clean", own(with(unsure("b"), says("c", false, false))), startNew, "2 of 3"},
		{"a peer with another key", own(with(view{Name: "b", Err: errors.New("the key of \"b\" is not the one in the inventory")}, absent("c"))), startWait, `b (the key of "b"`},

		{"wiped, a peer remembers", own(with(knows("b", "a0"), says("c", false, false))), startReplace, "before it was wiped, as instance a0"},
		{"wiped, a peer remembers, and forgot the rest", own(func(w *world) {
			v := knows("b", "a0")
			v.Attestation.Unsure = true
			w.Peers = []view{v, says("c", false, false)}
		}), startReplace, "a0"},
		{"wiped, told before", own(func(w *world) {
			w.Known, w.Peers = []string{"a0"}, []view{says("b", false, false), says("c", false, false)}
		}), startReplace, "a0"},
		{"wiped, alone, told by a worker", own(func(w *world) { w.Known = []string{"a0"} }), startReplace, "a0"},
		{"wiped, and the cluster has formed", own(with(knows("b", "a0"), says("c", true, true))), startReplace, "a0"},
		{"wiped, remembered by one of another epoch", own(func(w *world) {
			v := of("b", "demo", 1, true)
			v.Attestation.Started = map[string][]string{"a": {"a0"}}
			w.Peers = []view{v, says("c", false, false)}
		}), startNew, ""},
		{"put back to before its start", own(with(knows("b", "a1"), says("c", false, false))), startReplace, "a1"},
		{"told by a worker that it formed", own(func(w *world) { w.Told, w.Peers = "w1", []view{says("b", false, false), says("c", false, false)} }), startLate, "formed, said w1"},
		{"another machine of this name", own(with(twin("b"), says("c", false, false))), startWait, "at 10.0.0.99, to go away"},
		{"another machine of this name, data here", own(func(w *world) { w.HasData, w.Peers = true, []view{twin("b"), says("c", false, false)} }), startRestart, ""},

		{"grace, one missing", own(func(w *world) { w.Grace, w.Asked, w.Peers = 20e9, 19e9, []view{says("b", false, false), absent("c")} }), startWait, "all 3 etcd nodes, for 20s, before 2 of them begin: no answer from c"},
		{"grace is over", own(func(w *world) { w.Grace, w.Asked, w.Peers = 20e9, 20e9, []view{says("b", false, false), absent("c")} }), startNew, "2 of 3"},
		{"grace, all there", own(func(w *world) { w.Grace, w.Peers = 20e9, []view{says("b", false, false), says("c", false, false)} }), startNew, "3 of 3"},
		{"grace, no majority after it", own(func(w *world) { w.Asked, w.Peers = 20e9, []view{absent("b"), absent("c")} }), startWait, "2 of 3"},
		{"all there, and others that may know", own(func(w *world) {
			w.Asked, w.Peers = listening-1, []view{says("b", false, false), says("c", false, false)}
		}), startWait, "other nodes to say, within 4s"},
		{"all there, and others had their time", own(func(w *world) {
			w.Asked, w.Peers = listening, []view{says("b", false, false), says("c", false, false)}
		}), startNew, ""},

		{"five, two clean", own(with(says("b", false, false), absent("c"), absent("d"), absent("e"))), startWait, "3 of 5"},
		{"five, three clean", own(with(says("b", false, false), says("c", false, false), absent("d"), absent("e"))), startNew, "3 of 5"},
		{"five, one formed against the rest", own(with(says("b", false, false), says("c", false, false), says("d", false, false), says("e", true, true))), startLate, "e"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := decide(test.world)
			if got.Start != test.want || !strings.Contains(got.Reason, test.reason) || got.Reason == "" {
				t.Errorf("%s (%s), want %s (...%s...)", got.Start, got.Reason, test.want, test.reason)
			}
		})
	}
}

// TestKnown: a member starts once a majority knows that it does, itself included.
func TestKnown(t *testing.T) {
	for _, c := range []struct {
		name    string
		started bool
		formed  bool
		knowing int // of two peers
		start   start
		known   bool
	}{
		{"nothing said", false, false, 0, startNew, false},
		{"not heard yet", true, false, 0, startNew, false},
		{"heard by one", true, false, 1, startNew, true},
		{"late, not heard yet", true, true, 0, startLate, false},
		{"late, heard by one", true, true, 1, startLate, true},
	} {
		w := world{Cluster: "demo", Epoch: 2, Token: "demo/2", Node: "a", Instance: "a1", Journal: "demo/2", Started: c.started, Asked: listening}
		for i, name := range []string{"b", "c"} {
			a := peer.Attestation{Node: name, Cluster: "demo", Epoch: 2, Testimony: peer.Testimony{Formed: c.formed}}
			if i < c.knowing {
				a.Started = map[string][]string{"a": {"a1"}}
			}
			w.Peers = append(w.Peers, view{Name: name, Attestation: &a})
		}
		if got := decide(w); got.Start != c.start || got.Known != c.known {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// FuzzDecide looks for the one thing that must never be: a new cluster beside one that somebody saw formed, or may have
// seen formed, or by a node that somebody knows to have been there before: who does not know has no vote.
func FuzzDecide(f *testing.F) {
	f.Add(false, false, false, byte(0), byte(1), byte(0))
	f.Add(false, true, false, byte(3), byte(9), byte(0))
	f.Add(false, false, true, byte(3), byte(35), byte(0))
	f.Add(false, false, false, byte(3), byte(67), byte(2))
	f.Fuzz(func(t *testing.T, data, formed, lost bool, b, c, memory byte) {
		w := world{Cluster: "demo", Epoch: 2, Token: "demo/2", Node: "a", Instance: "a1", HasData: data, Formed: formed, Lost: lost, Journal: "demo/2",
			Started: memory&1 != 0, Grace: time.Minute, Asked: time.Duration(memory) * time.Second}
		never, votes := formed || lost, 1
		if memory&2 != 0 {
			w.Known, never = []string{"a0"}, true
		}
		if memory&4 != 0 {
			w.Told, never = "w", true
		}
		for i, bits := range []byte{b, c} {
			v := view{Name: string(rune('b' + i)), Err: errors.New("no answer")}
			if bits&1 != 0 {
				a := peer.Attestation{Cluster: "demo", Epoch: 1 + int(bits>>1&3), Testimony: peer.Testimony{Formed: bits&8 != 0}, HasData: bits&16 != 0, Unsure: bits&32 != 0}
				if bits&64 != 0 {
					a.Started = map[string][]string{"a": {"a0"}}
				}
				if bits&128 != 0 {
					a.Twin = &peer.Twin{}
				}
				never = never || a.Epoch == 2 && (a.Formed || bits&192 != 0)
				if a.Epoch == 2 && !a.Formed && !a.Unsure {
					votes++
				}
				v = view{Name: v.Name, Attestation: &a}
			}
			w.Peers = append(w.Peers, v)
		}
		got := decide(w)
		if got.Start == startNew && (never || data || votes < 2 || votes < 3 && w.Asked < w.Grace || w.Asked < listening) {
			t.Errorf("new in %+v", w)
		}
		if got.Known && !w.Started {
			t.Errorf("known before it was journalled in %+v", w)
		}
		if data != (got.Start == startRestart) {
			t.Errorf("%s with data=%v", got.Start, data)
		}
	})
}
