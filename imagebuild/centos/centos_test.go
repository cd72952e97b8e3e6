package centos

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/keyring"
	"slipway/internal/testyum"
)

// The module that lives in a package of its own is looked for in what dnf knows.
func TestBrings(t *testing.T) {
	m := newMirror(t)
	extra := rpm("kernel-ml-modules-extra-7.1")
	for _, file := range []string{"/usr/lib/modules/7.1.el10/kernel/net/br_netfilter.ko.xz", "/lib/modules/7.1.el10/kernel/net/xt-x.ko", "/lib/modules/6.0.el10/kernel/net/old.ko"} {
		extra.Files = append(extra.Files, testyum.File{Path: file, Mode: 0o100644, Owner: "root", Group: "root", Time: day})
	}
	m.fill(elrepo, m.key, m.key, rpm("kernel-ml-7.1", "kernel-ml-core"), rpm("kernel-ml-core-7.1"), extra)
	if _, err := m.resolve(m.request()); err != nil {
		t.Fatal(err)
	}
	for module, want := range map[string]string{"br_netfilter": extra.Name, "br-netfilter": extra.Name, "xt_x": extra.Name, "old": "", "ext4": ""} {
		got, err := Driver{}.Brings(filepath.Join(m.work, "pm"), "7.1.el10", []string{module})
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v", module, got, err)
		}
	}
}

// rpm's words, as rpmkeys 4.18 prints them.
func TestParseSignatures(t *testing.T) {
	keys := []keyring.Key{{Fingerprint: "4FDF23F071AA58DB060C912AE577B0AE891F9C95"}, {Fingerprint: "99DB70FAE1D7CE227FB6488205B555B38483C65D"}}
	got := parseSignatures(`/pool/good.rpm:
    Header V4 RSA/SHA256 Signature, key ID 891f9c95: OK
    Header SHA256 digest: OK
    Payload SHA256 digest: OK
    V4 RSA/SHA256 Signature, key ID 891f9c95: OK
/pool/other.rpm:
    Header V4 RSA/SHA256 Signature, key ID 11111111: NOKEY
    Header SHA256 digest: OK
/pool/unsigned.rpm:
    Header SHA256 digest: OK
    Payload SHA256 digest: OK
/pool/damaged.rpm:
    Header V4 RSA/SHA256 Signature, key ID 891f9c95: OK
    Payload SHA256 digest: BAD (Expected 1 != 2)
/pool/payload-alone.rpm:
    V4 RSA/SHA256 Signature, key ID 891f9c95: OK
`, keys)
	for file, want := range map[string]signature{
		"/pool/good.rpm":          {keys[0].Fingerprint, ""},
		"/pool/other.rpm":         {"", "Header V4 RSA/SHA256 Signature, key ID 11111111: NOKEY"},
		"/pool/unsigned.rpm":      {},
		"/pool/damaged.rpm":       {"", "Payload SHA256 digest: BAD (Expected 1 != 2)"},
		"/pool/payload-alone.rpm": {},
	} {
		if got[file] != want {
			t.Errorf("%s: %+v", file, got[file])
		}
	}
}

// Each release has its own repositories, and its pinned keys.
func TestSources(t *testing.T) {
	for release, want := range map[string][]string{
		"10": {
			"baseos https://m/10-stream/BaseOS/x86_64/os 99DB70FAE1D7CE227FB6488205B555B38483C65D",
			"appstream https://m/10-stream/AppStream/x86_64/os 99DB70FAE1D7CE227FB6488205B555B38483C65D",
			"crb https://m/10-stream/CRB/x86_64/os 99DB70FAE1D7CE227FB6488205B555B38483C65D",
			"epel https://dl.fedoraproject.org/pub/epel/10/Everything/x86_64 7D8D15CBFC4E62688591FB2633D98517E37ED158",
			"elrepo-kernel https://elrepo.org/linux/kernel/el10/x86_64 B8A755874DA240C9DAC4E71551600989EAA31D4A",
			"docker-ce-stable https://download.docker.com/linux/centos/10/x86_64/stable 060A61C51B558A7F742B77AAC52FEB6B621E9F35",
		},
		"9": {
			"baseos https://m/9-stream/BaseOS/x86_64/os 99DB70FAE1D7CE227FB6488205B555B38483C65D",
			"appstream https://m/9-stream/AppStream/x86_64/os 99DB70FAE1D7CE227FB6488205B555B38483C65D",
			"crb https://m/9-stream/CRB/x86_64/os 99DB70FAE1D7CE227FB6488205B555B38483C65D",
			"epel https://dl.fedoraproject.org/pub/epel/9/Everything/x86_64 FF8AD1344597106ECE813B918A3872BF3228467C",
			"elrepo-kernel https://elrepo.org/linux/kernel/el9/x86_64 B8A755874DA240C9DAC4E71551600989EAA31D4A",
			"docker-ce-stable https://download.docker.com/linux/centos/9/x86_64/stable 060A61C51B558A7F742B77AAC52FEB6B621E9F35",
		},
	} {
		var got []string
		req := distro.Request{Release: release, Kernel: "kernel-lt/" + elrepo}
		for _, s := range sources(req, Driver{}.Mirrors(release, "https://m/", "")) {
			got = append(got, s.name+" "+s.url+" "+strings.Join(s.signers, " "))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

// The keys that the host's package has are the pinned ones; without the package they are fetched, and held against the same pins.
func TestPinnedKeys(t *testing.T) {
	for _, r := range repositories {
		for release, fingerprint := range r.key.fingerprint {
			if len(fingerprint) != 40 || fingerprint != strings.ToUpper(fingerprint) {
				t.Errorf("%s %s: %q is no fingerprint", r.name, release, fingerprint)
			}
			file := strings.ReplaceAll(r.key.file, "RELEASE", release)
			if data, err := os.ReadFile(file); err == nil {
				keys, err := keyring.Parse(data)
				if err != nil || !slices.ContainsFunc(keys, func(k keyring.Key) bool { return k.Fingerprint == fingerprint }) {
					t.Errorf("%s has not the key %s: %v", file, fingerprint, err)
				}
			}
		}
	}
}

// The armor that rpm is given is one that our own reader takes back.
func TestArmor(t *testing.T) {
	key, err := signing()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := keyring.Parse(key.Public)
	if err != nil {
		t.Fatal(err)
	}
	if got := crc24([]byte("123456789")); got != 0x21cf02 { // the check value of CRC-24/OPENPGP
		t.Errorf("the checksum is %x", got)
	}
	again, err := keyring.Parse(armor(keys[0].Data))
	if err != nil || len(again) != 1 || again[0].Fingerprint != key.Fingerprint || keys[0].Fingerprint != key.Fingerprint {
		t.Errorf("%v, %+v", err, again)
	}
}
