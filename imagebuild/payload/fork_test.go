package payload

import (
	"strings"
	"testing"

	"slipway/cluster"
)

// TestCanFork: the spec's rule is that of the recipes.
func TestCanFork(t *testing.T) {
	for _, r := range recipes() {
		if can := len(r.Modules) == 1 && (r.Template == "" || r.Main != "") && !r.Patched; can != cluster.CanFork(r.Name) {
			t.Errorf("%s: the recipe can be another module's: %t", r.Name, can)
		}
	}
}

// TestForkedCoreDNS: a fork is built with its own main package and plugins, not with the ones that are chosen here.
func TestForkedCoreDNS(t *testing.T) {
	text := planText(t, testSpec(map[string]cluster.Payload{"coredns": {Source: "gomod", Module: "example.org/dns", Version: "v1.14.7"}}))
	if !strings.Contains(text, "  module example.org/dns@v1.14.7\n  /coredns = example.org/dns\n") {
		t.Errorf("planned:\n%s", text)
	}
}
