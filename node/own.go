package node

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// ownFiles are what Slipway writes on a node: with its Ignition config, at every boot for its roles, or in the image. The
// tests of those who write hold this list against what they write. A trailing * stands for any ending.
var ownFiles = []string{
	"/etc/cni/net.d/10-slipway.conflist",
	"/etc/containerd/config.toml",
	"/etc/crictl.yaml",
	"/etc/fstab",
	"/etc/hostname",
	"/etc/kubernetes/authentication.yaml",
	"/etc/kubernetes/controller-manager.conf",
	"/etc/kubernetes/kube-proxy.conf",
	"/etc/kubernetes/kube-proxy.yaml",
	"/etc/kubernetes/kubelet.conf",
	"/etc/kubernetes/kubelet.yaml",
	"/etc/kubernetes/scheduler.conf",
	"/etc/kubernetes/scheduler.yaml",
	"/etc/machine-id",
	"/etc/resolv.conf",
	"/etc/slipway",
	"/etc/slipway/*",
	"/etc/systemd/system-generators/systemd-gpt-auto-generator",
}

// ownUnits are the roles', the daemon's, those that the image masks because they ask or write where nobody may, and those that
// report and reboot in an emergency instead of asking.
var ownUnits = []string{
	"debug-shell.service", "emergency.service", "rescue.service",
	"etcd.service", "getty@.service", "kube-apiserver.service", "kube-controller-manager.service", "kube-proxy.service", "kube-scheduler.service",
	"kubelet.service", "serial-getty@.service", "slipway-apilb.service", "slipway-keepalived.service", "slipway-lb.service", "slipway-masq.service",
	"slipwayd.service", "systemd-firstboot.service", "systemd-repart.service",
}

// writable are the folders of the read-only root that lead to state.
var writable = []string{"/etc", "/var", "/home", "/root"}

// ChronyConf is written for nodes that have time servers of their own; without, the image's own may be replaced.
const ChronyConf = "/etc/chrony/chrony.conf"

// MirrorFile is where the runtime finds the mirrors of a registry.
func MirrorFile(registry string) string {
	return path.Join("/etc/containerd/certs.d", registry, "hosts.toml")
}

// RefusePath says why a user's own config cannot put something at an absolute path, and what to do instead; why is empty
// if it can. Any name with "slipway" in it is Slipway's: one in /etc would hide the one that the image has in /usr/lib.
func RefusePath(file string) (why, hint string) {
	file = path.Clean(file)
	if !slices.ContainsFunc(writable, func(dir string) bool { return strings.HasPrefix(file, dir+"/") }) {
		return fmt.Sprintf("%s is in the read-only part of the image", file), "write below " + strings.Join(writable, ", ")
	}
	if dir, name := path.Split(file); isUnitDir(dir) {
		if why, hint := RefuseUnit(name); why != "" {
			return why, hint
		}
	}
	if slices.ContainsFunc(ownFiles, matches(file)) || strings.HasPrefix(file, "/etc/") && strings.Contains(path.Base(file), "slipway") {
		return fmt.Sprintf("%s is slipway's own", file), "leave it to slipway, and choose another name for a file of yours; for what can be set see the spec"
	}
	return "", ""
}

func isUnitDir(dir string) bool {
	return dir == "/etc/systemd/system/" || dir == "/etc/systemd/system.control/"
}

// RefuseUnit is RefusePath for a unit that would take the place of one, or mask or disable it. Drop-ins are the user's.
func RefuseUnit(name string) (why, hint string) {
	if slices.ContainsFunc(ownUnits, matches(name)) {
		return fmt.Sprintf("the unit %s is slipway's own", name), "change it by a drop-in, or choose another name"
	}
	return "", ""
}
