package inside

import "slipway/node"

// bundled are the files that go into a support bundle: only these. A trailing * stands for any ending in the same folder. Keys,
// certificates, kubeconfigs and the registries' hosts.toml (which may hold a password) are not among them, nor is
// anything that a user's own config wrote.
var bundled = []string{
	node.Path,
	"/etc/slipway/*.cfg",
	"/etc/slipway/flannel.json",
	"/etc/slipway/keepalived.conf",
	"/etc/kubernetes/*.yaml",
	"/etc/cni/net.d/10-slipway*",
	"/etc/containerd/config.toml",
	"/etc/crictl.yaml",
	"/etc/hostname",
	"/etc/os-release",
	node.ChronyConf,
	"/etc/resolv.conf",
	"/usr/lib/slipway/image.json",
	"/var/lib/slipway/journal.json",
	"/run/flannel/subnet.env",
	"/run/slipway/etcd.env",
	"/proc/cmdline",
	"/proc/loadavg",
	"/proc/meminfo",
	"/proc/mounts",
	"/proc/pressure/*",
	"/proc/uptime",
	"/proc/version",
}

// programs are what else is asked: name of the file in the bundle, program, arguments. No argument comes from outside.
var programs = [][]string{
	{"network/addresses.txt", "ip", "-o", "address"},
	{"network/links.txt", "ip", "-s", "-o", "link"},
	{"network/routes.txt", "ip", "route", "show", "table", "all"},
	{"disks.txt", "df", "-h"},
	{"boots.txt", "journalctl", "--list-boots", "--no-pager", "--quiet", "--utc"},
	{"jobs.txt", "systemctl", "list-jobs", "--no-pager", "--full"},
	{"clock.txt", "timedatectl", "show"},
}
