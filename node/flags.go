package node

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// The Kubernetes minors, 1.x, that the generated flags and configuration files are right for.
const (
	MinMinor = 34
	MaxMinor = 37
)

// kubePrograms are those that read the kube programs' common flags.
var kubePrograms = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet"}

// Programs are those that a spec may give flags to.
func Programs() []string { return append([]string{"etcd"}, kubePrograms...) }

// flagRule is flags of a program that a spec may not set. A trailing * stands for any ending.
type flagRule struct {
	program string
	flags   []string
	hint    string // what to do instead
}

const formation = "remove it: formation depends on it"

// reserved are flags that formation, other nodes or other generated files depend on.
var reserved = []flagRule{
	{"etcd", []string{"advertise-client-urls", "cert-file", "client-cert-auth", "config-file", "data-dir", "key-file", "listen-client-urls",
		"listen-peer-urls", "name", "peer-cert-file", "peer-client-cert-auth", "peer-key-file", "peer-trusted-ca-file", "trusted-ca-file", "wal-dir"}, formation},
	{"etcd", []string{"initial-*", "discovery*", "force-new-cluster*", "strict-reconfig-check"}, "remove it: slipwayd decides who is a member, and when"},
	{"etcd", []string{"unsafe-no-fsync"}, "remove it: a member that loses what it acknowledged breaks the cluster"},
	{"etcd", []string{"auto-tls", "peer-auto-tls", "self-signed-cert-validity", "peer-skip-client-san-verification", "listen-client-http-urls"},
		"remove it: members and clients know one another by certificates of the cluster"},
	{"kube-apiserver", []string{"advertise-address", "anonymous-auth", "authentication-config", "authorization-config", "authorization-mode", "bind-address",
		"client-ca-file", "etcd-cafile", "etcd-certfile", "etcd-keyfile", "etcd-servers", "kubelet-certificate-authority", "kubelet-client-certificate",
		"kubelet-client-key", "proxy-client-cert-file", "proxy-client-key-file", "requestheader-*", "secure-port", "service-account-key-file",
		"service-account-signing-key-file", "service-cluster-ip-range", "tls-cert-file", "tls-private-key-file"}, formation},
	{"kube-apiserver", []string{"oidc-*"}, "remove it: an API server takes either these flags or an authentication configuration, and slipway writes one"},
	{"kube-controller-manager", []string{"allocate-node-cidrs", "authentication-kubeconfig", "authorization-kubeconfig", "bind-address", "cluster-signing-*",
		"kubeconfig", "leader-elect", "root-ca-file", "secure-port", "service-account-private-key-file", "use-service-account-credentials"}, formation},
	{"kube-scheduler", []string{"authentication-kubeconfig", "authorization-kubeconfig", "bind-address", "config", "kubeconfig", "leader-elect", "secure-port"}, formation},
	{"kubelet", []string{"bootstrap-kubeconfig", "cert-dir", "client-ca-file", "config", "container-runtime-endpoint", "hostname-override", "kubeconfig",
		"node-ip", "root-dir", "rotate-server-certificates", "tls-*"}, formation},
	{"kubelet", []string{"node-labels"}, "use the labels of the node"},
	{"kube-proxy", []string{"cluster-cidr", "config", "hostname-override", "kubeconfig", "proxy-mode"}, formation},
}

// removedFlags names a flag set that programs lost in one version. An unknown flag ends a program at once.
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
	{"v1.24", []string{"kube-scheduler"}, []string{"policy-config-file"}, ""},
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
	{"v1.33", []string{"kube-apiserver"}, []string{"cloud-config", "cloud-provider"}, "use an external cloud controller manager"},
	{"v1.34", []string{"kubelet"}, []string{"cloud-config"}, "use an external cloud controller manager"},
	{"v1.35", []string{"kubelet"}, []string{"pod-infra-container-image"}, "leave it out; the runtime is configured for the pause image of the payloads"},
	{"v1.37", []string{"kubelet"}, []string{"application-metrics-count-limit", "boot-id-file", "container-hints", "containerd", "containerd-namespace",
		"enable-load-reader", "event-storage-age-limit", "event-storage-event-limit", "global-housekeeping-interval", "log-cadvisor-usage",
		"machine-id-file", "storage-driver-*"}, ""},
	{"v3.6", []string{"etcd"}, []string{"enable-v2", "experimental-enable-v2v3", "proxy", "proxy-*", "debug", "log-package-levels"}, ""},
	{"v3.7", []string{"etcd"}, []string{"experimental-*"}, "use the flag without experimental-, or feature-gates"},
}

// removedPlugins is admission plugins that are gone, and since when.
var removedPlugins = map[string]string{"PodSecurityPolicy": "v1.25", "SecurityContextDeny": "v1.30"}

// Program is the version of a program that a spec may give flags to.
func (v Versions) Program(name string) string {
	switch name {
	case "etcd":
		return v.Etcd
	case "kubelet":
		return v.Kubelet
	}
	return v.Kubernetes
}

// RefuseFlag says why a program of a version cannot be given a flag, and what to do instead; why is empty if it can.
func RefuseFlag(program, flag, version string) (why, hint string) {
	if flag == "" || flag[0] == '-' || strings.Trim(flag, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Sprintf("%q is not a flag's name", flag), "the name alone, without dashes before it: " + strings.TrimLeft(flag, "-")
	}
	for _, r := range reserved {
		if r.program == program && slices.ContainsFunc(r.flags, matches(flag)) {
			return fmt.Sprintf("--%s of %s is set by slipway and cannot be changed", flag, program), r.hint
		}
	}
	for _, r := range removed {
		if slices.Contains(r.programs, program) && semver.Compare(version, r.since) >= 0 && slices.ContainsFunc(r.flags, matches(flag)) {
			return fmt.Sprintf("%s %s has no flag --%s", program, version, flag), r.hint()
		}
	}
	return "", ""
}

// RefuseFlagValue is RefuseFlag for a value of a flag that can be given.
func RefuseFlagValue(program, flag, value, version string) (why, hint string) {
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Sprintf("the value of --%s holds a control character", flag), "write it on one line"
	}
	if program != "kube-apiserver" || flag != "enable-admission-plugins" && flag != "disable-admission-plugins" {
		return "", ""
	}
	plugins := strings.Split(value, ",")
	for _, plugin := range plugins { // naming one that is gone stops the API server
		if since, ok := removedPlugins[plugin]; ok && semver.Compare(version, since) >= 0 {
			return fmt.Sprintf("kube-apiserver %s has no admission plugin %s: it was removed in %s", version, plugin, since), "leave it out; Pod Security admission is on by default"
		}
	}
	const needed = "NodeRestriction"
	if on := flag == "enable-admission-plugins"; slices.Contains(plugins, needed) != on {
		return "without the admission plugin " + needed + " a node's key opens every other node", needed + " has to be among those that are enabled"
	}
	return "", ""
}

// matches tests a flag against a pattern of the tables.
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
