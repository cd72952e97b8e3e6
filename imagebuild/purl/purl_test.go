package purl

import "testing"

// The cases are written by hand from the specification and what Debian's and Go's versions look like.
func TestText(t *testing.T) {
	for want, u := range map[string]URL{
		"pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64&distro=debian-13": {
			Type: "deb", Namespace: "debian", Name: "libstdc++6", Version: "14.2.0-19", Qualifiers: map[string]string{"distro": "debian-13", "arch": "amd64", "upstream": ""}},
		"pkg:deb/debian/passwd@1:4.17.2-5~bpo%2B1": {Type: "deb", Namespace: "debian", Name: "passwd", Version: "1:4.17.2-5~bpo+1"},
		"pkg:golang/github.com/docker/cli@v28.0.0%2Bincompatible": {
			Type: "golang", Namespace: "github.com/docker", Name: "cli", Version: "v28.0.0+incompatible"},
		"pkg:golang/stdlib@1.26.8": {Type: "golang", Name: "stdlib", Version: "1.26.8"},
		"pkg:oci/pause@sha256:aa?repository_url=registry.k8s.io/pause&tag=3.10": {
			Type: "oci", Name: "pause", Version: "sha256:aa", Qualifiers: map[string]string{"repository_url": "registry.k8s.io/pause", "tag": "3.10"}},
		"pkg:x/a%40b%20c": {Type: "x", Name: "a@b c"},
	} {
		if got := u.Text(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
