package firstboot

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/firstboot/journal"
	"slipway/firstboot/peer"
	"slipway/node"
)

// small is a small world: three etcd nodes and a witness, which are switched on and off, wiped, cut off from each other, and
// meet, decide and form as the daemon and etcd would. Decisions and memories are the daemon's own functions.
type small struct {
	rules     func(world) verdict
	random    *rand.Rand
	nodes     []*smallNode
	harm      int // how often somebody is wiped
	cut       map[[2]string]bool
	instances int
	committed int    // entries that a quorum has acknowledged
	calm      bool   // there is all the time in the world
	tainted   bool   // a member started that had run before, and nobody who knew could be asked
	wrong     string // what must never happen
	past      []string
}

type smallNode struct {
	cfg      *node.Config
	name     string
	etcd     bool
	on       bool
	instance string
	journal  journal.Journal
	ran      bool            // an earlier instance of the node, or this one, has run a member: nobody in the world sees this
	data     bool            // of etcd
	runs     bool            // its etcd
	log      int             // entries that its data has
	shared   map[string]bool // it was in a quorum with these
	met      map[string]bool // since it was switched on
}

func newSmall(t *testing.T, seed uint64, rules func(world) verdict) *small {
	s := &small{rules: rules, random: rand.New(rand.NewPCG(seed, 0)), harm: int(seed % 6), cut: map[[2]string]bool{}}
	roles := map[string]node.Role{"a": node.Etcd, "b": node.Etcd, "c": node.Etcd, "w": node.Worker}
	var all []node.Node
	for _, name := range slices.Sorted(maps.Keys(roles)) {
		all = append(all, node.Node{Name: name, Roles: []node.Role{roles[name]}})
	}
	for _, n := range all {
		known := all // members know of no worker but those that call
		if n.Has(node.Etcd) {
			known = slices.DeleteFunc(slices.Clone(all), func(o node.Node) bool { return !o.Core() })
		}
		cfg := &node.Config{Cluster: node.Cluster{ID: "demo", Epoch: 1}, Node: n.Name, Nodes: known}
		cfg.Tuning.FormationGrace = node.Duration(time.Minute)
		s.nodes = append(s.nodes, &smallNode{cfg: cfg, name: n.Name, etcd: n.Has(node.Etcd), shared: map[string]bool{}})
	}
	return s
}

func (s *small) linked(x, y *smallNode) bool {
	pair := [2]string{min(x.name, y.name), max(x.name, y.name)}
	return x.on && y.on && !s.cut[pair]
}

// reachable are the others that a node can talk to now.
func (s *small) reachable(x *smallNode) []*smallNode {
	return slices.DeleteFunc(slices.Clone(s.nodes), func(y *smallNode) bool { return y == x || !s.linked(x, y) })
}

// meet is one exchange, with the view that x has of y then.
func (s *small) meet(x, y *smallNode) view {
	if !s.linked(x, y) {
		return view{Name: y.name, Err: errors.New("no answer")}
	}
	token, members := x.cfg.EtcdToken(), x.cfg.WithRole(node.Etcd)
	heed(&y.journal, token, members, x.name, testify(x.journal, token, x.instance))
	a := attest(y.journal, y.cfg, y.instance)
	a.HasData = y.data
	heed(&x.journal, token, members, y.name, a.Testimony)
	x.met[y.name], y.met[x.name] = true, true
	return view{Name: y.name, Attestation: &a}
}

// step lets a node meet all members and decide, as the etcd step does, and carry it out.
func (s *small) step(x *smallNode) {
	if !x.etcd || !x.on || x.runs {
		return
	}
	var views []view
	for _, y := range s.nodes {
		if y.etcd && y != x {
			views = append(views, s.meet(x, y))
		}
	}
	w := worldOf(x.journal, x.cfg, x.instance)
	w.HasData, w.Peers = x.data, views
	if !slices.ContainsFunc(s.reachable(x), func(y *smallNode) bool { return !x.met[y.name] }) { // everybody had the time to call
		w.Asked = []time.Duration{listening, time.Hour}[s.random.IntN(2)]
		if s.calm {
			w.Asked = time.Hour
		}
	}
	switch v := s.rules(w); {
	case v.Start == startRestart:
		x.runs = true
	case v.Start == startNew && !v.Known:
		begin(&x.journal, w.Token, x.name, x.instance, v.Start)
	case v.Start == startNew:
		s.run(x, v.Start)
	case v.Start == startReplace && len(s.quorum(x)) >= 2: // the others send it all that they have
		begin(&x.journal, w.Token, x.name, x.instance, v.Start)
		x.ran, x.data, x.runs, x.log = true, true, true, s.committed
	case v.Start == startLate && !v.Known:
		begin(&x.journal, w.Token, x.name, x.instance, v.Start)
	case v.Start == startLate && w.Asked > 0 && s.allMet(views) && len(s.quorum(x)) > 0: // nobody knows of a former instance, and somebody can be asked for the list
		s.run(x, v.Start)
	}
}

