package vsphere

import (
	"strings"
	"testing"
)

// TestPlaceIsGone: without the port group or the datastore no machine can be made, but those that are there are told of
// and can be deleted.
func TestPlaceIsGone(t *testing.T) {
	l := newLab(t).withTemplate()
	w := want()
	if _, err := l.deploys(w); err != nil {
		t.Fatal(err)
	}
	for i := range w.Nodes {
		w.Nodes[i].Network = "gone"
	}
	w.Place.Datastore, w.Place.Pool = "gone too", "as well"
	h, err := l.Observe(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Status(w, h) {
		if r.Power != "on" || strings.Join(r.Differs, "; ") != "its network gone is not to be found" {
			t.Errorf("%+v", r)
		}
	}
	_, err = NewPlan(w, h)
	for _, what := range []string{`finding the network "gone": `, `finding the datastore "gone too": `, `finding the pool "as well": `} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s is not in %v", what, err)
		}
	}
	p, err := NewDestroyPlan(w, h)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Destroy(t.Context(), w, h, p, nil); err != nil || l.names() != "demo" {
		t.Errorf("%v, left %s", err, l.names())
	}
}

// TestRenamed: a machine that somebody gave another name is named, by all verbs, and stops those that would do something.
func TestRenamed(t *testing.T) {
	l := newLab(t).withTemplate()
	w := want()
	if _, err := l.deploys(w); err != nil {
		t.Fatal(err)
	}
	if err := l.rename(t.Context(), l.vm("demo-n5").Self, "big one"); err != nil {
		t.Fatal(err)
	}
	h := observed(t, l, w)
	const says = "node \"n5\": its machine \"demo-n5\" is called \"big one\" now\nhint: call it \"demo-n5\" again, or delete it"
	if _, err := NewPlan(w, h); err == nil || err.Error() != says {
		t.Errorf("deploy: %v", err)
	}
	if _, err := NewDestroyPlan(w, h); err == nil || err.Error() != says {
		t.Errorf("destroy: %v", err)
	}
	if p, err := NewDestroyPlan(w, h, "n6"); err != nil || len(p) != 2 {
		t.Errorf("destroying another: %v\n%s", err, p)
	}
	if s := Status(w, h); s[4].Power != "absent" || strings.Join(s[4].Differs, "") != `its machine is called "big one" now` {
		t.Errorf("status: %+v", s[4])
	}
}
