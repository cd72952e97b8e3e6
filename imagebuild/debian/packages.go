// Package debian is Debian behind the seam of package distro. Resolve asks apt for exact versions and digests, Unpack makes
// the tree by mmdebstrap, from the pool alone and without a network. Start with Driver.
package debian

import (
	"slices"
	"strings"

	"slipway/imagebuild/distro"
)

// Suites of a release: name of the index, and whether it lives on the security mirror. What two of them have is taken
// from the first.
func suites(release string) []suite {
	return []suite{
		{name: release},
		{name: release + "-updates"},
		{name: release + "-backports"},
		{name: release + "-security", security: true},
	}
}

type suite struct {
	name     string
	security bool
}

// Mirrors gives every suite of a release its mirror.
func (Driver) Mirrors(release, main, security string) distro.Mirrors {
	out := distro.Mirrors{}
	for _, s := range suites(release) {
		out[s.name] = main
		if s.security {
			out[s.name] = security
		}
	}
	return out
}

// base is what every node image holds, with the reason. The kernel comes in by its stream.
var base = []struct{ name, why string }{
	{"bash-completion", "kubectl completion for a person at a debug console"},
	{"ca-certificates", "TLS to registries and config servers"},
	{"chrony", "time: certificates and leases depend on it"},
	{"conntrack", "kube-proxy clears stale UDP flows with it"},
	{"containerd", "the container runtime"},
	{"cryptsetup-bin", "veritysetup, to look at the root by hand"},
	{"dbus", "systemctl and networkd want a bus"},
	{"dmsetup", "udev's rules for the verified root, and a look at it"},
	{"docker-cli", "the docker command"},
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

// buildOnly is needed to make the image and is purged before the root is packed.
var buildOnly = []struct{ name, why string }{
	{"squashfs-tools", "packs the root"},
	{"systemd-boot-efi", "boot loader and UKI stub"},
}

// excluded paths never enter the tree: what a person reads elsewhere, and drivers that no server has.
// Nothing shall make an initrd when the kernel is unpacked.
var excluded = []string{
	"/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*", "/usr/share/bug/*",
	"/usr/share/doc/*",
	"/etc/kernel/postinst.d/*",
	"/usr/lib/modules/*/kernel/drivers/gpu/*", "/usr/lib/modules/*/kernel/drivers/media/*",
	"/usr/lib/modules/*/kernel/drivers/net/wireless/*", "/usr/lib/modules/*/kernel/drivers/bluetooth/*",
	"/usr/lib/modules/*/kernel/drivers/iio/*", "/usr/lib/modules/*/kernel/drivers/comedi/*",
	"/usr/lib/modules/*/kernel/drivers/w1/*", "/usr/lib/modules/*/kernel/drivers/staging/*",
	"/usr/lib/modules/*/kernel/sound/*", "/usr/lib/modules/*/kernel/net/wireless/*",
	"/usr/lib/modules/*/kernel/net/mac80211/*", "/usr/lib/modules/*/kernel/net/bluetooth/*",
}

// included paths are exceptions to excluded: licences ship with what they license.
var included = []string{"/usr/share/doc/*/copyright"}

// Request asks for the base, what building needs, a kernel, and extra.
func (d Driver) Request(release, kernel string, extra []string) distro.Request {
	names := slices.Concat(extra, d.BuildOnly())
	for _, p := range base {
		names = append(names, p.name)
	}
	slices.Sort(names)
	return distro.Request{
		Name: "debian", Release: release, Architecture: architecture, Kernel: kernel, Packages: slices.Compact(names),
	}
}

// BuildOnly returns the names of the packages that are there to build the image.
func (Driver) BuildOnly() []string {
	var out []string
	for _, p := range buildOnly {
		out = append(out, p.name)
	}
	return out
}

// Places: a point release moves security updates into the release and to the release's folders.
func (Driver) Places(p distro.Package, m distro.Mirrors) []string {
	return distro.Places(p, m, p.Path, strings.Replace(p.Path, "pool/updates/", "pool/", 1))
}
