package kernel

import (
	"fmt"
	"slices"
	"strings"
)

// Stream is one choice of kernel of a distro's release.
type Stream struct {
	Distro, Release, Name string
	Suite                 string   // the archive to take Package and Modules from, with what they depend on; empty: the release, its security updates included
	Package               string   // the metapackage that always depends on the stream's newest kernel
	Modules               []string // packages of modules that Package does not bring by itself
	Why                   string
}

// Streams lists every stream: of a distro its default release first, and of a release its default.
func Streams() []Stream {
	return []Stream{
		{"debian", "trixie", "backports", "trixie-backports", "linux-image-amd64", nil,
			"new: drivers and networking of the current upstream kernel, built and signed by Debian"},
		{"debian", "trixie", "stable", "", "linux-image-amd64", nil,
			"long-term: the 6.12 kernel that Debian 13 maintains until its end, its fixes from the security archive"},
		{"debian", "bookworm", "backports", "bookworm-backports", "linux-image-amd64", nil,
			"new for Debian 12: the kernel of Debian 13"},
		{"debian", "bookworm", "stable", "", "linux-image-amd64", nil,
			"long-term: the 6.1 kernel that Debian 12 maintains until its end"},

		{"ubuntu", "noble", "hwe", "", "linux-image-generic-hwe-24.04", nil,
			"new: the kernel of the latest Ubuntu, built and signed for 24.04; its metapackage brings the modules that are in packages of their own"},
		{"ubuntu", "noble", "ga", "", "linux-image-generic", nil,
			"long-term: the 6.8 kernel that 24.04 began with and maintains until its end"},
		{"ubuntu", "resolute", "hwe", "", "linux-image-generic-hwe-26.04", nil,
			"new: the kernel of the latest Ubuntu, built and signed for 26.04; until there is a later one, that of 26.04 itself"},
		{"ubuntu", "resolute", "ga", "", "linux-image-generic", nil,
			"long-term: the 7.0 kernel that 26.04 began with and maintains until its end"},

		{"centos", "10", "kernel-ml", "elrepo-kernel", "kernel-ml", []string{"kernel-ml-modules-extra"},
			"new: the current upstream kernel, built by ELRepo"},
		{"centos", "10", "kernel-lt", "elrepo-kernel", "kernel-lt", []string{"kernel-lt-modules-extra"},
			"long-term: the upstream kernel of the year, built by ELRepo"},
		{"centos", "10", "stock", "", "kernel-core", []string{"kernel-modules", "kernel-modules-extra"},
			"the distribution's own; br_netfilter and more are in kernel-modules-extra there"},
		{"centos", "9", "kernel-ml", "elrepo-kernel", "kernel-ml", []string{"kernel-ml-modules-extra"},
			"new: the current upstream kernel, built by ELRepo"},
		{"centos", "9", "kernel-lt", "elrepo-kernel", "kernel-lt", []string{"kernel-lt-modules-extra"},
			"long-term: the upstream kernel of the year, built by ELRepo"},
		{"centos", "9", "stock", "", "kernel-core", []string{"kernel-modules", "kernel-modules-extra"},
			"the distribution's own"},
	}
}

// Releases are the releases of a distro that have streams, the default first.
func Releases(distro string) []string {
	return names(func(s Stream) (string, bool) { return s.Release, s.Distro == distro })
}

// StreamNames are the streams of a release, the default first.
func StreamNames(distro, release string) []string {
	return names(func(s Stream) (string, bool) { return s.Name, s.Distro == distro && s.Release == release })
}

// names collects what of says of every stream, each once.
func names(of func(Stream) (string, bool)) []string {
	var list []string
	for _, s := range Streams() {
		if name, ok := of(s); ok && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// FindStream finds a stream; an empty name is the release's default.
func FindStream(distro, release, name string) (Stream, error) {
	for _, s := range Streams() {
		if s.Distro == distro && s.Release == release && (s.Name == name || name == "") {
			return s, nil
		}
	}
	known := StreamNames(distro, release)
	if known == nil {
		all := names(func(s Stream) (string, bool) { return s.Distro + " " + s.Release, true })
		return Stream{}, fmt.Errorf("finding kernel stream: none known for %q %q\nhint: known are %s", distro, release, strings.Join(all, ", "))
	}
	return Stream{}, fmt.Errorf("finding kernel stream %q of %s %s: not known\nhint: allowed are %s", name, distro, release, strings.Join(known, ", "))
}
