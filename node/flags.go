package node

// ReservedFlags are the programs that a spec may give flags to, each with the flags that are not the user's to set:
// formation, other nodes or other generated files depend on their values.
func ReservedFlags() map[string][]string {
	return map[string][]string{
		"etcd": {"advertise-client-urls", "cert-file", "client-cert-auth", "config-file", "data-dir", "initial-advertise-peer-urls",
			"initial-cluster", "initial-cluster-state", "initial-cluster-token", "key-file", "listen-client-urls", "listen-peer-urls",
			"name", "peer-cert-file", "peer-client-cert-auth", "peer-key-file", "peer-trusted-ca-file", "trusted-ca-file", "wal-dir"},
		"kube-apiserver": {"advertise-address", "anonymous-auth", "authentication-config", "authorization-mode", "bind-address",
			"client-ca-file", "etcd-cafile", "etcd-certfile", "etcd-keyfile", "etcd-servers", "kubelet-certificate-authority",
			"kubelet-client-certificate", "kubelet-client-key", "proxy-client-cert-file", "proxy-client-key-file",
			"requestheader-client-ca-file", "secure-port", "service-account-key-file", "service-account-signing-key-file",
			"service-cluster-ip-range", "tls-cert-file", "tls-private-key-file"},
		"kube-controller-manager": {"authentication-kubeconfig", "authorization-kubeconfig", "bind-address", "cluster-signing-cert-file",
			"cluster-signing-key-file", "kubeconfig", "root-ca-file", "secure-port", "service-account-private-key-file",
			"use-service-account-credentials"},
		"kube-scheduler": {"authentication-kubeconfig", "authorization-kubeconfig", "bind-address", "config", "kubeconfig", "secure-port"},
		"kubelet":        {"config", "container-runtime-endpoint", "hostname-override", "kubeconfig", "node-ip"},
		"kube-proxy":     {"cluster-cidr", "config", "hostname-override", "kubeconfig", "proxy-mode"},
	}
}
