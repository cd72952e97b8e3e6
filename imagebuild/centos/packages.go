// Package centos is CentOS Stream behind the seam of package distro. Resolve asks the host's dnf for exact versions and rpm
// for their signatures; Unpack makes the tree by rpm, from the pool alone and without a network. Start with Driver.
//
// What differs from Debian's way, and why: docs/adr/0050-centos.md.
package centos

import (
	"regexp"
	"slices"

	"slipway/imagebuild/distro"
)

// base is what every node image holds, with the reason. The kernel comes in by its stream.
var base = []struct{ name, why string }{
	{"basesystem", "the folders and accounts that all others expect"},
	{"bash", "scripts; also /bin/sh"},
	{"bash-completion", "kubectl completion for a person at a debug console"},
	{"ca-certificates", "TLS to registries and config servers"},
	{"centos-stream-release", "says what this is, where a dependency would take any release"},
	{"chrony", "time: certificates and leases depend on it"},
	{"conntrack-tools", "kube-proxy clears stale UDP flows with it"},
	{"containerd.io", "the container runtime, with its runc: Docker's, whose docker-ce wants it"},
	{"coreutils", "cp, chmod and friends; the small variant would do for a dependency"},
	{"dbus-broker", "systemctl and NetworkManager want a bus"},
	{"device-mapper", "udev's rules for the verified root, and a look at it"},
	{"docker-ce", "dockerd, for what still talks to docker"},
	{"docker-ce-cli", "the docker command"},
	{"e2fsprogs", "makes and checks the state file system"},
	{"ethtool", "offload switches of network cards"},
	{"findutils", "scripts"},
	{"gdisk", "sgdisk, for Ignition's disks stage"},
	{"glibc-minimal-langpack", "else a dependency takes every language there is"},
	{"haproxy", "load balancer"},
	{"iproute", "ip, ss"},
	{"iproute-tc", "tc"},
	{"ipset", "ipvs mode of kube-proxy"},
	{"iptables-nft", "kubelet, kube-proxy and CNI portmap"},
	{"iputils", "ping: the first question of every network problem"},
	{"ipvsadm", "shows ipvs services"},
	{"jq", "reads status and API answers"},
	{"keepalived", "moves the virtual address"},
	{"kmod", "module loading"},
	{"NetworkManager", "the network: there is no systemd-networkd in the distribution"},
	{"nftables", "pod masquerade, nftables mode of kube-proxy"},
	{"open-vm-tools", "guest side of vSphere"},
	{"procps-ng", "sysctl, ps"},
	{"shadow-utils", "users in Ignition configs"},
	{"socat", "kubectl port-forward"},
	{"systemd", "init, journald"},
	{"systemd-resolved", "names"},
	{"systemd-udev", "devices"},
	{"tzdata", "/etc/localtime"},
	{"util-linux", "mount, lsblk and friends"},
	{"veritysetup", "to look at the verified root by hand"},
}

// buildOnly is needed to make the image and is purged before the root is packed.
var buildOnly = []struct{ name, why string }{
	{"squashfs-tools", "packs the root"},
	{"systemd-boot-unsigned", "boot loader and UKI stub"},
}

// unused come with what the image needs, and are no use in it. They are purged too.
var unused = []struct{ name, why string }{
	{"dracut", "the kernel's packages want it; the initrd is Slipway's own"},
	{"linux-firmware", "ELRepo's kernels want it: 400 MB for cards that servers and virtual machines lack"},
	{"linux-firmware-whence", "the licences of linux-firmware"},
}

// never may be in an image beside Docker's packages, which have the same programs.
var never = []string{"buildah", "containerd", "cri-o", "docker", "moby-engine", "podman", "podman-docker", "runc"}

// kernelImage are packages that have a kernel: one of them, and no more, is in an image.
var kernelImage = regexp.MustCompile(`^kernel(-[a-z0-9]+)*-core$`)

// kernelModules has the same kind of name and no kernel.
const kernelModules = "-modules-core"

// Request asks for the base, what building needs, a kernel, and extra.
func (d Driver) Request(release, kernel string, extra []string) distro.Request {
	names := slices.Concat(extra, d.BuildOnly())
	for _, p := range base {
		names = append(names, p.name)
	}
	slices.Sort(names)
	return distro.Request{Name: "centos", Release: release, Architecture: architecture, Kernel: kernel, Packages: slices.Compact(names)}
}

// BuildOnly returns the names of the packages that are there to build the image.
func (Driver) BuildOnly() []string {
	var out []string
	for _, p := range buildOnly {
		out = append(out, p.name)
	}
	return out
}

// Places are where mirrors have a package.
func (Driver) Places(p distro.Package, m distro.Mirrors) []string { return distro.Places(p, m, p.Path) }
