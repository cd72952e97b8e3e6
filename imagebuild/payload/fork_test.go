package payload

import (
	"testing"

	"slipway/cluster"
)

// TestCanFork: the spec's rule is that of the recipes.
func TestCanFork(t *testing.T) {
	for _, r := range recipes() {
		if can := len(r.Modules) == 1 && r.Template == "" && !r.Patched; can != cluster.CanFork(r.Name) {
			t.Errorf("%s: the recipe can be another module's: %t", r.Name, can)
		}
	}
}
