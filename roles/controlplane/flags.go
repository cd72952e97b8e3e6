package controlplane

import (
	"path"
	"strconv"

	"slipway/firstboot/config"
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
		"client-ca-file":                     n.Crt(config.CACluster), // holds the kubelets' signer as well: a kubelet presents no chain
		"enable-admission-plugins":           "NodeRestriction",
		"enable-aggregator-routing":          "true", // to pods, which are routed everywhere; service addresses need a kube-proxy here
		"etcd-cafile":                        n.Crt(config.CAEtcd),
		"etcd-certfile":                      n.Crt(config.CertEtcdCli),
		"etcd-keyfile":                       n.Key(config.CertEtcdCli),
		"etcd-servers":                       etcdServers(n),
		"kubelet-certificate-authority":      n.Crt(config.SignerServing),
		"kubelet-client-certificate":         n.Crt(config.CertAPIKubelet),
		"kubelet-client-key":                 n.Key(config.CertAPIKubelet),
		"kubelet-preferred-address-types":    "InternalIP,Hostname",
		"profiling":                          "false",
		"proxy-client-cert-file":             n.Crt(config.CertFrontProxy),
		"proxy-client-key-file":              n.Key(config.CertFrontProxy),
		"requestheader-allowed-names":        "front-proxy-client",
		"requestheader-client-ca-file":       n.Crt(config.CAFrontProxy),
		"requestheader-extra-headers-prefix": "X-Remote-Extra-",
		"requestheader-group-headers":        "X-Remote-Group",
		"requestheader-username-headers":     "X-Remote-User",
		"secure-port":                        strconv.Itoa(config.APIPort),
		"service-account-issuer":             "https://kubernetes.default.svc." + n.Cluster.Domain,
		"service-account-key-file":           path.Join(config.PKIDir, config.SAKey+".pub"),
		"service-account-signing-key-file":   n.Key(config.SAKey),
		"service-cluster-ip-range":           n.Network.ServiceCIDR.String(),
		"tls-cert-file":                      n.Crt(config.CertAPIServer),
		"tls-min-version":                    "VersionTLS12",
		"tls-private-key-file":               n.Key(config.CertAPIServer),
	}
	if len(n.With(config.ControlPlane)) > 1 {
		args["goaway-chance"] = "0.001"        // spreads long-lived clients again after an API server was away
		args["shutdown-delay-duration"] = "5s" // not ready yet still serving: the balancers need 2 s to see it
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
		"cluster-signing-kubelet-client-cert-file":  n.Crt(config.SignerClient),
		"cluster-signing-kubelet-client-key-file":   n.Key(config.SignerClient),
		"cluster-signing-kubelet-serving-cert-file": n.Crt(config.SignerServing),
		"cluster-signing-kubelet-serving-key-file":  n.Key(config.SignerServing),
		"flex-volume-plugin-dir":                    "/var/lib/kubelet/volumeplugins", // the default lies in the read-only /usr
		"kubeconfig":                                controllersKubeconfig,
		"leader-elect":                              strconv.FormatBool(len(n.WithRole(config.ControlPlane)) > 1), // alone, a lost lease is only a restart
		"profiling":                                 "false",
		"root-ca-file":                              n.Crt(config.CACluster),
		"service-account-private-key-file":          n.Key(config.SAKey),
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
