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
	"/etc/cni/net.d/10-slipway-flannel.conflist",
	"/etc/cni/net.d/10-slipway.conflist",
	"/etc/containerd/config.toml",
	"/etc/crictl.yaml",
	"/etc/fstab",
	"/etc/hostname",
	"/etc/kubernetes/authentication.yaml",
	"/etc/kubernetes/controller-manager.conf",
	"/etc/kubernetes/flannel.conf",
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

// ownState is what slipwayd and etcd keep on a node, folder and owner. A first boot that was cut off is judged by it. A trailing
// * stands for any ending.
var ownState = [][2]string{
	{"/var/lib/etcd/member", "etcd's data"},
	{"/var/lib/etcd.quarantine-*", "etcd's data that was put aside"},
	{"/var/lib/slipway", "slipway's own state"},
}

// ownUnits are the roles', the daemon's, those that the image masks because they ask or write where nobody may, and those that
// report and reboot in an emergency instead of asking, with the targets that lead to them: a failed mount does by local-fs.target.
var ownUnits = []string{
	"debug-shell.service", "emergency.service", "emergency.target", "local-fs.target", "rescue.service", "rescue.target",
	"etcd.service", "flanneld.service", "getty-static.service", "getty@.service", "kube-apiserver.service", "kube-controller-manager.service", "kube-proxy.service", "kube-scheduler.service",
	"kubelet.service", "serial-getty@.service", "slipway-apilb.service", "slipway-keepalived.service", "slipway-lb.service", "slipway-masq.service",
	"slipwayd.service", "systemd-firstboot.service",
}

// unitDirs are where a unit takes the place of one of the image.
var unitDirs = []string{"/etc/systemd/system", "/etc/systemd/system.control"}

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
//
// It judges a folder: for a file or a link, which would take the place of a folder, ask RefuseFile, and RefuseMount for a
// file system, which would hide one.
func RefusePath(file string) (why, hint string) {
	file = path.Clean(file)
	if !slices.ContainsFunc(writable, func(dir string) bool { return strings.HasPrefix(file, dir+"/") }) {
		return fmt.Sprintf("%s is in the read-only part of the image", file), "write below " + strings.Join(writable, ", ")
	}
	for _, state := range ownState {
		if matches(file)(state[0]) || strings.HasPrefix(file, state[0]+"/") {
			return fmt.Sprintf("%s belongs to %s", file, state[1]), "choose another folder below /var for data of yours"
		}
	}
	if dir, name := path.Split(file); slices.Contains(unitDirs, strings.TrimSuffix(dir, "/")) {
		if why, hint := RefuseUnit(name); why != "" {
			return why, hint
		}
	}
	if slices.ContainsFunc(ownFiles, matches(file)) || strings.HasPrefix(file, "/etc/") && strings.Contains(path.Base(file), "slipway") {
		return fmt.Sprintf("%s is slipway's own", file), "leave it to slipway, and choose another name for a file of yours; for what can be set see the spec"
	}
	return "", ""
}

// RefuseFile is RefusePath for a file or a link, which cannot be where one of Slipway's own paths needs a folder either: a
// link would lead those paths elsewhere.
func RefuseFile(file string) (why, hint string) {
	if why, hint := RefusePath(file); why != "" {
		return why, hint
	}
	if what := holds(file); what != "" {
		return RefuseFolder(file, what)
	}
	return "", ""
}

// RefuseMount is RefusePath for a file system that is mounted at a folder: what lies below it is there no longer, neither for
// slipwayd nor for Ignition, which mounts it before it writes files.
func RefuseMount(dir string) (why, hint string) {
	if what := holds(dir); what != "" {
		return RefuseHiding(dir, what)
	}
	return RefusePath(dir)
}

// holds says what of Slipway's is below a path, if anything.
func holds(file string) string {
	for _, own := range ownFiles {
		if own = strings.TrimSuffix(own, "/*"); Above(file, own) {
			return own + ", which is slipway's own"
		}
	}
	for _, state := range ownState {
		if Above(file, state[0]) {
			return state[0] + ", which belongs to " + state[1]
		}
	}
	for _, dir := range unitDirs {
		if Above(file, dir+"/") {
			return "slipway's own units"
		}
	}
	return ""
}

// Above says whether own is below file.
func Above(file, own string) bool {
	return strings.HasPrefix(own, strings.TrimSuffix(path.Clean(file), "/")+"/")
}

// RefuseHiding says that a file system is where it would hide something.
func RefuseHiding(dir, what string) (why, hint string) {
	return fmt.Sprintf("a file system at %s would hide %s", dir, what), "mount it at a folder of its own below /var, like /var/lib/data"
}

// RefuseFolder says that a file or a link is where there has to be a folder, and what that folder holds.
func RefuseFolder(file, holds string) (why, hint string) {
	return fmt.Sprintf("%s has to be a folder: it holds %s", file, holds), "choose another name for a file or a link of yours"
}

// RefuseUnit is RefusePath for a unit that would take the place of one, or mask or disable it. Drop-ins are the user's.
func RefuseUnit(name string) (why, hint string) {
	if slices.ContainsFunc(ownUnits, matches(name)) {
		return fmt.Sprintf("the unit %s is slipway's own", name), "change it by a drop-in, or choose another name"
	}
	return "", ""
}
