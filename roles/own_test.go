package roles_test

import (
	"slices"
	"testing"

	"slipway/node"
	"slipway/roles"
)

// TestOwn: what the roles write is on the contract's list of what no config of a user may put in its place. Mirrors
// depend on the spec, which knows them.
func TestOwn(t *testing.T) {
	for _, path := range cases(t, "[^b]*") {
		cfg := contract(t, parse(t, path))
		out, err := roles.Render(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var mirrors []string
		for registry := range cfg.Runtime.Mirrors {
			mirrors = append(mirrors, node.MirrorFile(registry))
		}
		for _, f := range out.Files {
			if why, _ := node.RefusePath(f.Path); why == "" && !slices.Contains(mirrors, f.Path) {
				t.Errorf("%s: a user may write %s", path, f.Path)
			}
		}
		for _, u := range out.Units {
			if why, _ := node.RefuseUnit(u.Name); why == "" {
				t.Errorf("%s: a user may replace %s", path, u.Name)
			}
			if why, _ := node.RefusePath("/etc/systemd/system/" + u.Name); why == "" {
				t.Errorf("%s: a user may write the unit file of %s", path, u.Name)
			}
		}
	}
}
