// Package base renders what every node has whatever its roles: the loopback load balancer that its programs reach the
// API servers through, and the container runtime's configuration.
//
// Start with Render. Kernel modules, sysctls and limits are the image's (package kernel), not a role's.
package base

import (
	"embed"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"slipway/node"
	"slipway/roles/role"
)

//go:embed *.tmpl
var templates embed.FS

// AdminSocket is where the loopback load balancer answers root.
const AdminSocket = "/run/slipway-apilb/admin.sock"

type data struct {
	*role.Node
	LocalAPI           string // host:port of the loopback load balancer
	Admin              string
	Checked            bool
	Defaults, Backends string // of haproxy's configuration
}

// Render never asks for more than haproxy and the runtime's package, which every image has.
func Render(n *role.Node) (role.Output, error) {
	d := data{Node: n, LocalAPI: role.LocalAPI(), Admin: AdminSocket, Checked: len(n.With(node.ControlPlane)) > 1}
	var err error
	if d.Defaults, d.Backends, err = n.Balancer(d.Checked); err != nil {
		return role.Output{}, fmt.Errorf("rendering loopback load balancer: %w", err)
	}
	b := role.NewBuilder(templates, d)
	b.File("/etc/slipway/apilb.cfg", 0o644, "apilb.cfg.tmpl")
	b.Unit("slipway-apilb.service")
	b.File("/etc/containerd/config.toml", 0o644, "containerd.toml.tmpl")
	b.File("/etc/crictl.yaml", 0o644, "crictl.yaml.tmpl")
	if err := addMirrors(b, n.Runtime.Mirrors); err != nil {
		return role.Output{}, err
	}
	return b.Output()
}

type mirrors struct {
	Server  string // what the runtime asks when no mirror answers
	Mirrors []mirror
}

type mirror struct {
	URL          string
	OverridePath bool // the URL's path already leads to the API
}

// addMirrors writes one hosts.toml a registry. See containerd's docs/hosts.md.
func addMirrors(b *role.Builder, registries map[string][]string) error {
	for _, registry := range slices.Sorted(maps.Keys(registries)) {
		if why, hint := node.RefuseRegistry(registry); why != "" {
			return fmt.Errorf("reading registry mirrors: %s\nhint: %s", why, hint)
		}
		hosts := mirrors{Server: server(registry)}
		for _, m := range registries[registry] {
			u, err := url.Parse(m)
			if err != nil || !node.IsWebURL(m) {
				return fmt.Errorf("reading mirrors of %q: %q is no http or https URL", registry, m)
			}
			hosts.Mirrors = append(hosts.Mirrors, mirror{URL: u.String(), OverridePath: hasAPIPath(u.Path)})
		}
		b.FileWith(node.MirrorFile(registry), 0o644, "hosts.toml.tmpl", hosts)
	}
	return nil
}

func server(registry string) string {
	switch registry {
	case "docker.io":
		return "https://registry-1.docker.io"
	case node.AnyRegistry: // every registry that is not named: no server of its own
		return ""
	}
	return "https://" + registry
}

func hasAPIPath(p string) bool { return slices.Contains(strings.Split(p, "/"), "v2") }
