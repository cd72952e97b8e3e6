package debian

import (
	"slipway/imagebuild/distro"
)

// Driver is a distribution of apt's and dpkg's. It holds what is known of it and nothing else: what differs from build to
// build comes in as values.
type Driver struct{ Table Table }

var _ distro.Driver = Driver{}

// New is Debian.
func New() Driver { return Driver{table()} }

// Table is what tells one distribution of apt's from another.
type Table struct {
	Name       string
	Components string // of every suite, with blanks between them
	Suites     func(release string) []Suite
	Snapshots  string                   // how the URL of a mirror of an earlier day looks
	Moved      func(path string) string // where a package may be as well; may be nil

	Keyring      string              // on the building machine: the keys that sign the archive
	KeyringFrom  string              // the package that has it
	Fingerprints map[string][]string // by release, those of its primary keys that are believed; nil: all

	Base        func(release string) []Named // what every node image holds; the kernel comes in by its stream
	Unmerged    []string                     // releases whose base-files makes no links into /usr
	StandsFor   []string                     // packages that others want and that no image holds
	MoreModules []string                     // see distro.Facts
	Units       []string                     // started besides those that every apt distribution's image starts
}

// Named is a package with the reason for it.
type Named struct{ Name, Why string }

// Suite is an index of packages, and whether it lives on the security mirror.
type Suite struct {
	Name     string
	Security bool
}

// Facts: where apt's distributions have things.
func (d Driver) Facts(string) distro.Facts {
	return distro.Facts{
		Suffix: suffix, Snapshots: d.Table.Snapshots,
		Modules: "usr/lib/modules", MoreModules: d.Table.MoreModules, Kernel: "boot/vmlinuz-VERSION",
		Stub: "usr/lib/systemd/boot/efi/linuxx64.efi.stub", BootLoader: "usr/lib/systemd/boot/efi/systemd-bootx64.efi",
		Database: "var/lib/dpkg", ShipsAt: "usr/lib/sysimage/dpkg", Leftovers: []string{"lock*", "*-old", "triggers"},
		Purge:    "chroot . dpkg --purge --force-depends --no-triggers $purge",
		CABundle: "etc/ssl/certs/ca-certificates.crt",
		Network:  distro.Networkd,
		Units: append([]string{
			"systemd-networkd.service", "systemd-networkd.socket", "systemd-resolved.service", "chrony.service", "open-vm-tools.service",
		}, d.Table.Units...),
	}
}

const (
	suffix       = ".deb"
	architecture = "amd64" // the one that images are built for
)
