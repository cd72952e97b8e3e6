package firstboot

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/firstboot/journal"
	"slipway/firstboot/peer"
	"slipway/node"
	"slipway/roles"
)

// village is some nodes that can only talk: each a machine in a folder of its own.
type village struct {
	t     *testing.T
	now   time.Time
	cfg   *node.Config
	roots map[string]string
	homes map[string]*machine

	mu    sync.Mutex
	calls []string // who called whom
}

func newVillage(t *testing.T) *village {
	v := &village{t: t, now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), roots: map[string]string{}, homes: map[string]*machine{}}
	v.cfg = contract(t, node.Node{Name: "cp1", Roles: everything}, node.Node{Name: "cp2", Roles: everything}, node.Node{Name: "cp3", Roles: everything},
		node.Node{Name: "w1", Roles: []node.Role{node.Worker}}, node.Node{Name: "w2", Roles: []node.Role{node.Worker}})
	for _, n := range v.cfg.Nodes {
		v.wipe(n.Name)
	}
	return v
}

// wipe gives a node an empty disk and lets its daemon start.
func (v *village) wipe(name string) {
	v.roots[name] = v.t.TempDir()
	v.restart(name)
}

func (v *village) restart(name string) {
	cfg := *v.cfg
	cfg.Node = name
	files := Prefix(v.roots[name])
	j, err := journal.Open(files, cfg.EtcdToken())
	if err != nil {
		v.t.Fatal(err)
	}
	instance, err := openInstance(files, rand.Reader)
	if err != nil {
		v.t.Fatal(err)
	}
	v.homes[name] = newMachine(Host{FS: files, Clock: villageClock{v}, Wire: &fakeWire{}}, &cfg, nil, instance, roles.Output{}, j, villager{v, name}, v.t.Logf)
}

// meet lets a node talk to all that it asks.
func (v *village) meet(name string) { v.homes[name].meetAll(context.Background()) }

type villageClock struct{ v *village }

func (c villageClock) Now() time.Time { return c.v.now }

func (c villageClock) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// villager calls by walking over.
type villager struct {
	v    *village
	name string
}

func (x villager) Attest(_ context.Context, n node.Node, t peer.Testimony) (peer.Attestation, error) {
	y, home := x.v.homes[n.Name]
	if !home {
		return peer.Attestation{}, errors.New("not at home")
	}
	x.v.mu.Lock()
	x.v.calls = append(x.v.calls, x.name+" "+n.Name)
	x.v.mu.Unlock()
	return y.hear(peer.Caller{Name: x.name, Address: "10.0.0.99"}, t)
}

func (x villager) Certificate(_ context.Context, n node.Node, r peer.CertificateRequest) ([]byte, error) {
	y, home := x.v.homes[n.Name]
	if !home {
		return nil, errors.New("not at home")
	}
	return y.issue(peer.Caller{Name: x.name, Address: "10.0.0.99"}, r)
}

func (x villager) Nodes(_ context.Context, n node.Node, _ string) (peer.List, bool, error) {
	list, ok := x.v.homes[n.Name].nodeList()
	if !ok {
		return peer.List{}, false, errors.New("does not know yet")
	}
	return list, true, nil
}

// TestWitness: a worker that met a member which started tells the member of it after it was wiped, although nobody of those
// that the wiped one can ask remembers, and over a restart of the worker.
func TestWitness(t *testing.T) {
	v := newVillage(t)
	v.cfg.Tuning.FormationGrace = node.Duration(20 * time.Second)
	before := v.homes["cp1"].instance
	if err := v.homes["cp1"].recordStart(startNew); err != nil {
		t.Fatal(err)
	}
	v.meet("w1")
	for _, name := range []string{"cp1", "cp2", "cp3"} {
		v.wipe(name)
	}
	v.restart("w1")
	cp1 := v.homes["cp1"]
	if cp1.instance == before || !peer.IsInstance(cp1.instance) {
		t.Fatalf("instance %q after %q", cp1.instance, before)
	}
	v.meet("cp1")
	verdict := func() verdict {
		w, err := cp1.world()
		if err != nil {
			t.Fatal(err)
		}
		return decide(w)
	}
	if got := verdict(); got.Start != startWait || !strings.HasPrefix(got.Reason, "other nodes to say") {
		t.Errorf("before it had time to be told: %+v", got)
	}
	v.now = v.now.Add(listening)
	if got := verdict(); got.Start != startNew || got.Known {
		t.Errorf("without a word from anybody: %+v", got)
	}
	v.meet("w1")
	if got := verdict(); got.Start != startReplace || !strings.Contains(got.Reason, before[:8]) {
		t.Errorf("after the worker called: %+v", got)
	}
	v.restart("cp1")
	if cp1 = v.homes["cp1"]; verdict().Start != startReplace {
		t.Error("it forgot over a restart")
	}
}

