// Package ubuntu is Ubuntu: a table of packages, suites and keys on the driver of package debian. Start with New.
package ubuntu

import "slipway/imagebuild/debian"

// New is Ubuntu.
func New() debian.Driver {
	return debian.Driver{Table: debian.Table{
		Name: "ubuntu", Components: "main universe", Suites: suites,
		Snapshots:   "https://snapshot.ubuntu.com/ubuntu/<time>",
		Keyring:     "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
		KeyringFrom: "ubuntu-archive-keyring (on Ubuntu: ubuntu-keyring)",
		Fingerprints: map[string][]string{
			"noble":    {archive2018},
			"resolute": {archive2018},
		},
		Base: base, Unmerged: []string{"noble"}, StandsFor: standsFor,
		MoreModules: []string{"linux-modules-extra-VERSION"},
	}}
}

// archive2018 is "Ubuntu Archive Automatic Signing Key (2018)", as package ubuntu-keyring has it.
const archive2018 = "F6ECB3762474EDA9D21B7022871920D1991BC93C"

// suites of a release. Backports are left out: nothing in an image comes from there.
func suites(release string) []debian.Suite {
	return []debian.Suite{{Name: release}, {Name: release + "-updates"}, {Name: release + "-security", Security: true}}
}

// standsFor is what the kernel's packages want and no image holds: firmware for hardware that servers hardly have is half a
// gigabyte, microcode is loaded by an initrd that has it, and Slipway's has not. Whoever needs one of them names it in
// image.packages.
var standsFor = []string{"linux-initramfs-tool", "initramfs-tools", "linux-firmware", "intel-microcode", "amd64-microcode", "wireless-regdb"}

// base is what Debian's images have, and what Ubuntu has in packages of its own.
func base(string) []debian.Named {
	return append(debian.Common(), debian.Merged, debian.Named{Name: "apparmor", Why: "the runtime confines containers with it"})
}
