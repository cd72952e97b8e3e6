package firstboot

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestNewer(t *testing.T) {
	for _, c := range []struct {
		have, own string
		want      bool
	}{
		{"", "1 v1.36.3 v1.12.4", false},
		{"x v1.36.3 v1.12.4", "1 v1.36.3 v1.12.4", false},
		{"1 v1.36.3 v1.12.4", "1 v1.36.3 v1.12.4", false},
		{"2 v1.35.0 v1.12.4", "1 v1.36.3 v1.12.4", true},
		{"1 v1.37.0 v1.12.4", "2 v1.36.3 v1.12.4", false},
		{"1 v1.36.10 v1.12.4", "1 v1.36.9 v1.12.5", true},
		{"1 v1.36.3 v1.12.10", "1 v1.36.3 v1.12.9", true},
		{"1 v1.36.3 v1.12.4 more", "1 v1.36.3 v1.12.4", false},
	} {
		if got := newer(c.have, c.own); got != c.want {
			t.Errorf("newer(%q, %q) = %v", c.have, c.own, got)
		}
	}
}

const corednsPath = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"

// TestObjectsOfOthers: what a newer rendering made stays, what somebody changed does not; and while another control plane holds
// the lease, this one applies nothing and says who will.
func TestObjectsOfOthers(t *testing.T) {
	w := newWorld(t, single(t))
	if !w.form(5 * time.Minute).Serving {
		t.Fatal("not formed")
	}
	note := func(key, value string) { // changes an annotation of what was applied
		w.api.objects[corednsPath]["metadata"].(map[string]any)["annotations"].(map[string]any)[key] = value
	}
	applied := func() int { return strings.Count(strings.Join(w.acted, "\n"), "apply "+corednsPath) }
	before := applied()

	note(appliedKey, "else")
	note(renderingKey, "999 v1.99.0 v1.99.0")
	if last := w.form(time.Minute); !last.Serving || applied() != before {
		t.Errorf("what a newer rendering made was applied again: %+v", last)
	}
	note(renderingKey, w.node.rendering())
	if last := w.form(time.Minute); !last.Serving || applied() != before+1 {
		t.Errorf("what somebody changed was not applied again: %+v", last)
	}

	w.api.lease, _ = json.Marshal(map[string]any{"spec": map[string]any{"holderIdentity": "cp9", "renewTime": "2026-01-01T00:00:00.000000Z"}})
	delete(w.api.objects, corednsPath)
	e, said := w.start()
	held := w.now.Add(leaseDuration - 10*time.Second)
	for w.now.Before(held) {
		if err := e.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		e.Clock.Sleep(t.Context(), e.pause())
	}
	if last := (*said)[len(*said)-1]; last.Step != "objects" || last.WaitingFor != "cp9 to apply "+corednsPath || applied() != before+1 {
		t.Errorf("%+v", last)
	}
	if last := w.form(2 * time.Minute); !last.Serving || applied() != before+2 {
		t.Errorf("after the holder went: %+v", last)
	}
}
