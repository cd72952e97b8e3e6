package kernel

import (
	"fmt"
	"slices"
	"strings"
)

// Stream is one choice of kernel of a distro's release.
type Stream struct {
	Distro, Release, Name string
	Suite                 string // the archive suite to take Package from, with what it depends on; empty: the release, its security updates included
	Package               string // the metapackage that always depends on the stream's newest kernel
	Why                   string
}

// Streams lists every stream, the default of a release first.
func Streams() []Stream {
	return []Stream{
		{"debian", "trixie", "backports", "trixie-backports", "linux-image-amd64",
			"new: drivers and networking of the current upstream kernel, built and signed by Debian"},
		{"debian", "trixie", "stable", "", "linux-image-amd64",
			"long-term: the 6.12 kernel that Debian 13 maintains until its end, its fixes from the security archive"},
	}
}

// FindStream finds a stream; an empty name is the release's default.
func FindStream(distro, release, name string) (Stream, error) {
	var names []string
	for _, s := range Streams() {
		if s.Distro != distro || s.Release != release {
			continue
		}
		if s.Name == name || name == "" {
			return s, nil
		}
		names = append(names, s.Name)
	}
	if names == nil {
		return Stream{}, fmt.Errorf("finding kernel stream: none known for %q %q\nhint: known are %s", distro, release, knownReleases())
	}
	return Stream{}, fmt.Errorf("finding kernel stream %q of %s %s: not known\nhint: allowed are %s", name, distro, release, strings.Join(names, ", "))
}

func knownReleases() string {
	var list []string
	for _, s := range Streams() {
		if r := s.Distro + " " + s.Release; !slices.Contains(list, r) {
			list = append(list, r)
		}
	}
	return strings.Join(list, ", ")
}
