package cluster

import (
	"slices"

	"slipway/kernel"
)

// distribution is what a spec needs to know of one: where it is, and what it calls its archives. Releases and kernels are
// in package kernel, all else in the distribution's driver.
type distribution struct {
	name             string
	mirror, security string   // defaults; without security it has no such archive apart
	archives         []string // RELEASE stands for the release's name
	apt              bool     // else yum
	network          string   // who configures the network on its nodes
}

var distributions = []distribution{
	{"debian", "http://deb.debian.org/debian", "http://deb.debian.org/debian-security",
		[]string{"RELEASE", "RELEASE-updates", "RELEASE-backports", "RELEASE-security"}, true, Networkd},
	{"ubuntu", "http://archive.ubuntu.com/ubuntu", "http://security.ubuntu.com/ubuntu",
		[]string{"RELEASE", "RELEASE-updates", "RELEASE-security"}, true, Networkd},
	{"centos", "https://mirror.stream.centos.org", "",
		[]string{"baseos", "appstream", "crb", "epel", "elrepo-kernel", "docker-ce-stable"}, false, NetworkManager},
}

func findDistribution(name string) (distribution, bool) {
	i := slices.IndexFunc(distributions, func(d distribution) bool { return d.name == name })
	if i < 0 {
		return distribution{}, false
	}
	return distributions[i], true
}

// Distros are the distributions that images can be made of, the default first.
func Distros() []string {
	return collect(func(d distribution) []string { return []string{d.name} })
}

// Who configures the network on a node.
const (
	Networkd       = "systemd-networkd"
	NetworkManager = "NetworkManager"
)

// Configurator is who configures the network on the image's nodes.
func (i Image) Configurator() string {
	d, _ := findDistribution(i.Distro)
	return d.network
}

// Archives are a distribution's own archives of a release, by the names that image.mirrors has for them.
func Archives(distro, release string) []string {
	d, _ := findDistribution(distro)
	var out []string
	for _, name := range d.archives {
		out = append(out, replaceRelease(name, release))
	}
	return out
}

func releases() []string {
	return collect(func(d distribution) []string { return kernel.Releases(d.name) })
}

func kernelStreams() []string {
	return collect(func(d distribution) []string {
		var out []string
		for _, release := range kernel.Releases(d.name) {
			out = append(out, kernel.StreamNames(d.name, release)...)
		}
		return out
	})
}

// collect is what of says of every distribution, each once.
func collect(of func(distribution) []string) []string {
	var out []string
	for _, d := range distributions {
		for _, name := range of(d) {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}
