package cluster

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// Each distribution brings its own defaults, and a repository those of its distribution.
func TestDistroDefaults(t *testing.T) {
	for image, want := range map[string]string{
		"{}":                                  "debian trixie backports http://deb.debian.org/debian http://deb.debian.org/debian-security",
		"{release: bookworm}":                 "debian bookworm backports http://deb.debian.org/debian http://deb.debian.org/debian-security",
		"{distro: ubuntu}":                    "ubuntu noble hwe http://archive.ubuntu.com/ubuntu http://security.ubuntu.com/ubuntu",
		"{distro: ubuntu, release: resolute}": "ubuntu resolute hwe http://archive.ubuntu.com/ubuntu http://security.ubuntu.com/ubuntu",
	} {
		i := parse(t, single+"image: "+image+"\n").Image
		if got := strings.Join([]string{i.Distro, i.Release, i.KernelStream, i.Mirror, i.Security}, " "); got != want {
			t.Errorf("%s: got %q, want %q", image, got, want)
		}
	}
	r := parse(t, single+ownRepository("ubuntu", "")).Image.Repositories[0]
	if r.Suite != "noble" || !slices.Equal(r.Components, []string{"main"}) || r.Key.Fingerprint != "9DC858229FC7DD38854AE2D88D81803C0EBFCD88" {
		t.Errorf("got %+v", r)
	}
}

func ownRepository(distro, more string) string {
	return "image: {distro: " + distro + ", repositories: [{name: own, url: 'https://example.org/x', " +
		"key: {file: own.asc, fingerprint: 9dc858229fc7dd38854ae2d88d81803c0ebfcd88}" + more + "}]}\n"
}

// What goes into another distribution's spec is refused with what this one has.
func TestDistroRefusals(t *testing.T) {
	for image, want := range map[string][]string{
		"{distro: ubuntu, release: trixie}":                                   {`"trixie" is not available`, "allowed: noble, resolute"},
		"{distro: ubuntu, kernelStream: backports}":                           {`"backports" is not available`, "allowed: hwe, ga"},
		"{distro: centos, release: 8}":                                        {`"8" is not available`, "allowed: 10, 9"},
		"{distro: centos, securityMirror: 'http://m/x'}":                      {"centos has no archive of security updates apart"},
		"{distro: ubuntu, mirrors: {noble-backports: 'http://m'}}":            {`ubuntu noble has no archive "noble-backports"`, "allowed: noble, noble-updates, noble-security"},
		"{distro: ubuntu, mirrors: {noble: m}}":                               {`"m" is not an http, https or file URL`},
		"{distro: arch, release: rolling}":                                    {`"arch" is not available`, "allowed: debian, ubuntu, centos"},
		"{keys: [{file: /etc/key, fingerprint: F00}]}":                        {`"/etc/key" is not a relative path`, `"F00" is not a fingerprint`},
		"{packages: [snapd]}":                                                 {"snaps do not fit"},
		"{packages: [cloud-init]}":                                            {"from Ignition"},
		"{packages: [unattended-upgrades]}":                                   {"nothing updates a verified root"},
		"{packages: [kdump-tools]}":                                           {"a crashed kernel"},
		"{packages: [NetworkManager-tui]}":                                    {`"NetworkManager-tui" is not a package name`},
		strings.TrimPrefix(ownRepository("centos", ", suite: x"), "image: "):  {"repositories of centos have no suite"},
		strings.TrimPrefix(ownRepository("ubuntu", ", suite: ./"), "image: "): {`"./" is not a suite`},
		"{repositories: [{name: trixie, url: 'http://m', key: {file: a, fingerprint: 9dc858229fc7dd38854ae2d88d81803c0ebfcd88}}]}": {`"trixie" is an archive of the distribution`},
	} {
		_, err := Parse("c.yaml", []byte(single+"image: "+image+"\n"), nil)
		if want == nil {
			if err != nil {
				t.Errorf("%s: %v", image, err)
			}
			continue
		}
		if _, ok := errors.AsType[*ProblemsError](err); !ok {
			t.Errorf("%s: %v", image, err)
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q is not in\n%v", image, part, err)
			}
		}
	}
}
