package cluster

// Spec is the user's cluster.yaml: one image for all nodes and one cluster made of them.
// Every field is dumb data; defaults.go fills what is absent and validate.go judges it.
type Spec struct {
	Cluster    Cluster            `yaml:"cluster"`
	Kubernetes Kubernetes         `yaml:"kubernetes,omitempty"`
	Payloads   map[string]Payload `yaml:"payloads,omitempty"`
	Image      Image              `yaml:"image,omitempty"`
	Network    Network            `yaml:"network"`
	Runtime    Runtime            `yaml:"runtime,omitempty"`
	Kernel     Kernel             `yaml:"kernel,omitempty"`
	VSphere    VSphere            `yaml:"vsphere,omitempty"`
	Butane     map[Role][]string  `yaml:"butane,omitempty"` // Butane files per role, relative to the spec; role "all" is every node
	Nodes      []Node             `yaml:"nodes"`
	Tuning     Tuning             `yaml:"tuning,omitempty"`
	Debug      bool               `yaml:"debug,omitempty"` // a login on the console; never for production
}

// Cluster is the identity of the cluster. ID and Epoch make up etcd's token: raising Epoch is the only way to
// form a second cluster on the same machines.
type Cluster struct {
	Name   string `yaml:"name"`             // a DNS label
	ID     string `yaml:"id,omitempty"`     // a DNS label; default: the name
	Epoch  int    `yaml:"epoch,omitempty"`  // >= 1, default 1
	Domain string `yaml:"domain,omitempty"` // default "cluster.local"
}

// Kubernetes holds what concerns the seven kube programs.
type Kubernetes struct {
	Version   string                       `yaml:"version,omitempty"`   // "v1.36.3"
	Kubelet   string                       `yaml:"kubelet,omitempty"`   // a kubelet older than the API server; default: Version
	ExtraArgs map[string]map[string]string `yaml:"extraArgs,omitempty"` // program (kube-apiserver, kubelet, etcd ...) -> flag without dashes -> value
}

// Payload overrides where one payload comes from. Known names: imagebuild/payload.
type Payload struct {
	Source  string `yaml:"source,omitempty"`  // gomod (default), release, file
	Version string `yaml:"version,omitempty"` // "v3.6.11"
	Module  string `yaml:"module,omitempty"`  // gomod: another module path
	URL     string `yaml:"url,omitempty"`     // release
	Path    string `yaml:"path,omitempty"`    // file, relative to the spec
	SHA256  string `yaml:"sha256,omitempty"`  // needed for release and file
}

// Image describes the one OS image of all nodes.
type Image struct {
	Distro       string   `yaml:"distro,omitempty"`         // debian (default)
	Release      string   `yaml:"release,omitempty"`        // trixie (default)
	Mirror       string   `yaml:"mirror,omitempty"`         // default: http://deb.debian.org/debian
	Security     string   `yaml:"securityMirror,omitempty"` // default: http://deb.debian.org/debian-security
	KernelStream string   `yaml:"kernelStream,omitempty"`   // backports (default), stable
	Packages     []string `yaml:"packages,omitempty"`       // extra distro packages
	Size         Size     `yaml:"size,omitempty"`           // of the whole disk once grown; default 8GiB; the smallest disk a node may have
	RootSlot     Size     `yaml:"rootSlot,omitempty"`       // one root slot; default 450MiB
	Outputs      []string `yaml:"outputs,omitempty"`        // raw (default), qcow2, ova
}

// Network is the cluster's addressing. All prefixes are CIDR strings.
type Network struct {
	VIP          string       `yaml:"vip,omitempty"`     // the API's virtual address
	Gateway      string       `yaml:"gateway,omitempty"` // default route of every node that has none of its own
	DNS          []string     `yaml:"dns,omitempty"`
	NTP          []string     `yaml:"ntp,omitempty"`
	PodCIDR      string       `yaml:"podCIDR,omitempty"`     // default 10.244.0.0/16; each node takes the next /24 in inventory order
	ServiceCIDR  string       `yaml:"serviceCIDR,omitempty"` // default 10.96.0.0/16; .1 is the API, .10 is DNS
	LoadBalancer LoadBalancer `yaml:"loadBalancer,omitempty"`
	Proxy        Proxy        `yaml:"proxy,omitempty"`
	CNI          string       `yaml:"cni,omitempty"` // bridge (default), flannel, none
	Flannel      Flannel      `yaml:"flannel,omitempty"`
}

// Flannel is the pod network of cni: flannel.
type Flannel struct {
	Backend string `yaml:"backend,omitempty"` // vxlan (default), host-gw
}

// LoadBalancer says who answers for the API's address.
type LoadBalancer struct {
	Mode string `yaml:"mode,omitempty"` // none (default for one control plane), stacked, dedicated, external
	Port int    `yaml:"port,omitempty"` // default 8443
	Host string `yaml:"host,omitempty"` // external: name or address of the balancer; else an extra name for the API
}

