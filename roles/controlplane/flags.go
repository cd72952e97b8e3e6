package controlplane

import (
	"path"
	"strconv"

	"slipway/node"
	"slipway/roles/role"
)

// apiServerFlags are valid for every minor that package role supports.
func apiServerFlags(n *role.Node) role.Args {
	args := role.Args{
		"advertise-address":                  n.Addr().String(),
		"allow-privileged":                   "true",
		"authentication-config":              authenticationConfig,
		"authorization-mode":                 "Node,RBAC",
		"bind-address":                       "0.0.0.0",
		"client-ca-file":                     n.Crt(node.CACluster), // holds the kubelets' signer as well: a kubelet presents no chain
		"enable-admission-plugins":           "NodeRestriction",
		"enable-aggregator-routing":          "true", // to pods, which are routed everywhere; service addresses need a kube-proxy here
		"etcd-cafile":                        n.Crt(node.CAEtcd),
		"etcd-certfile":                      n.Crt(node.CertEtcdCli),
		"etcd-keyfile":                       n.Key(node.CertEtcdCli),
		"etcd-servers":                       etcdServers(n),
		"kubelet-certificate-authority":      n.Crt(node.SignerServing),
		"kubelet-client-certificate":         n.Crt(node.CertAPIKubelet),
		"kubelet-client-key":                 n.Key(node.CertAPIKubelet),
		"kubelet-preferred-address-types":    "InternalIP,Hostname",
		"profiling":                          "false",
		"proxy-client-cert-file":             n.Crt(node.CertFrontProxy),
		"proxy-client-key-file":              n.Key(node.CertFrontProxy),
		"requestheader-allowed-names":        "front-proxy-client",
		"requestheader-client-ca-file":       n.Crt(node.CAFrontProxy),
		"requestheader-extra-headers-prefix": "X-Remote-Extra-",
		"requestheader-group-headers":        "X-Remote-Group",
		"requestheader-username-headers":     "X-Remote-User",
		"secure-port":                        strconv.Itoa(node.APIPort),
		"service-account-issuer":             "https://kubernetes.default.svc." + n.Cluster.Domain,
		"service-account-key-file":           path.Join(node.PKIDir, node.SAKey+".pub"),
		"service-account-signing-key-file":   n.Key(node.SAKey),
		"service-cluster-ip-range":           n.Network.ServiceCIDR.String(),
		"tls-cert-file":                      n.Crt(node.CertAPIServer),
		"tls-min-version":                    "VersionTLS12",
		"tls-private-key-file":               n.Key(node.CertAPIServer),
	}
	if len(n.With(node.ControlPlane)) > 1 {
		args["goaway-chance"] = "0.001"        // spreads long-lived clients again after an API server was away
		args["shutdown-delay-duration"] = "5s" // not ready yet still serving: the balancers need 1 s to see it
		// Two questions to etcd, one after the other, are in the answer that the balancers wait for: one that says in time that etcd
		// does not answer is not taken for dead.
		share := (n.Tuning.CheckTimeout() * 2 / 5).String()
		args["etcd-healthcheck-timeout"], args["etcd-readycheck-timeout"] = share, share
		args["shutdown-send-retry-after"] = "true"
	}
	return args
}

// controllerFlags: signing keys are per signer; the flags for all signers at once would need a CA key on the node.
func controllerFlags(n *role.Node) role.Args {
	return role.Args{
		"allocate-node-cidrs":                       "false",
		"authentication-kubeconfig":                 controllersKubeconfig,
		"authorization-kubeconfig":                  controllersKubeconfig,
		"bind-address":                              "127.0.0.1",
		"cluster-name":                              n.Cluster.Name,
		"cluster-signing-duration":                  n.Tuning.SignedLife().String(),
		"cluster-signing-kubelet-client-cert-file":  n.Crt(node.SignerClient),
		"cluster-signing-kubelet-client-key-file":   n.Key(node.SignerClient),
		"cluster-signing-kubelet-serving-cert-file": n.Crt(node.SignerServing),
		"cluster-signing-kubelet-serving-key-file":  n.Key(node.SignerServing),
		"flex-volume-plugin-dir":                    "/var/lib/kubelet/volumeplugins", // the default lies in the read-only /usr
		"kubeconfig":                                controllersKubeconfig,
		"leader-elect":                              strconv.FormatBool(len(n.WithRole(node.ControlPlane)) > 1), // alone, a lost lease is only a restart
		"profiling":                                 "false",
		"root-ca-file":                              n.Crt(node.CACluster),
		"service-account-private-key-file":          n.Key(node.SAKey),
		"tls-min-version":                           "VersionTLS12",
		"use-service-account-credentials":           "true",
	}
}

// schedulerFlags: everything else is in the configuration file, where the old flags have gone.
func schedulerFlags() role.Args {
	return role.Args{
		"authentication-kubeconfig": schedulerKubeconfig,
		"authorization-kubeconfig":  schedulerKubeconfig,
		"bind-address":              "127.0.0.1",
		"config":                    schedulerConfig,
		"tls-min-version":           "VersionTLS12",
	}
}
