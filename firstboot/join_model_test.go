package firstboot

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"slipway/firstboot/etcd"
)

// council is a formed cluster of three or five, whose machines die, are wiped and come back while it acknowledges entries. Who comes
// back without data does what the daemon's rules say, one change of the members at a time, each acknowledged by a quorum as etcd has it.
type council struct {
	rules    func(roll, joiner) move
	random   *rand.Rand
	seats    []seat
	machines []*councillor
	last     uint64 // id that was given last
	acked    int    // entries that a quorum has acknowledged
	wrong    string // what must never happen
	past     []string
}

// seat is a member in the list.
type seat struct {
	id      uint64
	name    string
	learner bool
}

type councillor struct {
	name string
	on   bool
	data uint64 // of which member, 0 without
	log  int    // entries in it
}

func newCouncil(seed uint64, rules func(roll, joiner) move) *council {
	c := &council{rules: rules, random: rand.New(rand.NewPCG(seed, 1))}
	for i := range []int{3, 5}[seed%2] {
		c.last++
		name := fmt.Sprintf("cp%d", i+1)
		c.seats = append(c.seats, seat{id: c.last, name: name})
		c.machines = append(c.machines, &councillor{name: name, on: true, data: c.last})
	}
	return c
}

func (c *council) fail(format string, args ...any) {
	if c.wrong == "" {
		c.wrong = fmt.Sprintf(format, args...)
	}
}

// at is the machine that has the data of a member and is on.
func (c *council) at(id uint64) *councillor {
	i := slices.IndexFunc(c.machines, func(m *councillor) bool { return m.on && m.data == id })
	if i < 0 {
		return nil
	}
	return c.machines[i]
}

// votes are the machines that vote now, and how many votes there are.
func (c *council) votes() (there []*councillor, all int) {
	for _, s := range c.seats {
		if s.learner {
			continue
		}
		all++
		if m := c.at(s.id); m != nil {
			there = append(there, m)
		}
	}
	return there, all
}

// acknowledge lets a quorum, any that there can be, elect the longest log among its own and write one entry to itself alone.
func (c *council) acknowledge() bool {
	there, all := c.votes()
	if len(there) <= all/2 {
		return false
	}
	c.random.Shuffle(len(there), func(i, j int) { there[i], there[j] = there[j], there[i] })
	quorum := there[:all/2+1]
	longest := slices.MaxFunc(quorum, func(x, y *councillor) int { return x.log - y.log }).log
	if longest < c.acked {
		c.fail("a quorum has %d of %d entries", longest, c.acked)
	}
	c.acked = longest + 1
	for _, m := range quorum {
		m.log = c.acked
	}
	return true
}

// accident switches a machine off at a bad moment.
func (c *council) accident() {
	if c.random.IntN(8) == 0 {
		c.machines[c.random.IntN(len(c.machines))].on = false
	}
}

// roll is what a machine without data sees.
func (c *council) roll() roll {
	r := roll{Quorum: c.acknowledge(), Ill: map[uint64]error{}, Alive: map[uint64]bool{}, Empty: map[string]bool{}}
	for _, s := range c.seats {
		r.Members = append(r.Members, etcd.Member{ID: s.id, Name: s.name, PeerURLs: []string{s.name}, ClientURLs: []string{s.name}, IsLearner: s.learner})
		if r.Alive[s.id] = c.at(s.id) != nil; !r.Alive[s.id] && !s.learner {
			r.Ill[s.id] = errors.New("no answer")
		}
	}
	for _, m := range c.machines {
		r.Empty[m.name] = m.on && m.data == 0
	}
	return r
}

// join lets a machine without data do what the rules say. Anything may happen between its calls, and it may die itself.
func (c *council) join(x *councillor, calm bool) {
	if !x.on || x.data != 0 {
		return
	}
	happen := func() bool {
		if !calm {
			c.accident()
		}
		return x.on && c.acknowledge()
	}
	m := c.rules(c.roll(), joiner{Name: x.name, PeerURL: x.name, Verdict: verdict{Start: startReplace, Reason: "it was wiped"}})
	if m.Do == moveStart { // under the identity that it had: no rule of ours
		x.data, x.log = c.seats[slices.IndexFunc(c.seats, func(s seat) bool { return s.name == x.name })].id, 0
	}
	if m.Do != moveEnter {
		return
	}
	for _, id := range m.Promote {
		if !happen() || c.at(id) == nil {
			return
		}
		c.promote(id)
	}
	for _, id := range m.Remove {
		if !happen() {
			return
		}
		c.seats = slices.DeleteFunc(c.seats, func(s seat) bool { return s.id == id })
		if there, all := c.votes(); len(there) <= all/2 {
			c.fail("taking %d out leaves %d of %d, which is no quorum", id, len(there), all)
		}
	}
	if !happen() {
		return
	}
	c.last++
	c.seats = append(c.seats, seat{id: c.last, name: x.name, learner: true})
	x.data, x.log = c.last, 0
	if happen() {
		c.promote(x.data)
	}
}