// TestOneHears: what one has seen reaches everybody by the etcd nodes, who alone are asked.
func TestOneHears(t *testing.T) {
	v := newVillage(t)
	if err := v.homes["w1"].recordFormed(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"w1", "w2", "cp3"} {
		v.meet(name)
	}
	for name, n := range v.homes {
		if !n.testimony().Formed || n.journal.Get().Formed != (name == "w1") {
			t.Errorf("%s: %+v", name, n.journal.Get())
		}
	}
	for _, call := range v.calls {
		if !strings.Contains(call, " cp") {
			t.Errorf("somebody asked a worker: %s", call)
		}
	}
}

// TestKeepMeeting: a node goes on asking every other etcd node, also those that do not answer, until it is told to stop.
func TestKeepMeeting(t *testing.T) {
	v := newVillage(t)
	ctx, cancel := context.WithCancel(t.Context())
	calls := make(chan string)
	w1 := v.homes["w1"]
	w1.peers = attesterFunc(func(n node.Node) error {
		select {
		case calls <- n.Name:
		case <-ctx.Done():
		}
		return errors.New("no answer")
	})
	w1.keepMeeting(ctx)
	heard := map[string]int{}
	for heard["cp1"] < 3 || heard["cp2"] < 3 || heard["cp3"] < 3 {
		heard[<-calls]++
	}
	cancel()
	if len(heard) != 3 {
		t.Errorf("asked %v", heard)
	}
}

type attesterFunc func(node.Node) error

func (f attesterFunc) Attest(_ context.Context, n node.Node, _ peer.Testimony) (peer.Attestation, error) {
	return peer.Attestation{}, f(n)
}

func (f attesterFunc) Certificate(_ context.Context, n node.Node, _ peer.CertificateRequest) ([]byte, error) {
	return nil, f(n)
}

func (f attesterFunc) Nodes(_ context.Context, n node.Node, _ string) (peer.List, bool, error) {
	return peer.List{}, false, f(n)
}

// TestNoNews: what a node knows already costs no write, and what it cannot write it does not know: then it answers nobody,
// and takes no answer.
func TestNoNews(t *testing.T) {
	v := newVillage(t)
	cp1 := v.homes["cp1"]
	told := peer.Testimony{Instance: strings.Repeat("0", 32), Started: map[string][]string{"cp2": {strings.Repeat("1", 32)}, "stranger": {strings.Repeat("2", 32)}}}
	if err := cp1.learn("cp2", told); err != nil {
		t.Fatal(err)
	}
	files := brokenFS{Prefix(v.roots["cp1"])}
	stuck, err := journal.Open(files, v.cfg.EtcdToken())
	if err != nil {
		t.Fatal(err)
	}
	cp1.journal = stuck
	if err := cp1.learn("cp2", told); err != nil {
		t.Errorf("known already: %v", err)
	}
	if m := stuck.Get().Memory; len(m.Started) != 1 {
		t.Errorf("memory %+v", m)
	}
	told.Formed = true
	if a, err := cp1.hear(peer.Caller{Name: "cp2"}, told); !errors.Is(err, errBroken) || a.Node != "" {
		t.Errorf("%+v, %v", a, err)
	}
	if err := v.homes["w1"].recordFormed(); err != nil {
		t.Fatal(err)
	}
	v.meet("w1")
	v.homes["cp2"].instance = told.Instance
	if err := v.homes["cp2"].recordStart(startNew); err != nil {
		t.Fatal(err)
	}
	cp1.meetAll(context.Background())
	for _, view := range cp1.met.list(cp1.others()) {
		if view.Attestation != nil || !errors.Is(view.Err, errBroken) {
			t.Errorf("%+v", view)
		}
	}
}

// brokenFS cannot be written to.
type brokenFS struct{ Prefix }

var errBroken = errors.New("read-only file system")

func (brokenFS) WriteFile(string, []byte, fs.FileMode) error { return errBroken }

