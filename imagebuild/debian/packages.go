// Package debian is Debian behind the seam of package distro. Resolve asks apt for exact versions and digests, Unpack makes
// the tree by mmdebstrap, from the pool alone and without a network. Start with Driver.
package debian

import "strings"

const snapshots = "https://snapshot.debian.org/archive/debian/<time>"

func table() Table {
	return Table{
		Name: "debian", Components: "main", Suites: suites, Snapshots: snapshots,
		// A point release moves security updates into the release and to the release's folders.
		Moved:   func(path string) string { return strings.Replace(path, "pool/updates/", "pool/", 1) },
		Keyring: Keyring, KeyringFrom: "debian-archive-keyring",
		Base: base, Unmerged: []string{"bookworm"}, StandsFor: []string{initrdMaker},
	}
}

// Keyring is where Debian keeps the keys that sign its indexes.
const Keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// suites of a release. What two of them have is taken from the first.
func suites(release string) []Suite {
	return []Suite{{Name: release}, {Name: release + "-updates"}, {Name: release + "-backports"}, {Name: release + "-security", Security: true}}
}

// base is Common, and what Debian has in packages of its own.
func base(release string) []Named {
	if release == "bookworm" { // docker.io has the docker command there
		return append(Common(), Merged)
	}
	return append(Common(), Named{"docker-cli", "the docker command"})
}

// Merged says that folders like /lib are links into /usr. Where base-files makes no such links, another package's dependency
// would bring perl to make them.
var Merged = Named{"usr-is-merged", "no perl to merge /usr, which is merged when the tree is begun"}

// Common is what every node image of an apt distribution holds, sorted.
func Common() []Named {
	return []Named{
		{"bash-completion", "kubectl completion for a person at a debug console"},
		{"ca-certificates", "TLS to registries and config servers"},
		{"chrony", "time: certificates and leases depend on it"},
		{"conntrack", "kube-proxy clears stale UDP flows with it"},
		{"containerd", "the container runtime"},
		{"cryptsetup-bin", "veritysetup, to look at the root by hand"},
		{"dbus", "systemctl and networkd want a bus"},
		{"dmsetup", "udev's rules for the verified root, and a look at it"},
		{"docker.io", "dockerd, for what still talks to docker"},
		{"e2fsprogs", "makes and checks the state file system"},
		{"ethtool", "offload switches of network cards"},
		{"gdisk", "sgdisk, for Ignition's disks stage"},
		{"haproxy", "load balancer"},
		{"iproute2", "ip, ss, tc"},
		{"ipset", "ipvs mode of kube-proxy"},
		{"iptables", "kubelet, kube-proxy and CNI portmap"},
		{"iputils-ping", "the first question of every network problem"},
		{"ipvsadm", "shows ipvs services"},
		{"jq", "reads status and API answers"},
		{"keepalived", "moves the virtual address"},
		{"kmod", "module loading"},
		{"netbase", "/etc/protocols and /etc/services"},
		{"nftables", "pod masquerade, nftables mode of kube-proxy"},
		{"open-vm-tools", "guest side of vSphere"},
		{"passwd", "users in Ignition configs"},
		{"procps", "sysctl, ps"},
		{"runc", "runs containers"},
		{"socat", "kubectl port-forward"},
		{"systemd", "init, networkd, journald"},
		{"systemd-resolved", "names"},
		{"systemd-sysv", "/sbin/init"},
		{"udev", "devices"},
		{"util-linux", "mount, lsblk and friends"},
	}
}

// buildOnly is needed to make the image and is purged before the root is packed.
var buildOnly = []Named{
	{"squashfs-tools", "packs the root"},
	{"systemd-boot-efi", "boot loader and UKI stub"},
}

// excluded paths never enter the tree: what a person reads elsewhere, and drivers that no server has.
// Nothing shall make an initrd when the kernel is unpacked.
func excluded() []string {
	out := []string{
		"/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*", "/usr/share/bug/*",
		"/usr/share/doc/*",
		"/etc/kernel/postinst.d/*",
	}
	for _, modules := range []string{"/usr/lib/modules", "/lib/modules"} { // as the package has them, whatever /lib is in the tree
		for _, drivers := range []string{
			"drivers/gpu", "drivers/media", "drivers/net/wireless", "drivers/bluetooth", "drivers/iio", "drivers/comedi", "drivers/w1", "drivers/staging",
			"sound", "net/wireless", "net/mac80211", "net/bluetooth",
		} {
			out = append(out, modules+"/*/kernel/"+drivers+"/*")
		}
	}
	return out
}

// included paths are exceptions to excluded: licences ship with what they license.
var included = []string{"/usr/share/doc/*/copyright"}
