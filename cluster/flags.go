package cluster

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// removedFlags names a flag set that programs lost in one version. An unknown flag ends a program at once, so it is
// refused here rather than found at boot.
type removedFlags struct {
	since    string // the first version without it: v1.24, or v3.7 for etcd
	programs []string
	flags    []string // a trailing * stands for any ending
	advice   string   // "" for none
}

// removed is from Kubernetes' changelogs and siderolabs/go-kubernetes' kubernetes/upgrade/checks.go, checked against
// `PROGRAM --help` of v1.36.3; etcd's from its changelogs and the flag sets of v3.6.11 and v3.7.3.
var removed = []removedFlags{
	{"v1.24", []string{"kube-apiserver"}, []string{"insecure-port", "port", "insecure-bind-address", "address"}, "leave it out; there is no plaintext API any more"},
	{"v1.24", []string{"kube-controller-manager", "kube-scheduler"}, []string{"port", "address"}, "leave it out; slipway sets the secure port"},
	{"v1.24", []string{"kubelet"}, []string{"network-plugin", "network-plugin-mtu", "cni-bin-dir", "cni-conf-dir", "cni-cache-dir", "image-pull-progress-deadline",
		"docker", "docker-*", "experimental-dockershim-root-directory"}, "it went with dockershim; the container runtime has its own configuration"},
	{"v1.25", []string{"kube-apiserver"}, []string{"service-account-api-audiences"}, "use api-audiences"},
	{"v1.25", []string{"kube-controller-manager"}, []string{"deleting-pods-qps", "deleting-pods-burst", "register-retry-count"}, ""},
	{"v1.26", kubePrograms, []string{"logtostderr", "alsologtostderr", "log-dir", "log-file", "log-file-max-size", "add-dir-header",
		"one-output", "skip-headers", "skip-log-headers", "stderrthreshold", "log-backtrace-at"}, "leave it out; programs log to the journal"},
	{"v1.26", []string{"kube-apiserver"}, []string{"master-service-namespace"}, ""},
	{"v1.27", []string{"kubelet"}, []string{"container-runtime", "master-service-namespace"}, ""},
	{"v1.27", []string{"kube-controller-manager"}, []string{"enable-taint-manager", "pod-eviction-timeout"}, "use tolerations of single pods"},
	{"v1.31", []string{"kubelet"}, []string{"keep-terminated-pod-volumes", "iptables-masquerade-bit", "iptables-drop-bit"}, ""},
	{"v1.31", []string{"kube-controller-manager"}, []string{"horizontal-pod-autoscaler-upscale-delay", "horizontal-pod-autoscaler-downscale-delay"}, "use horizontal-pod-autoscaler-downscale-stabilization"},
	{"v1.31", []string{"kube-controller-manager"}, []string{"volume-host-*"}, ""},
	{"v1.33", []string{"kube-apiserver"}, []string{"cloud-config"}, "use an external cloud controller manager"},
	{"v1.34", []string{"kubelet"}, []string{"cloud-config"}, "use an external cloud controller manager"},
	{"v1.35", []string{"kubelet"}, []string{"pod-infra-container-image"}, "leave it out; the runtime is configured for the pause image of the payloads"},
	{"v1.37", []string{"kubelet"}, []string{"application-metrics-count-limit", "boot-id-file", "container-hints", "containerd", "containerd-namespace",
		"enable-load-reader", "event-storage-age-limit", "event-storage-event-limit", "global-housekeeping-interval", "log-cadvisor-usage",
		"machine-id-file", "storage-driver-*"}, ""},
	{"v3.6", []string{"etcd"}, []string{"enable-v2", "experimental-enable-v2v3", "proxy", "proxy-*", "debug", "log-package-levels"}, ""},
	{"v3.7", []string{"etcd"}, []string{"experimental-*"}, "use the flag without experimental-, or feature-gates"},
	{"v3.7", []string{"etcd"}, []string{"discovery", "discovery-proxy"}, "leave it out; all members are known from the nodes"},
}

// removedPlugins is admission plugins that are gone, and since when.
var removedPlugins = map[string]string{"PodSecurityPolicy": "v1.25", "SecurityContextDeny": "v1.30"}

// findRemoved tells whether a program of this version lost a flag.
func findRemoved(program, flag, version string) (removedFlags, bool) {
	for _, r := range removed {
		if slices.Contains(r.programs, program) && semver.Compare(version, r.since) >= 0 && slices.ContainsFunc(r.flags, matches(flag)) {
			return r, true
		}
	}
	return removedFlags{}, false
}

// matches tests a flag against a pattern of the table.
func matches(flag string) func(string) bool {
	return func(pattern string) bool {
		prefix, any := strings.CutSuffix(pattern, "*")
		return flag == pattern || any && strings.HasPrefix(flag, prefix)
	}
}

func (r removedFlags) hint() string {
	if r.advice == "" {
		return fmt.Sprintf("removed in %s: leave it out", r.since)
	}
	return fmt.Sprintf("removed in %s: %s", r.since, r.advice)
}