func (s *small) allMet(views []view) bool {
	return !slices.ContainsFunc(views, func(v view) bool { return v.Attestation == nil })
}

// run starts a member without data, under the identity that it has from the first.
func (s *small) run(x *smallNode, how start) {
	if x.ran {
		s.tainted = true
		for _, y := range s.reachable(x) {
			if y.remembers(x, how) {
				s.fail("%s starts as if it had never been (%s), and %s could have told", x.name, how, y.name)
			}
		}
	}
	begin(&x.journal, x.cfg.EtcdToken(), x.name, x.instance, how)
	x.ran, x.data, x.runs = true, true, true
}

// remembers says whether y knows that x was there before, or, of one that starts anew, that the cluster was.
func (y *smallNode) remembers(x *smallNode, how start) bool {
	t := testify(y.journal, y.cfg.EtcdToken(), y.instance)
	return t.Formed && how == startNew || y.shared[x.name] || slices.ContainsFunc(t.Started[x.name], func(i string) bool { return i != x.instance })
}

func (s *small) fail(format string, args ...any) {
	if s.wrong == "" {
		s.wrong = fmt.Sprintf(format, args...)
	}
}

// quorum is x's part of the members that run.
func (s *small) quorum(x *smallNode) []*smallNode {
	return slices.DeleteFunc(append(s.reachable(x), x), func(y *smallNode) bool { return !y.runs })
}

// commit lets the members around x, if they are a majority, acknowledge an entry. They elect the one with the longest log;
// if it lacks what was acknowledged before, there are two histories.
func (s *small) commit(x *smallNode) {
	q := s.quorum(x)
	if !x.runs || len(q) < 2 {
		return
	}
	longest := slices.MaxFunc(q, func(y, z *smallNode) int { return y.log - z.log }).log
	if longest < s.committed && !s.tainted {
		s.fail("a quorum has %d of %d entries", longest, s.committed)
	}
	s.committed = longest + 1
	for _, y := range q {
		y.log = s.committed
		for _, z := range q {
			y.shared[z.name] = true
		}
	}
}

// look lets a node see the cluster formed: a member its quorum, the witness an API server on any.
func (s *small) look(x *smallNode) {
	seen := x.runs && len(s.quorum(x)) >= 2
	if !x.etcd && x.on {
		seen = slices.ContainsFunc(s.reachable(x), func(y *smallNode) bool { return y.runs && len(s.quorum(y)) >= 2 })
	}
	if seen {
		x.journal.Token, x.journal.Formed, x.journal.Memory = x.cfg.EtcdToken(), true, x.journal.MemoryOf(x.cfg.EtcdToken())
		x.journal.Memory.AddFormed(x.name)
	}
}

func (s *small) power(x *smallNode, on bool) {
	x.on, x.runs = on, false
	x.met = map[string]bool{}
	if on && x.instance == "" {
		s.instances++
		x.instance = fmt.Sprintf("%s%d", x.name, s.instances)
	}
}

func (s *small) wipe(x *smallNode) {
	s.power(x, false)
	x.instance, x.journal, x.data, x.log, x.shared = "", journal.Journal{}, false, 0, map[string]bool{}
}

// event lets one thing happen. Wipes are rare: most of them would leave nothing to look at.
func (s *small) event() {
	x, y := s.nodes[s.random.IntN(len(s.nodes))], s.nodes[s.random.IntN(len(s.nodes))]
	kind := s.random.IntN(40+s.harm) - s.harm
	s.past = append(s.past, fmt.Sprintf("%d %s %s", kind, x.name, y.name))
	switch {
	case kind < 1:
		s.wipe(x)
	case kind < 3:
		s.power(x, !x.on)
	case kind < 5:
		pair := [2]string{min(x.name, y.name), max(x.name, y.name)}
		s.cut[pair] = !s.cut[pair]
	case kind < 10:
		s.power(x, true)
	case kind < 20 && x != y && y.etcd:
		s.meet(x, y)
	case kind < 32:
		s.step(x)
	case kind < 37:
		s.commit(x)
	default:
		s.look(x)
	}
}

