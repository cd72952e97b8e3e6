package node

// Values of API.Mode: who answers for the API's address.
const (
	ModeNone      = "none"      // the only control plane itself
	ModeStacked   = "stacked"   // haproxy and keepalived on the control planes
	ModeDedicated = "dedicated" // ... on nodes of role lb
	ModeExternal  = "external"  // somebody else's balancer
)

// Values of Network.ProxyMode.
const (
	ProxyIPVS     = "ipvs"
	ProxyNFTables = "nftables"
	ProxyIPTables = "iptables"
)

// Values of Network.CNI.
const (
	CNIBridge  = "bridge"  // host routes between the nodes' bridges
	CNIFlannel = "flannel" // flannel between them, as a service of each worker
	CNINone    = "none"    // the user brings one
)

// Values of Flannel.Backend.
const (
	FlannelVXLAN  = "vxlan"   // packets between nodes travel in UDP: any routers may be between
	FlannelHostGW = "host-gw" // routes to the nodes, in one subnet
)

// RuntimeContainerd is the only value of Runtime.Name.
const RuntimeContainerd = "containerd"

// What is allowed, for the spec and for the contract.
var (
	Modes      = []string{ModeNone, ModeStacked, ModeDedicated, ModeExternal}
	ProxyModes = []string{ProxyIPVS, ProxyNFTables, ProxyIPTables}
	CNIs       = []string{CNIBridge, CNIFlannel, CNINone}
	Backends   = []string{FlannelVXLAN, FlannelHostGW}
	Runtimes   = []string{RuntimeContainerd}
	// Schedulers are the kernel's ip_vs_* modules that kube-proxy knows.
	Schedulers = []string{"rr", "wrr", "lc", "wlc", "sh", "dh", "mh", "sed", "nq"}
)
