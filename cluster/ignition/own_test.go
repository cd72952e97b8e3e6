package ignition

import (
	"testing"

	"slipway/node"
)

// TestOwn: what every config brings is on the contract's list of what no snippet may put in its place, but for the names
// of hosts, which a user may know better, and time servers, which only a spec that names some has.
func TestOwn(t *testing.T) {
	free := map[string]bool{"/etc/hosts": true, node.ChronyConf: true}
	out, err := Render(ha("cp1"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := Decode(out)
	if err != nil || len(entries) < 5 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for _, e := range entries {
		if why, _ := node.RefusePath(e.Path); (why == "") != free[e.Path] {
			t.Errorf("%s: refused with %q, free %t", e.Path, why, free[e.Path])
		}
	}
}
