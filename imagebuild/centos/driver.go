package centos

import (
	"slipway/imagebuild/distro"
	"slipway/node"
)

// Driver is CentOS Stream. It holds nothing: what differs from build to build comes in as values.
type Driver struct{}

var (
	_ distro.Driver  = Driver{}
	_ distro.Bringer = Driver{}
)

// database is where the tree and the image have what rpm knows, in both releases: Stream 10's own place.
const database = "usr/lib/sysimage/rpm"

// Facts: where CentOS Stream has things, 9 and 10 alike.
func (Driver) Facts(string) distro.Facts {
	return distro.Facts{
		Suffix: suffix, Snapshots: snapshots,
		Modules: "usr/lib/modules", Kernel: "usr/lib/modules/VERSION/vmlinuz",
		Stub: "usr/lib/systemd/boot/efi/linuxx64.efi.stub", BootLoader: "usr/lib/systemd/boot/efi/systemd-bootx64.efi",
		Database: database, ShipsAt: database, Leftovers: []string{".rpm.lock", "rpmdb.sqlite-*"},
		Purge:    `HOME=/ rpm --root "$PWD" --dbpath "/` + database + `" --noplugins --erase --nodeps --noscripts --notriggers $purge`,
		CABundle: "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		Network:  distro.NetworkManager,
		Units: []string{
			"dbus-broker.service", "dbus.socket", "NetworkManager.service", "systemd-resolved.service", "chronyd.service", "vmtoolsd.service",
		},
		Files: files(),
		// A root without labels and a policy that nobody loads: said to the kernel too, so that no program takes it for enforcing.
		Arguments: []string{"selinux=0"},
	}
}

// files are what lets the rest of Slipway take CentOS for any distribution.
func files() []distro.File {
	return []distro.File{
		// slipwayd starts chrony.service and writes its configuration to one place, on every distribution.
		{Path: "/usr/lib/systemd/system/chrony.service", Link: "chronyd.service"},
		{Path: "/etc/sysconfig/chronyd", Content: "# Written by slipway: -F 2 is the distribution's own.\nOPTIONS=\"-F 2 -f /etc/chrony/chrony.conf\"\n"},
		{Path: node.ChronyConf, Content: "# Written by slipway: a node with time servers of its own has another file here.\ninclude /etc/chrony.conf\n"},
		{Path: "/etc/selinux/config", Content: "# Written by slipway: see selinux=0 on the kernel's command line.\nSELINUX=disabled\nSELINUXTYPE=targeted\n"},
	}
}

const (
	suffix       = ".rpm"
	snapshots    = "https://composes.stream.centos.org/stream-10/production/<compose>/compose/BaseOS/x86_64/os"
	architecture = "x86_64" // the one that images are built for
)
