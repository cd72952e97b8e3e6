package node

import (
	"strings"
	"testing"
)

func TestRemovedFlags(t *testing.T) {
	for _, c := range []struct {
		program, flag, version string
		gone                   bool
	}{
		{"kubelet", "pod-infra-container-image", "v1.34.9", false},
		{"kubelet", "pod-infra-container-image", "v1.35.0", true},
		{"kubelet", "containerd", "v1.36.3", false},
		{"kubelet", "containerd", "v1.37.0", true},
		{"kubelet", "storage-driver-db", "v1.37.0", true},
		{"kubelet", "housekeeping-interval", "v1.37.0", false},
		{"kube-scheduler", "containerd", "v1.37.0", false},
		{"etcd", "experimental-initial-corrupt-check", "v3.6.16", false},
		{"etcd", "experimental-initial-corrupt-check", "v3.7.3", true},
		{"etcd", "feature-gates", "v3.7.3", false},
	} {
		if why, _ := RefuseFlag(c.program, c.flag, c.version); (why != "") != c.gone {
			t.Errorf("%s %s --%s: %s", c.program, c.version, c.flag, why)
		}
	}
}

// TestReservedFlags: what would take formation out of Slipway's hands, or open a member, is refused in every version.
func TestReservedFlags(t *testing.T) {
	for program, flags := range map[string]string{
		"etcd": "force-new-cluster unsafe-no-fsync strict-reconfig-check discovery discovery-srv discovery-token auto-tls peer-auto-tls " +
			"peer-skip-client-san-verification listen-client-http-urls initial-cluster-state data-dir",
		"kube-apiserver":          "oidc-issuer-url oidc-client-id authentication-config authorization-config etcd-servers requestheader-allowed-names",
		"kube-controller-manager": "leader-elect allocate-node-cidrs cluster-signing-cert-file cluster-signing-duration cluster-signing-kubelet-serving-key-file",
		"kube-scheduler":          "leader-elect config",
		"kubelet":                 "tls-cert-file tls-private-key-file tls-min-version cert-dir node-labels",
		"kube-proxy":              "config",
	} {
		for _, flag := range strings.Fields(flags) {
			if why, hint := RefuseFlag(program, flag, "v1.36.3"); !strings.Contains(why, "is set by slipway") || hint == "" {
				t.Errorf("%s --%s: %q, %q", program, flag, why, hint)
			}
		}
	}
	for program, flags := range map[string]string{
		"etcd": "quota-backend-bytes auto-compaction-retention listen-metrics-urls", "kube-apiserver": "audit-log-path v service-account-issuer",
		"kube-controller-manager": "leader-elect-lease-duration", "kubelet": "max-pods",
	} {
		for _, flag := range strings.Fields(flags) {
			if why, _ := RefuseFlag(program, flag, "v1.36.3"); why != "" {
				t.Errorf("%s --%s: %s", program, flag, why)
			}
		}
	}
}

func TestAdmissionPlugins(t *testing.T) {
	for value, want := range map[string]string{
		"enable-admission-plugins=NodeRestriction,AlwaysPullImages":  "",
		"enable-admission-plugins=AlwaysPullImages":                  "without the admission plugin NodeRestriction",
		"disable-admission-plugins=NodeRestriction":                  "without the admission plugin NodeRestriction",
		"disable-admission-plugins=LimitRanger":                      "",
		"enable-admission-plugins=NodeRestriction,PodSecurityPolicy": "removed in v1.25",
		"audit-log-path=a\nb":                                        "control character",
	} {
		flag, value, _ := strings.Cut(value, "=")
		why, hint := RefuseFlagValue("kube-apiserver", flag, value, "v1.36.3")
		if (why == "") != (want == "") || !strings.Contains(why, want) || (why == "") != (hint == "") {
			t.Errorf("--%s=%q: %q, %q", flag, value, why, hint)
		}
	}
}

func TestLabels(t *testing.T) {
	for key, ok := range map[string]bool{
		"disk": true, "example.org/disk": true, "topology.kubernetes.io/zone": true, "node.kubernetes.io/x": true, "a.kubelet.kubernetes.io/x": true,
		"node-role.kubernetes.io/worker": false, "kubernetes.io/hostname": false, "kubernetes.io/arch": false, "x.k8s.io/a": false,
		"a b": false, "/a": false, "a/": false, "a/b/c": false, "": false, "kubernetes.io": true,
	} {
		if why, hint := RefuseLabel(key); (why == "") != ok || (why == "") != (hint == "") {
			t.Errorf("%q: %q, %q", key, why, hint)
		}
	}
	if why, _ := RefuseLabelValue("a=b"); why == "" {
		t.Error("a value with = passes")
	}
}