// peace switches everything on, mends the network and lets everybody do what it does.
func (s *small) peace() {
	clear(s.cut)
	s.calm = true
	for _, x := range s.nodes {
		if !x.on {
			s.power(x, true)
		}
	}
	for range 12 {
		for _, x := range s.nodes {
			for _, y := range s.nodes {
				if x != y && y.etcd {
					s.meet(x, y)
				}
			}
		}
		for _, x := range s.nodes {
			s.step(x)
			s.commit(x)
			s.look(x)
		}
	}
}

// hope says whether there is always a cluster in the end: a majority of the members has its data, or never began. If it
// has formed before, one at least must have been there.
func (s *small) hope() bool {
	const token = "demo/1"
	able, data, formed := 0, false, false
	for _, x := range s.nodes {
		known := false
		for _, y := range s.nodes {
			known = known || former(x.instance, x.journal.StartedAs(token), y.journal.MemoryOf(token).Started[x.name]) != ""
		}
		formed = formed || testify(x.journal, token, x.instance).Formed
		data = data || x.data
		if x.etcd && (x.data || !known) {
			able++
		}
	}
	return !s.tainted && able >= 2 && (data || !formed)
}

func (s *small) String() string {
	var b strings.Builder
	for _, x := range s.nodes {
		fmt.Fprintf(&b, "\n%s: data %v, runs %v, log %d, %+v", x.instance, x.data, x.runs, x.log, x.journal)
	}
	return b.String()
}

// TestModel walks through random worlds. In none does a member that was wiped begin as if it had never been while anybody
// who knows better can be reached, so none loses what a quorum has acknowledged; and once there is peace, the cluster
// forms, and everybody is in it, if a majority of the members never lost anything.
func TestModel(t *testing.T) {
	walks := uint64(5000)
	if testing.Short() {
		walks = 1000
	}
	formed, tainted, hopeless := 0, 0, 0
	for seed := range walks {
		s := newSmall(t, seed, decide)
		for range 10 + s.random.IntN(80) {
			s.event()
		}
		hope := s.hope()
		s.peace()
		if s.wrong != "" {
			t.Fatalf("seed %d: %s\n%s", seed, s.wrong, strings.Join(s.past, "\n"))
		}
		all := !slices.ContainsFunc(s.nodes, func(x *smallNode) bool { return x.etcd && !x.runs || !x.journal.Formed })
		switch {
		case hope && !all:
			t.Fatalf("seed %d: not formed in peace: %s\n%s", seed, s, strings.Join(s.past, "\n"))
		case s.tainted:
			tainted++
		case !hope:
			hopeless++
		default:
			formed++
		}
	}
	t.Logf("%d formed; in %d all that remembers was off when a wiped member began; in %d too many had been wiped", formed, tainted, hopeless)
	if formed < int(walks)/2 || tainted == 0 || hopeless == 0 {
		t.Error("the walks do not go everywhere")
	}
}

// onlyOwn is what a peer knows of a node without what speaks against it.
func onlyOwn(w world, a peer.Attestation) map[string][]string {
	if !a.Has(w.Node, w.Instance) {
		return nil
	}
	return map[string][]string{w.Node: {w.Instance}}
}

// TestModelCanFail: rules that lack one of the precautions are caught.
func TestModelCanFail(t *testing.T) {
	for name, rules := range map[string]func(world) verdict{
		"a start that nobody was told of": func(w world) verdict {
			v := decide(w)
			v.Known = true
			return v
		},
		"peers are not asked for former instances": func(w world) verdict {
			for i, p := range w.Peers {
				if p.Attestation != nil {
					a := *p.Attestation
					a.Testimony = peer.Testimony{Instance: a.Instance, Formed: a.Formed, Started: onlyOwn(w, a)}
					w.Peers[i].Attestation = &a
				}
			}
			w.Known = nil
			return decide(w)
		},
		"what others say of the cluster is not remembered": func(w world) verdict {
			w.Told, w.Known = "", nil
			for i, p := range w.Peers {
				if p.Attestation != nil {
					a := *p.Attestation
					a.Formed, a.Started = false, onlyOwn(w, a)
					w.Peers[i].Attestation = &a
				}
			}
			return decide(w)
		},
		"nobody else is listened to": func(w world) verdict {
			w.Asked = time.Hour
			return decide(w)
		},
		"no majority is needed": func(w world) verdict {
			w.Peers = slices.DeleteFunc(w.Peers, func(v view) bool { return v.Attestation == nil })
			return decide(w)
		},
	} {
		caught := false
		for seed := uint64(0); seed < 20000 && !caught; seed++ {
			s := newSmall(t, seed, rules)
			for range 80 {
				s.event()
			}
			caught = s.wrong != ""
		}
		if !caught {
			t.Errorf("%s: the model finds nothing wrong", name)
		}
	}
}
