// Package node is the node contract: the one document that a node gets (/etc/slipway/node.json, mode 0600), and its
// one parser, used when the config is rendered and again at boot, so that whatever could fail at boot is refused at build.
//
// Start with Parse and (*Config).Validate. It does no I/O and holds no secrets: certificates and keys lie beside it
// under PKIDir, put there by the same Ignition config.
package node

import (
	"net/netip"
	"time"
)

// Version is the contract's version; Parse refuses any other.
const Version = 1

// Where the contract and what belongs to it lie on the node.
const (
	Path   = "/etc/slipway/node.json" // this document, 0600
	PKIDir = "/etc/slipway/pki"       // see the PKI constants
)

// Ports that nodes listen on.
const (
	PeerPort     = 7400 // slipwayd, mutual TLS, every node
	APIPort      = 6443 // kube-apiserver, on control planes
	LocalAPIPort = 7443 // haproxy on 127.0.0.1 to all API servers, every node
	EtcdClient   = 2379
	EtcdPeer     = 2380
	EtcdHealth   = 2381 // on 127.0.0.1: etcd's health and metrics
)

// Certificates and keys under PKIDir. A name stands for NAME.crt and NAME.key; CA bundles have no key on any node.
// Keys are 0600 root:root, certificates 0644. All programs that read them run as root.
const (
	CACluster      = "ca"                       // cluster CA (bundle: root and both signers, whose leafs come without a chain)
	CAEtcd         = "etcd-ca"                  // etcd CA: members as servers, and who may be their client
	CAEtcdPeer     = "etcd-peer-ca"             // etcd peer CA: members among themselves, and nobody else
	CAFrontProxy   = "front-proxy-ca"           // front-proxy CA
	CAPeer         = "slipway-ca"               // slipwayd peer CA
	CertPeer       = "slipwayd"                 // every node: server+client of the peer API; CN = node name
	CertEtcdSrv    = "etcd-server"              // etcd nodes
	CertEtcdPeer   = "etcd-peer"                // etcd nodes
	CertEtcdCli    = "etcd-client"              // etcd nodes and control planes: slipwayd, kube-apiserver
	CertAPIServer  = "apiserver"                // control planes
	CertAPIKubelet = "apiserver-kubelet-client" // control planes, O=system:masters is NOT used: bound by RBAC
	CertFrontProxy = "front-proxy-client"       // control planes
	CertCM         = "controller-manager"       // control planes, CN system:kube-controller-manager
	CertScheduler  = "scheduler"                // control planes, CN system:kube-scheduler
	CertProxy      = "kube-proxy"               // workers, CN system:kube-proxy
	CertKubelet    = "kubelet-client"           // workers, CN system:node:NAME, O system:nodes
	CertFlannel    = "flannel"                  // workers with flannel, CN slipway:flannel:NAME, O slipway:flannel
	CertAdmin      = "slipwayd-admin"           // control planes: slipwayd's own client for the API (apply, approve), CN slipway:slipwayd, O system:masters
	SignerClient   = "signer-kubelet-client"    // control planes: intermediate CA for kubernetes.io/kube-apiserver-client-kubelet, and for what slipwayd gives workers (ADR 32)
	SignerServing  = "signer-kubelet-serving"   // control planes: intermediate CA for kubernetes.io/kubelet-serving
	SAKey          = "sa"                       // sa.key, sa.pub: control planes
)

// FlannelUser is whom the API server takes the flannel of a worker for: this and a colon before the node's name, and all of them are
// of the group of this name.
const FlannelUser = "slipway:flannel"

// OperatorName is the operator's name at the peer API; no node may have it.
const OperatorName = "slipway-operator"

// EntriesNamespace is where control planes keep the entries of nodes, an object a node.
const EntriesNamespace = "slipway-nodes"

// Role is what a node does; the names are the spec's.
type Role string

// The roles.
const (
	LB           Role = "lb"
	Etcd         Role = "etcd"
	ControlPlane Role = "control-plane"
	Worker       Role = "worker"
)

