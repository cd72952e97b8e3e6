package cluster

import (
	"regexp"
	"slices"
	"strings"

	"slipway/kernel"
	"slipway/node"
)

func replaceRelease(text, release string) string {
	return strings.ReplaceAll(text, "RELEASE", release)
}

// validateDistro judges what is asked of the distribution: which one, from where, and with which keys.
func (i Image) validateDistro(d *document, p path) {
	known, ok := findDistribution(i.Distro)
	switch {
	case !ok:
		oneOf(d, p.with("distro"), i.Distro, Distros())
		return // nothing else can be judged
	}
	releases := kernel.Releases(i.Distro)
	oneOf(d, p.with("release"), i.Release, releases)
	if slices.Contains(releases, i.Release) {
		oneOf(d, p.with("kernelStream"), i.KernelStream, kernel.StreamNames(i.Distro, i.Release))
	}
	d.mirror(p.with("mirror"), i.Mirror)
	switch {
	case known.security != "":
		d.mirror(p.with("securityMirror"), i.Security)
	case i.Security != "":
		d.fail(p.with("securityMirror"), "remove it: updates are in the archives of image.mirror", "%s has no archive of security updates apart", i.Distro)
	}
	i.validateMirrors(d, p.with("mirrors"))
	for n, key := range i.Keys {
		key.validate(d, p.with("keys").with(n))
	}
	names := make([]string, len(i.Repositories))
	for n, r := range i.Repositories {
		names[n] = r.Name
		r.validate(d, p.with("repositories").with(n), known, Archives(i.Distro, i.Release))
	}
	for n, name := range names {
		if slices.Contains(names[:n], name) {
			d.fail(p.with("repositories").with(n).with("name"), "give it another name", "%q is listed twice", name)
		}
	}
}

func (i Image) validateMirrors(d *document, p path) {
	archives := Archives(i.Distro, i.Release)
	for name, url := range i.Mirrors {
		if !slices.Contains(archives, name) {
			d.failKey(p.with(name), allowed(name, archives), "%s %s has no archive %q", i.Distro, i.Release, name)
		}
		d.mirror(p.with(name), url)
	}
}

// mirror: a folder is one too.
func (d *document) mirror(p path, value string) {
	folder, local := strings.CutPrefix(value, "file:///")
	if strings.ContainsAny(value, " \t\n[]") || !node.IsWebURL(value) && (!local || folder == "") {
		d.fail(p, "like https://mirror.example.org/debian or file:///srv/mirror/debian", "%q is not an http, https or file URL", value)
	}
}

var (
	repositoryName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)
	suiteName      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$`) // sources.list(5), without flat archives
	fingerprint    = regexp.MustCompile(`^([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$`)                        // RFC 9580: of version 4 and version 6 keys
)

func (r Repository) validate(d *document, p path, of distribution, archives []string) {
	switch {
	case !repositoryName.MatchString(r.Name):
		d.fail(p.with("name"), "1 to 63 of a-z, 0-9, . and -, like docker-ce", "%q is not a name of a repository", r.Name)
	case slices.Contains(archives, r.Name):
		d.fail(p.with("name"), "give it another name; image.mirrors says where the distribution's own are", "%q is an archive of the distribution", r.Name)
	}
	d.mirror(p.with("url"), r.URL)
	r.Key.validate(d, p.with("key"))
	if !of.apt {
		for _, key := range []string{"suite", "components"} {
			if d.has(p.with(key)) {
				d.fail(p.with(key), "remove it: url is the folder that has repodata", "repositories of %s have no %s", of.name, key)
			}
		}
		return
	}
	if !suiteName.MatchString(r.Suite) {
		d.fail(p.with("suite"), "the folder below dists, like noble", "%q is not a suite", r.Suite)
	}
	for n, c := range r.Components {
		if !suiteName.MatchString(c) {
			d.fail(p.with("components").with(n), "like main or stable", "%q is not a component", c)
		}
	}
	unique(d, p.with("components"), r.Components)
}

func (k Key) validate(d *document, p path) {
	d.relativeFile(p.with("file"), k.File)
	if !fingerprint.MatchString(k.Fingerprint) {
		d.fail(p.with("fingerprint"), "40 or 64 hex digits without blanks, as `gpg --show-keys FILE` prints them", "%q is not a fingerprint", k.Fingerprint)
	}
}

// Names of packages: Debian's policy, and what rpm takes. A trailing "-" would tell apt to remove it.
var (
	debianPackage = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*[a-z0-9+.]$`) // https://www.debian.org/doc/debian-policy/ch-controlfields.html#source
	rpmPackage    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+._-]*$`)
)

// neverPackages never get into an image, with the reason and the way out.
var neverPackages = []struct {
	names     []string
	why, hint string
}{
	{[]string{"dropbear", "dropbear-bin", "openssh-server", "ssh", "tinysshd"}, "an SSH server is never part of an image",
		"remove it: nodes are never logged in to; `debug: true` opens the console"},
	{[]string{"unattended-upgrades", "packagekit", "dnf-automatic"}, "nothing updates a verified root in place",
		"remove it: build a new image, with --update for today's versions"},
	{[]string{"snapd"}, "snaps do not fit into a verified root", "remove it: take a package or a container"},
	{[]string{"cloud-init"}, "nodes get their configuration from Ignition, and from nobody else", "remove it, and write a Butane file"},
	{[]string{"kdump-tools", "linux-crashdump", "kexec-tools"}, "a crashed kernel starts nothing that is not verified", "remove it: the node reboots, and its console has the message"},
	{[]string{"firewalld", "ufw"}, "kube-proxy and the pod network own the packet filter", "remove it, and use network policies"},
}

func (i Image) validatePackages(d *document, p path) {
	valid := rpmPackage
	if known, ok := findDistribution(i.Distro); ok && known.apt {
		valid = debianPackage
	}
	unique(d, p, i.Packages)
	for n, name := range i.Packages {
		if why, hint := RefusePackage(name); why != "" {
			d.fail(p.with(n), hint, "%s", why)
		} else if !valid.MatchString(name) {
			d.fail(p.with(n), "a package name of the distribution, like tcpdump", "%q is not a package name", name)
		}
	}
}

// RefusePackage says why a package is never part of an image, and what to do; why is empty for all others.
func RefusePackage(name string) (why, hint string) {
	for _, never := range neverPackages {
		if slices.Contains(never.names, name) {
			return never.why, never.hint
		}
	}
	return "", ""
}
