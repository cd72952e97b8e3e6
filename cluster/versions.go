package cluster

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"

	"slipway/node"
)

// Names of the payloads: what goes into the image without being a distro package.
const (
	PayloadKubernetes = "kubernetes"
	PayloadKubelet    = "kubelet" // only when it comes from elsewhere than the rest of kubernetes
	PayloadEtcd       = "etcd"
	PayloadCNI        = "cni-plugins"
	PayloadFlannel    = "flannel" // only where the pod network is that, or the spec names it
	PayloadCoreDNS    = "coredns"
	PayloadPause      = "pause"
	PayloadCrictl     = "crictl"
	PayloadHelm       = "helm"
	PayloadIgnition   = "ignition"
	PayloadSlipwayd   = "slipwayd"
)

// defaultVersions are exact versions that the Go module proxy serves. slipwayd is always the one of this slipway, and
// pause is a few lines of Slipway's own under upstream's tag, which has no "v". kubelet follows kubernetes.kubelet.
var defaultVersions = map[string]string{
	PayloadKubernetes: "v1.36.3",
	PayloadKubelet:    "",
	PayloadEtcd:       "v3.6.16",
	PayloadCNI:        "v1.9.1",
	PayloadCoreDNS:    "v1.14.7",
	PayloadFlannel:    "v0.28.10",
	PayloadPause:      "3.10.2",
	PayloadCrictl:     "v1.36.0",
	PayloadHelm:       "v3.22.0",
	PayloadIgnition:   "v2.26.0",
	PayloadSlipwayd:   "",
}

// etcdPairs is the etcd line that each Kubernetes minor is tested with upstream, and its newest release: 1.34 to 1.36
// from kubespray's version table, 1.37 from its changelog.
var etcdPairs = []struct {
	minor         int
	line, version string
}{
	{34, "v3.5", "v3.5.35"},
	{35, "v3.6", "v3.6.16"},
	{36, "v3.6", "v3.6.16"},
	{37, "v3.7", "v3.7.3"},
}

// PayloadNames is every payload, sorted.
func PayloadNames() []string {
	var names []string
	for name := range defaultVersions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// DefaultVersion is the version of a payload when the spec names none; "" for slipwayd, which is built from the same
// source as slipway itself, for kubelet, and for a name that is no payload.
func DefaultVersion(name string) string { return defaultVersions[name] }

// kubeMinor is the 36 of v1.36.3, or -1.
func kubeMinor(version string) int {
	minor, err := strconv.Atoi(strings.TrimPrefix(semver.MajorMinor(version), "v1."))
	if err != nil || semver.Major(version) != "v1" {
		return -1
	}
	return minor
}

// CanFork says whether a payload can be built from another module: it is one package tree that is built as it is.
func CanFork(name string) bool {
	return slices.Contains([]string{PayloadCNI, PayloadCoreDNS, PayloadCrictl, PayloadHelm, PayloadKubelet}, name)
}

// isKnownMinor says whether the nodes' configuration is right for a Kubernetes version.
func isKnownMinor(version string) bool {
	minor := kubeMinor(version)
	return minor >= node.MinMinor && minor <= node.MaxMinor
}

// etcdFor is the etcd line and default version for a Kubernetes version; "" if this Slipway does not know that minor.
func etcdFor(kubernetes string) (line, version string) {
	for _, p := range etcdPairs {
		if p.minor == kubeMinor(kubernetes) {
			return p.line, p.version
		}
	}
	return "", ""
}

// isVersion demands all three numbers: semver alone takes v1.36, which names no module.
func isVersion(s string) bool {
	return semver.IsValid(s) && strings.HasPrefix(s, semver.MajorMinor(s)+".") && semver.Build(s) == ""
}
