package centos

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// hostTools are the programs of the building machine that resolve and unpack packages: what they do decides the tree.
var hostTools = []struct{ name, command, pkg string }{
	{"dnf", "dnf", "dnf"}, {"rpm", "rpm", "rpm"}, {"createrepo_c", "createrepo_c", "createrepo-c"}, {"systemd-sysusers", "systemd-sysusers", "systemd"},
}

// Tools returns the versions of the host's programs that make a tree, by name.
func (Driver) Tools(ctx context.Context) (map[string]string, error) {
	versions := map[string]string{}
	for _, t := range hostTools {
		out, err := exec.CommandContext(ctx, t.command, "--version").Output()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("asking %s for its version: %w\nhint: images of centos are made by dnf and rpm: install the package %s", t.command, err, t.pkg)
		}
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		versions[t.name] = strings.TrimSpace(first)
	}
	return versions, nil
}
