package ignition

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"slipway/cluster"
	"slipway/cluster/pki"
)

// wide is a spec with a balancer, three control planes and so many workers.
func wide(t *testing.T, workers int) *cluster.Loaded {
	t.Helper()
	text := `cluster: {name: wide}
network:
  podCIDR: 10.128.0.0/11
  vip: 10.0.255.250
  loadBalancer: {mode: dedicated}
nodes:
- {name: lb1, roles: [lb], address: 10.0.255.1/16}
`
	for i := range 3 {
		text += fmt.Sprintf("- {name: cp%d, roles: [etcd, control-plane], address: 10.0.255.%d/16}\n", i+1, 11+i)
	}
	for i := range workers {
		text += fmt.Sprintf("- {name: worker-%d, roles: [worker], address: 10.0.%d.%d/16, labels: {example.org/rack: r%d}}\n", i, i/250, 1+i%250, i/40)
	}
	spec, err := cluster.Parse("cluster.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster.Loaded{Spec: spec}
}

func newPKI(t *testing.T, store pki.Store) *pki.PKI {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if _, err := pki.Init(store, "wide", now); err != nil {
		t.Fatal(err)
	}
	p, err := pki.Open(store, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSizeIsConstant: a worker's config has the same size among a hundred as among three, and there is room above it.
func TestSizeIsConstant(t *testing.T) {
	sizes := map[int]int{}
	for _, workers := range []int{3, 100} {
		store := pki.Memory{}
		if _, err := Each(wide(t, workers), newPKI(t, store), false, func(n Node) error {
			if strings.HasPrefix(n.Config.Node, "worker") {
				sizes[workers] = max(sizes[workers], len(n.Encoded))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("a worker's config is %d bytes among 3 and %d among 100", sizes[3], sizes[100])
	if sizes[100] > sizes[3]+256 || sizes[100] > 12<<10 { // keys and signatures compress as they happen to
		t.Errorf("it has %d bytes among 3 and %d among 100, and should have at most %d", sizes[3], sizes[100], 12<<10)
	}
}

// TestEach: nodes come in the spec's order, each with its own entry, and the first that is not taken ends it.
func TestEach(t *testing.T) {
	loaded, store := wide(t, 20), pki.Memory{}
	var names []string
	set, err := Each(loaded, newPKI(t, store), false, func(n Node) error {
		names = append(names, n.Config.Node)
		e, err := n.Config.Entry.Read()
		if err != nil || e.Node.Name != n.Config.Node || e.Node.Fingerprint != n.Config.Self().Fingerprint {
			t.Errorf("%s has the entry %+v, %v", n.Config.Node, e, err)
		}
		return nil
	})
	if err != nil || len(set.Fresh()) == 0 {
		t.Fatal(err)
	}
	for i, n := range loaded.Spec.Nodes {
		if names[i] != n.Name {
			t.Errorf("place %d has %s, want %s", i, names[i], n.Name)
		}
	}
	enough, seen := errors.New("enough"), 0
	_, err = Each(loaded, newPKI(t, store), false, func(Node) error {
		seen++
		return enough
	})
	if !errors.Is(err, enough) || seen != 1 {
		t.Errorf("%d came, %v", seen, err)
	}
}
