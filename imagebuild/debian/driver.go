package debian

import (
	"slipway/imagebuild/distro"
)

// Driver is Debian. It holds nothing: what differs from build to build comes in as values.
type Driver struct{}

var _ distro.Driver = Driver{}

// Facts: where Debian has things.
func (Driver) Facts() distro.Facts {
	return distro.Facts{
		Suffix: suffix, Snapshots: snapshots,
		Modules: "usr/lib/modules", Kernel: "boot/vmlinuz-VERSION",
		Stub: "usr/lib/systemd/boot/efi/linuxx64.efi.stub", BootLoader: "usr/lib/systemd/boot/efi/systemd-bootx64.efi",
		Database: "var/lib/dpkg", ShipsAt: "usr/lib/sysimage/dpkg", Leftovers: []string{"lock*", "*-old", "triggers"},
		Purge:    "chroot . dpkg --purge --force-depends --no-triggers $purge",
		CABundle: "etc/ssl/certs/ca-certificates.crt",
		Network:  distro.Networkd,
		Units: []string{
			"systemd-networkd.service", "systemd-networkd.socket", "systemd-resolved.service", "chrony.service", "open-vm-tools.service",
		},
	}
}

const (
	suffix       = ".deb"
	snapshots    = "https://snapshot.debian.org/archive/debian/<time>"
	architecture = "amd64" // the one that images are built for
)
