package main

import (
	"regexp"
	"strings"
)

// renamed is what CentOS calls Debian's packages, where that is another name. Two of Debian's may be one of CentOS's.
var renamed = map[string]string{
	"base-files": "centos-stream-release", "base-passwd": "setup", "netbase": "setup",
	"bsdutils": "util-linux", "mount": "util-linux", "logsave": "e2fsprogs", "libext2fs2t64": "e2fsprogs-libs", "libcom-err2": "libcom_err",
	"conntrack": "conntrack-tools", "cryptsetup-bin": "veritysetup", "libcryptsetup12": "cryptsetup-libs",
	"containerd": "containerd.io", "runc": "containerd.io", "docker.io": "docker-ce", "tini": "docker-ce", "docker-cli": "docker-ce-cli",
	"dbus": "dbus-broker", "dbus-daemon": "dbus-daemon", "dbus-bin": "dbus-tools", "dbus-system-bus-common": "dbus-common", "dbus-session-bus-common": "dbus-common",
	"dmsetup": "device-mapper", "libdevmapper1.02.1": "device-mapper-libs", "iproute2": "iproute", "iptables": "iptables-nft",
	"iputils-ping": "iputils", "libc6": "glibc", "libc-bin": "glibc-common", "libgcc-s1": "libgcc", "libstdc++6": "libstdc++",
	"libpam-modules": "pam", "libpam-modules-bin": "pam", "libpam-runtime": "pam", "libpam0g": "pam-libs", "libssl3t64": "openssl-libs",
	"libsystemd0": "systemd-libs", "libudev1": "systemd-libs", "libsystemd-shared": "systemd", "systemd-sysv": "systemd",
	"systemd-cryptsetup": "systemd-udev", "systemd-repart": "systemd-udev", "udev": "systemd-udev", "systemd-boot-efi": "systemd-boot-unsigned",
	"mawk": "gawk", "ncurses-bin": "ncurses", "network-manager": "NetworkManager", "libnm0": "NetworkManager-libnm",
	"passwd": "shadow-utils", "login.defs": "shadow-utils", "perl-base": "perl-libs", "procps": "procps-ng", "libproc2-0": "procps-ng", "zlib1g": "zlib-ng-compat",
}

// dropped have no counterpart: the package manager of another distribution, and what only its scripts call.
var dropped = regexp.MustCompile(`^(apt|dash|debconf|debianutils|dpkg|init-system-helpers|initramfs-.*|libdebconfclient0|linux-.*|lsb-release|slipway-initrd|sysvinit-utils|ucf|adduser|sensible-utils)$`)

// absent is what CentOS does not have at all: systemd-networkd, System V, the old package manager.
var absent = regexp.MustCompile(`systemd-networkd|networkctl|systemd-network-generator|/org\.freedesktop\.network1|^/usr/lib/systemd/network/.*\.network` +
	`|^/etc/(rc.\.d|init\.d|dpkg|apt|debian_version|default/locale|machine-id|mtab|resolv\.conf|hostname|fstab|ld\.so\.cache|ssl/certs|ca-certificates|\.)` +
	`|which$|/ssl/certs|^/usr/share/(doc|bug|lintian|man)/|^/var/(lib/(dpkg|apt|pam|ucf)|cache|log)/|^/boot/|^/(dev|proc|sys|run|tmp)/|^/usr/lib/modules/|\.dpkg-`)

// repositories are where packages are, BaseOS if nothing is said.
var repositories = map[string]string{
	"containerd.io": docker, "docker-ce": docker, "docker-ce-cli": docker,
	"kernel-ml": elrepo, "kernel-ml-core": elrepo, "kernel-ml-modules": elrepo, "kernel-ml-modules-extra": elrepo, "kernel-ml-modules-internal": elrepo, "kernel-ml-devel": elrepo,
	"htop":            epel,
	"bash-completion": appstream, "conntrack-tools": appstream, "haproxy": appstream, "ipvsadm": appstream, "jq": appstream,
	"keepalived": appstream, "open-vm-tools": appstream, "socat": appstream, "systemd-boot-unsigned": appstream,
}

// Repositories, as folders of OUT. Those of CentOS lie as at its mirrors.
const (
	baseos    = "centos/10-stream/BaseOS/x86_64/os"
	appstream = "centos/10-stream/AppStream/x86_64/os"
	epel      = "epel/10/Everything/x86_64"
	elrepo    = "elrepo/linux/kernel/el10/x86_64"
	crb       = "centos/10-stream/CRB/x86_64/os"
	docker    = "docker/linux/centos/10/x86_64/stable"
)

// rpmName is CentOS's name of one of Debian's packages.
func rpmName(name string) string {
	if to := renamed[name]; to != "" {
		return to
	}
	return name
}

var notInVersion = regexp.MustCompile(`[^A-Za-z0-9._+~^]`)

// rpmVersion takes Debian's apart: the epoch and the revision are rpm's own fields.
func rpmVersion(debian string) string {
	if _, after, ok := strings.Cut(debian, ":"); ok {
		debian = after
	}
	if i := strings.LastIndex(debian, "-"); i > 0 {
		debian = debian[:i]
	}
	return notInVersion.ReplaceAllString(debian, ".")
}