// promote gives a learner its vote, once it has everything.
func (c *council) promote(id uint64) {
	c.at(id).log = c.acked
	for i := range c.seats {
		if c.seats[i].id == id {
			c.seats[i].learner = false
		}
	}
}

// event lets one thing happen.
func (c *council) event() {
	x, kind := c.machines[c.random.IntN(len(c.machines))], c.random.IntN(20)
	c.past = append(c.past, fmt.Sprint(kind, x.name))
	switch {
	case kind < 1:
		x.on, x.data, x.log = false, 0, 0
	case kind < 3:
		x.on = false
	case kind < 8:
		x.on = true
	case kind < 14:
		c.join(x, false)
	default:
		c.acknowledge()
	}
}

// peace switches all on but one, which stays dead, and says whether everybody else came to have a vote. It is no question if those
// with their data are no quorum then.
func (c *council) peace() (possible, voting bool) {
	for _, m := range c.machines[1:] {
		m.on = true
	}
	c.machines[0].on = false
	there, all := c.votes()
	for range 10 {
		for _, m := range c.machines {
			c.join(m, true)
			if m.on && m.data != 0 { // a learner that was left over asks for its vote itself
				if i := slices.IndexFunc(c.seats, func(s seat) bool { return s.id == m.data }); i < 0 {
					m.data = 0 // etcd says that it was removed
				} else if c.seats[i].learner && c.acknowledge() {
					c.promote(m.data)
				}
			}
		}
	}
	now, _ := c.votes()
	return len(there) > all/2, len(now) == len(c.machines)-1
}

// TestModelOfReplacing walks through random histories of three and of five members. None loses what a quorum acknowledged, no member
// that is taken out takes a quorum away; and with one machine dead, all others come to have their votes, if those that have their
// data are a quorum.
func TestModelOfReplacing(t *testing.T) {
	possible := map[int]int{}
	for seed := range uint64(20000) {
		c := newCouncil(seed, next)
		for range 60 {
			c.event()
		}
		can, voting := c.peace()
		if can && !voting {
			c.fail("not all vote in the end: %+v", c.seats)
		}
		if c.wrong != "" {
			t.Fatalf("seed %d: %s\n%s", seed, c.wrong, strings.Join(c.past, "\n"))
		}
		if can {
			possible[len(c.machines)]++
		}
	}
	t.Logf("in the end there was a quorum of %v", possible)
	if possible[3] < 1000 || possible[5] < 1000 {
		t.Error("the walks do not go everywhere")
	}
}

// TestModelOfReplacingCanFail: rules that lack a precaution are caught.
func TestModelOfReplacingCanFail(t *testing.T) {
	for name, rules := range map[string]func(roll, joiner) move{
		"a wiped member starts as what it was": func(roll, joiner) move { return move{Do: moveStart} },
		"others are taken out as well, dead or alive": func(r roll, j joiner) move {
			m := next(r, j)
			for _, o := range r.Members {
				if m.Do == moveEnter && !slices.Contains(m.Remove, o.ID) {
					m.Remove = append(m.Remove, o.ID)
				}
			}
			return m
		},
		"all others must be well": func(r roll, j joiner) move {
			if m := next(r, j); m.Do != moveEnter || len(r.Ill) < 2 {
				return m
			}
			return move{Do: moveWait}
		},
	} {
		caught := false
		for seed := uint64(0); seed < 5000 && !caught; seed++ {
			c := newCouncil(seed, rules)
			for range 60 {
				c.event()
			}
			can, voting := c.peace()
			if caught = c.wrong != "" || can && !voting; caught {
				t.Logf("%s: seed %d: %s", name, seed, cmp.Or(c.wrong, "not all vote in the end"))
			}
		}
		if !caught {
			t.Errorf("%s: the model finds nothing wrong", name)
		}
	}
}