// TestOtherEpoch: what a node of another epoch says is no news of this cluster.
func TestOtherEpoch(t *testing.T) {
	v := newVillage(t)
	if err := v.homes["cp2"].recordFormed(); err != nil {
		t.Fatal(err)
	}
	later := *v.homes["cp2"].cfg
	later.Cluster.Epoch++
	v.homes["cp2"].cfg = &later
	if err := v.homes["cp2"].recordFormed(); err != nil {
		t.Fatal(err)
	}
	v.meet("cp1")
	if got := v.homes["cp1"].testimony(); got.Formed {
		t.Errorf("%+v", got)
	}
}

// TestTwins: of two machines with one name each hears of the other, from whom they call, until one has been quiet for a
// while; neither starts anything anew meanwhile.
func TestTwins(t *testing.T) {
	v := newVillage(t)
	first := v.homes["cp1"]
	v.meet("cp1")
	v.wipe("cp1")
	second := v.homes["cp1"]
	second.meetAll(context.Background())
	first.meetAll(context.Background())
	v.now = v.now.Add(listening)
	for _, n := range []*machine{first, second} {
		w, err := n.world()
		if err != nil {
			t.Fatal(err)
		}
		if got := decide(w); got.Start != startWait || !strings.Contains(got.Reason, "the other machine with the name and key of this node, at 10.0.0.99, to go away\nhint: ") {
			t.Errorf("%+v", got)
		}
		n.noteTwins()
		if notices := n.notices.List(); len(notices) != 1 || notices[0].Kind != "twin" || notices[0].Name != "10.0.0.99" {
			t.Errorf("notices %+v", notices)
		}
	}
	v.now = v.now.Add(stale + time.Second)
	second.meetAll(context.Background())
	second.noteTwins()
	if w, err := second.world(); err != nil || decide(w).Start != startNew || len(second.notices.List()) > 0 {
		t.Errorf("alone again: %+v, %v, %v", decide(w), err, second.notices.List())
	}
}

// TestTwinsOfMany: who is told to come again late is missed as much later.
func TestTwinsOfMany(t *testing.T) {
	var c callers
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	w1 := peer.Caller{Name: "w1", Address: "10.0.0.99", Again: time.Minute}
	for _, call := range []struct {
		instance string
		after    time.Duration
		twin     bool
	}{{"a", 0, false}, {"b", 89 * time.Second, true}, {"b", 2 * time.Second, false}, {"a", time.Second, true}} {
		now = now.Add(call.after)
		if twin := c.note(w1, call.instance, now); (twin != nil) != call.twin {
			t.Errorf("%+v: %+v", call, twin)
		}
	}
}

// TestInstance: made once, and again if it cannot be read.
func TestInstance(t *testing.T) {
	files := Prefix(t.TempDir())
	made, err := openInstance(files, rand.Reader)
	if err != nil || !peer.IsInstance(made) {
		t.Fatalf("%q, %v", made, err)
	}
	if again, err := openInstance(files, rand.Reader); err != nil || again != made {
		t.Errorf("%q, %v, want %q", again, err, made)
	}
	if err := os.WriteFile(files.path(instancePath), []byte("?"), 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := openInstance(files, rand.Reader)
	if err != nil || !peer.IsInstance(other) || other == made {
		t.Errorf("%q, %v", other, err)
	}
	fleeting, err := openInstance(brokenFS{Prefix(t.TempDir())}, rand.Reader)
	if !errors.Is(err, errBroken) || !peer.IsInstance(fleeting) {
		t.Errorf("%q, %v", fleeting, err)
	}
}

func TestPace(t *testing.T) {
	for _, c := range []struct {
		formed bool
		again  time.Duration
		err    error
		want   time.Duration
	}{
		{false, 0, nil, eager}, {true, 0, nil, calm}, {true, 0, errNotMet, eager},
		{false, time.Minute, nil, time.Minute}, {true, time.Second, nil, calm}, {true, time.Minute, nil, time.Minute}, {true, time.Minute, errNotMet, eager},
	} {
		if got := pace(c.formed, c.again, c.err); got != c.want {
			t.Errorf("formed %v, asked to come again after %s, %v: %s", c.formed, c.again, c.err, got)
		}
	}
	if !slices.IsSorted([]time.Duration{peer.Reach + 2*eager, listening, calm, stale}) {
		t.Error("who misses a node may call too late, or the quiet counts as gone between two calls")
	}
}
