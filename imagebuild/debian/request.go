package debian

import (
	"slices"

	"slipway/imagebuild/distro"
)

// instead are packages that take the place of others of the base, where the spec names them: Docker's own.
var instead = map[string][]string{
	"docker-ce":     {"docker.io", "docker-cli", "containerd", "runc"}, // it depends on the other two
	"docker-ce-cli": {"docker-cli"},
	"containerd.io": {"containerd", "runc"},
}

// Mirrors gives every suite of a release its mirror.
func (d Driver) Mirrors(release, main, security string) distro.Mirrors {
	out := distro.Mirrors{}
	for _, s := range d.Table.Suites(release) {
		out[s.Name] = main
		if s.Security {
			out[s.Name] = security
		}
	}
	return out
}

// Request asks for the base, what building needs, a kernel, and extra.
func (d Driver) Request(release, kernel string, extra []string) distro.Request {
	names := slices.Concat(extra, d.BuildOnly())
	for _, p := range d.Table.Base(release) {
		names = append(names, p.Name)
	}
	for _, name := range extra {
		names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(instead[name], n) && !slices.Contains(extra, n) })
	}
	slices.Sort(names)
	return distro.Request{
		Name: d.Table.Name, Release: release, Architecture: architecture, Kernel: kernel, Packages: slices.Compact(names),
	}
}

// BuildOnly returns the names of the packages that are there to build the image.
func (Driver) BuildOnly() []string {
	var out []string
	for _, p := range buildOnly {
		out = append(out, p.Name)
	}
	return out
}

// Places are where mirrors have a package.
func (d Driver) Places(p distro.Package, m distro.Mirrors) []string {
	paths := []string{p.Path}
	if d.Table.Moved != nil {
		paths = append(paths, d.Table.Moved(p.Path))
	}
	return distro.Places(p, m, paths...)
}
