package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"slipway/cluster"
	"slipway/cluster/ignition"
	"slipway/cluster/pki"
	"slipway/imagebuild"
	"slipway/imagebuild/payload"
)

// TestSpecs: whatever validates makes a plan, every node's roles and every node's config; whatever does not validate
// names a place. The specs are random, made from the JSON schema, with values that people write and values that nobody should.
//
// It runs for 20 s with a seed of its own. SLIPWAY_SPECS=10m runs longer, with a new seed; SLIPWAY_SPECS_SEED=N sets it.
func TestSpecs(t *testing.T) {
	duration, seed := specsOptions(t)
	t.Logf("SLIPWAY_SPECS_SEED=%d", seed)
	lab := specsLab{schema: readSchema(t), dir: t.TempDir(), stores: map[string]*pki.PKI{}}
	lab.writeSnippets(t)
	valid, refused := 0, 0
	for i, end := uint64(0), time.Now().Add(duration); time.Now().Before(end) && !t.Failed(); i++ {
		text := lab.spec(t, rand.New(rand.NewPCG(seed, i)))
		if lab.judge(t, text) {
			valid++
		} else {
			refused++
		}
		if t.Failed() {
			t.Logf("spec %d of seed %d:\n%s", i, seed, text)
		}
	}
	t.Logf("%d specs validated, %d were refused", valid, refused)
	if total := valid + refused; !t.Failed() && (valid < total/5 || refused < total/5 || total < 20) {
		t.Error("a fifth of the specs should be of each kind, or this shows little")
	}
}

func specsOptions(t *testing.T) (duration time.Duration, seed uint64) {
	t.Helper()
	duration, seed = 20*time.Second, 1
	if testing.Short() {
		duration = 2 * time.Second
	}
	if text := os.Getenv("SLIPWAY_SPECS"); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		seed = uint64(time.Now().UnixNano())
	}
	if text := os.Getenv("SLIPWAY_SPECS_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	return duration, seed
}

// specsLab is what all specs share.
type specsLab struct {
	schema schemaNode
	dir    string
	stores map[string]*pki.PKI // by cluster id
}

func (l specsLab) writeSnippets(t *testing.T) {
	t.Helper()
	for name, text := range specSnippets {
		if err := os.WriteFile(filepath.Join(l.dir, name), []byte("variant: fcos\nversion: 1.6.0\n"+text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// spec is one random spec as YAML.
func (l specsLab) spec(t *testing.T, r *rand.Rand) []byte {
	t.Helper()
	text, err := yaml.Marshal(newSpecMaker(l.schema, r).spec())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// judge holds what validate says against what plan, roles and configs say. It tells whether the spec is valid.
func (l specsLab) judge(t *testing.T, text []byte) bool {
	t.Helper()
	path := filepath.Join(l.dir, "cluster.yaml")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	loaded, err := cluster.Load(path)
	if err != nil {
		checkPlaces(t, err)
		return false
	}
	host := payload.Host{Go: "go1.26.0", SpecDir: l.dir, Slipwayd: "slipwayd", SlipwaydSHA256: strings.Repeat("0", 64)}
	if _, err := imagebuild.NewPlan(loaded.Spec, host); err != nil {
		t.Errorf("validated, but not planned: %v", err)
	}
	nodes, _, err := ignition.Nodes(loaded, l.pki(t, loaded.Spec.Cluster.ID), false)
	if err != nil {
		t.Errorf("validated, but not rendered: %v", err)
	}
	for _, n := range nodes {
		if _, err := ignition.Decode(n.Ignition); err != nil {
			t.Errorf("the config of %q cannot be read: %v", n.Config.Node, err)
		}
	}
	return true
}

// checkPlaces wants a line of the file in every problem, and words in both halves.
func checkPlaces(t *testing.T, err error) {
	t.Helper()
	problems := new(cluster.ProblemsError)
	if !errors.As(err, &problems) {
		t.Errorf("refused without naming a place: %v", err)
		return
	}
	for _, p := range problems.Problems {
		if p.Line < 1 || p.Col < 1 || p.Message == "" || strings.ContainsAny(p.Message, "\n") || p.Hint == "" {
			t.Errorf("a problem without place, message or hint, or with a message of two lines: %+v", p)
		}
	}
}

// pki is made once for a cluster.
func (l specsLab) pki(t *testing.T, id string) *pki.PKI {
	t.Helper()
	if p, ok := l.stores[id]; ok {
		return p
	}
	store := pki.Memory{}
	if _, err := pki.Init(store, id, time.Now()); err != nil {
		t.Fatal(err)
	}
	p, err := pki.Open(store, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l.stores[id] = p
	return p
}

// TestSpecsReachEveryKey: a key that the schema has and the generator knows no value for would never be tested.
func TestSpecsReachEveryKey(t *testing.T) {
	seen := map[string]bool{}
	maker := newSpecMaker(readSchema(t), rand.New(rand.NewPCG(1, 1)))
	maker.schema.leaves("", maker.schema, func(path string, n schemaNode) {
		seen[path] = true
		if _, known := specValues[path]; !known && n.Enum == nil && !bytes.Contains(n.Type, []byte("boolean")) {
			t.Errorf("no values for %s", path)
		}
	})
	for path := range specValues {
		if !seen[strings.TrimSuffix(path, "=")] && !strings.HasSuffix(path, "=") {
			t.Errorf("values for %s, which the schema does not have", path)
		}
	}
}
