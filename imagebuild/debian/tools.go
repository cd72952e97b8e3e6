package debian

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// hostTools are the programs of the building machine that unpack packages: what they do decides the tree.
var hostTools = []struct{ name, command string }{{"apt", "apt-get"}, {"dpkg", "dpkg"}, {"mmdebstrap", "mmdebstrap"}}

// Tools returns the versions of the host's programs that make a tree, by name.
func (Driver) Tools(ctx context.Context) (map[string]string, error) {
	versions := packaged(ctx)
	for _, t := range hostTools {
		if versions[t.name] != "" {
			continue
		}
		out, err := exec.CommandContext(ctx, t.command, "--version").Output()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("asking %s for its version: %w\nhint: install the package %s", t.command, err, t.name)
		}
		versions[t.name], _, _ = strings.Cut(strings.TrimSpace(string(out)), "\n")
	}
	return versions, nil
}

// packaged asks the host's package database, which is quicker than the programs and knows their patches. Where there is
// none, or the programs came another way, it says nothing.
func packaged(ctx context.Context) map[string]string {
	args := []string{"--show", "--showformat", "${db:Status-Abbrev} ${Package} ${Version}\n"}
	for _, t := range hostTools {
		args = append(args, t.name)
	}
	out, _ := exec.CommandContext(ctx, "dpkg-query", args...).Output()
	versions := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "ii" {
			versions[f[1]] = f[2]
		}
	}
	return versions
}