// Proxy is kube-proxy's mode.
type Proxy struct {
	Mode      string `yaml:"mode,omitempty"`      // nftables (default from v1.35 on), ipvs (default before), iptables
	Scheduler string `yaml:"scheduler,omitempty"` // ipvs: rr (default), wrr, lc, wlc, sh, dh, mh, sed, nq
	StrictARP bool   `yaml:"strictARP,omitempty"`
}

// Runtime is the container runtime and where it may pull from.
type Runtime struct {
	Name    string              `yaml:"name,omitempty"`    // containerd (default)
	Mirrors map[string][]string `yaml:"mirrors,omitempty"` // registry -> mirror URLs in order
}

// Kernel adds to and removes from the image's profiles (package kernel).
type Kernel struct {
	Sysctl  map[string]string `yaml:"sysctl,omitempty"` // key -> value; an empty value removes the profile's key
	Limits  map[string]string `yaml:"limits,omitempty"` // nofile, nproc, memlock, core -> value
	Modules Modules           `yaml:"modules,omitempty"`
	Cmdline []string          `yaml:"cmdline,omitempty"` // extra kernel arguments, e.g. console=tty0
}

// Modules adds to and removes from the list loaded at boot.
type Modules struct {
	Add    []string `yaml:"add,omitempty"`
	Remove []string `yaml:"remove,omitempty"`
}

// VSphere is where the nodes' virtual machines live. Which vCenter, and as whom, is not in the spec: GOVC_URL and so on.
// A name that is left out is that of the only one there is.
type VSphere struct {
	Datacenter   string           `yaml:"datacenter,omitempty"`
	Cluster      string           `yaml:"cluster,omitempty"`         // of hosts
	Pool         string           `yaml:"pool,omitempty"`            // below the cluster's root pool; default: that one
	Folder       string           `yaml:"folder,omitempty"`          // below the datacenter's folder of machines; default: that one
	Datastore    string           `yaml:"datastore,omitempty"`       //
	Network      string           `yaml:"network,omitempty"`         // a port group
	Library      string           `yaml:"library,omitempty"`         // of content; default "slipway"
	Template     string           `yaml:"template,omitempty"`        // also the item in the library; default: the cluster's name
	Hardware     int              `yaml:"hardwareVersion,omitempty"` // as in vmx-15, the default
	SecureBoot   bool             `yaml:"secureBoot,omitempty"`
	LinkedClones bool             `yaml:"linkedClones,omitempty"` // machines' disks grow on the template's
	Machines     map[Role]Machine `yaml:"machines,omitempty"`     // by role; role "all" is every node
}

// Machine is the size of a virtual machine.
type Machine struct {
	CPUs    int    `yaml:"cpus,omitempty"`    // default 2
	Memory  Size   `yaml:"memory,omitempty"`  // default 4GiB
	Disk    Size   `yaml:"disk,omitempty"`    // default: image.size
	Network string `yaml:"network,omitempty"` // default: vsphere.network
}

// Tuning is for machines and networks that are slower or quicker than most. Lengths of time are written as Go does: 20s, 1m30s.
type Tuning struct {
	FormationGrace  string `yaml:"formationGrace,omitempty"`  // default 20s
	VRRPAdvert      string `yaml:"vrrpAdvert,omitempty"`      // default 300ms
	APICheckTimeout string `yaml:"apiCheckTimeout,omitempty"` // default 1s
	CertificateLife string `yaml:"certificateLife,omitempty"` // default 8760h
}

// Role is what a node does.
type Role string

// The roles. RoleAll is only for butane snippets.
const (
	RoleLB           Role = "lb"
	RoleEtcd         Role = "etcd"
	RoleControlPlane Role = "control-plane"
	RoleWorker       Role = "worker"
	RoleAll          Role = "all"
)

// Node is one machine.
type Node struct {
	Name      string            `yaml:"name"` // a DNS label
	Roles     []Role            `yaml:"roles"`
	Address   string            `yaml:"address"`             // with prefix: 10.0.0.11/24
	Gateway   string            `yaml:"gateway,omitempty"`   // default: network.gateway
	Interface Interface         `yaml:"interface,omitempty"` // default: the only Ethernet card
	Labels    map[string]string `yaml:"labels,omitempty"`
	Butane    []string          `yaml:"butane,omitempty"` // Butane files for this node, relative to the spec
	VSphere   Machine           `yaml:"vsphere,omitempty"`
}

// Interface picks the network card by name or by MAC.
type Interface struct {
	Name string `yaml:"name,omitempty"` // ens192
	MAC  string `yaml:"mac,omitempty"`  // 52:54:00:12:34:56
}
