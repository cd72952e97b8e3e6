package centos

import (
	"strings"

	"slipway/imagebuild/distro"
)

// repository is one of those that every image may take packages from.
type repository struct {
	name string
	url  string // the folder that has repodata; MIRROR and RELEASE are filled in
	key  key
}

// key is who signs a repository: of all that a file has, the one with this fingerprint is believed.
type key struct {
	fingerprint map[string]string // by release
	file        string            // on the host, from a package; RELEASE is filled in
	url         string            // else: where its owner has it
}

// The names that image.mirrors and image.kernelStream have for them: cluster.Archives.
const (
	baseos    = "baseos"
	appstream = "appstream"
	crb       = "crb"
	epel      = "epel"
	elrepo    = "elrepo-kernel"
	docker    = "docker-ce-stable"
)

// always is one key for all releases.
func always(fingerprint string) map[string]string {
	return map[string]string{"9": fingerprint, "10": fingerprint}
}

// keyFiles is where the package distribution-gpg-keys has keys.
const keyFiles = "/usr/share/distribution-gpg-keys/"

// Fingerprints: the first three are those of distribution-gpg-keys 1.119, which has them from the distributions' releases;
// ELRepo's and Docker's are published at https://elrepo.org and https://docs.docker.com/engine/install/centos/.
var (
	centosKey = key{always("99DB70FAE1D7CE227FB6488205B555B38483C65D"), keyFiles + "centos/RPM-GPG-KEY-CentOS-Official-SHA256", "https://www.centos.org/keys/RPM-GPG-KEY-CentOS-Official-SHA256"}
	epelKey   = key{map[string]string{
		"9":  "FF8AD1344597106ECE813B918A3872BF3228467C",
		"10": "7D8D15CBFC4E62688591FB2633D98517E37ED158",
	}, keyFiles + "epel/RPM-GPG-KEY-EPEL-RELEASE", "https://dl.fedoraproject.org/pub/epel/RPM-GPG-KEY-EPEL-RELEASE"}
	elrepoKey = key{always("B8A755874DA240C9DAC4E71551600989EAA31D4A"), "", "https://www.elrepo.org/RPM-GPG-KEY-v2-elrepo.org"}
	dockerKey = key{always("060A61C51B558A7F742B77AAC52FEB6B621E9F35"), "", "https://download.docker.com/linux/centos/gpg"}
)

// repositories in the order in which they are preferred where two have the same package in the same version.
var repositories = []repository{
	{baseos, "MIRROR/RELEASE-stream/BaseOS/x86_64/os", centosKey},
	{appstream, "MIRROR/RELEASE-stream/AppStream/x86_64/os", centosKey},
	{crb, "MIRROR/RELEASE-stream/CRB/x86_64/os", centosKey},
	{epel, "https://dl.fedoraproject.org/pub/epel/RELEASE/Everything/x86_64", epelKey},
	{elrepo, "https://elrepo.org/linux/kernel/elRELEASE/x86_64", elrepoKey},
	{docker, "https://download.docker.com/linux/centos/RELEASE/x86_64/stable", dockerKey},
}

// Mirrors gives every repository its URL. What CentOS itself has is at the main mirror.
func (Driver) Mirrors(release, main, _ string) distro.Mirrors {
	out := distro.Mirrors{}
	for _, r := range repositories {
		out[r.name] = strings.NewReplacer("MIRROR", strings.TrimRight(main, "/"), "RELEASE", release).Replace(r.url)
	}
	return out
}

// source is a repository as a request has it.
type source struct {
	name, url string
	signers   []string // fingerprints: who may sign its packages and its metadata
	own       key      // where the distribution's own key is; unused if the request names others
}

// sources are the repositories of a request, in their order. That of a kernel is asked only for that kernel.
func sources(req distro.Request, m distro.Mirrors) []source {
	var out []source
	for _, r := range repositories {
		if r.name == elrepo && !strings.HasSuffix(req.Kernel, "/"+elrepo) {
			continue
		}
		s := source{name: r.name, url: m[r.name], signers: req.Signers}
		if len(s.signers) == 0 {
			s.own, s.signers = r.key, []string{r.key.fingerprint[req.Release]}
		}
		out = append(out, s)
	}
	for _, r := range req.Repositories {
		out = append(out, source{name: r.Name, url: m[r.Name], signers: []string{r.Signer}})
	}
	return out
}