// Config is the whole contract.
type Config struct {
	Version   int                          `json:"version"` // Version
	Cluster   Cluster                      `json:"cluster"`
	Versions  Versions                     `json:"versions"`
	NotBefore time.Time                    `json:"notBefore"`      // youngest certificate's, a day before its issue: the clock's floor together with the image's build time
	Operator  string                       `json:"operator"`       // sha256, hex, of the SubjectPublicKeyInfo of the operator's certificate for the peer API
	Node      string                       `json:"node"`           // name of this node in Nodes
	Entry     SignedEntry                  `json:"entry,omitzero"` // this node's, by which others know it that do not have it in Nodes
	Nodes     []Node                       `json:"nodes"`          // this node, and all that are etcd members, control planes or balancers, in the spec's order
	API       API                          `json:"api"`
	Network   Network                      `json:"network"`
	Runtime   Runtime                      `json:"runtime"`
	ExtraArgs map[string]map[string]string `json:"extraArgs,omitempty"` // program -> flag -> value
	Tuning    Tuning                       `json:"tuning,omitzero"`
	Debug     bool                         `json:"debug,omitempty"`
}

// Cluster is the cluster's identity. etcd's token is "<id>/<epoch>".
type Cluster struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Epoch  int    `json:"epoch"`
	Domain string `json:"domain"`
}

// Versions of what the image must hold, "vX.Y.Z"; pause alone is upstream's tag, "X.Y.Z".
type Versions struct {
	Kubernetes string `json:"kubernetes"`
	Kubelet    string `json:"kubelet"`
	Etcd       string `json:"etcd"`
	CoreDNS    string `json:"coredns"`
	Pause      string `json:"pause"`
}

// Node is one machine of the inventory.
type Node struct {
	Name        string            `json:"name"`
	Roles       []Role            `json:"roles"`
	Address     netip.Prefix      `json:"address"` // 10.0.0.11/24
	Interface   string            `json:"interface,omitempty"`
	MAC         string            `json:"mac,omitempty"`
	PodCIDR     netip.Prefix      `json:"podCIDR"`     // workers: this node's own pods
	Fingerprint string            `json:"fingerprint"` // sha256, hex, of the SubjectPublicKeyInfo of the peer certificate
	Labels      map[string]string `json:"labels,omitempty"`
}

// API says how the API is reached.
type API struct {
	Mode string     `json:"mode"`         // none, stacked, dedicated, external
	VIP  netip.Addr `json:"vip,omitzero"` // zero without one
	Host string     `json:"host"`         // what clients outside use: VIP, balancer's name, or the only control plane's address
	Port int        `json:"port"`         // ... and its port
}

// Network is what pods and services use.
type Network struct {
	PodCIDR     netip.Prefix `json:"podCIDR"`
	ServiceCIDR netip.Prefix `json:"serviceCIDR"`
	APIService  netip.Addr   `json:"apiService"`    // first address of ServiceCIDR
	DNSService  netip.Addr   `json:"dnsService"`    // tenth address of ServiceCIDR
	DNS         []netip.Addr `json:"dns,omitempty"` // upstream resolvers
	NTP         []string     `json:"ntp,omitempty"`
	CNI         string       `json:"cni"` // bridge, flannel, none
	Flannel     Flannel      `json:"flannel,omitzero"`
	ProxyMode   string       `json:"proxyMode"` // ipvs, nftables, iptables
	Scheduler   string       `json:"scheduler,omitempty"`
	StrictARP   bool         `json:"strictARP,omitempty"`
}

// Flannel is flannel's part, where the CNI is that.
type Flannel struct {
	Backend string `json:"backend"` // vxlan, host-gw
}

// Runtime is the container runtime's part.
type Runtime struct {
	Name    string              `json:"name"` // containerd
	Mirrors map[string][]string `json:"mirrors,omitempty"`
}
