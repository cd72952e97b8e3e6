package cluster

import (
	"reflect"

	"slipway/node"
)

// Field describes one key for people and for editors: docs/spec.md and the JSON schema are made from it.
type Field struct {
	Doc     string
	Default string
	Enum    []string
}

func fieldDoc(t reflect.Type, f reflect.StructField) Field { return fields[t.Name()+"."+keyName(f)] }

// What this version can do where the spec has room for more.
var (
	distros       = []string{"debian"}
	releases      = []string{"trixie"}
	kernelStreams = []string{"backports", "stable"}
	outputs       = []string{"raw", "qcow2", "ova"}
	sources       = []string{"gomod", "release", "file"}
	nodeRoles     = []Role{RoleLB, RoleEtcd, RoleControlPlane, RoleWorker}
	butaneRoles   = []Role{RoleAll, RoleLB, RoleEtcd, RoleControlPlane, RoleWorker}
)

// fields is keyed by type and YAML key; a test demands an entry for every key of the types and no other.
var fields = map[string]Field{
	"Spec.cluster":    {Doc: "The identity of the cluster."},
	"Spec.kubernetes": {Doc: "Versions and flags of the kube programs."},
	"Spec.payloads":   {Doc: "Where single payloads come from, by name: kubernetes, kubelet, etcd, cni-plugins, flannel, coredns, pause, crictl, helm, ignition, slipwayd."},
	"Spec.image":      {Doc: "The one OS image of all nodes."},
	"Spec.network":    {Doc: "Addresses and how the API is reached."},
	"Spec.runtime":    {Doc: "The container runtime."},
	"Spec.kernel":     {Doc: "Additions to and removals from the kernel profiles of the image."},
	"Spec.vsphere":    {Doc: "Where in vCenter the machines live, and how large they are."},
	"Spec.butane":     {Doc: "Butane files for every node of a role, relative to this file; the role `all` is every node."},
	"Spec.nodes":      {Doc: "The machines."},
	"Spec.tuning":     {Doc: "For machines and networks that are slower or quicker than most."},
	"Spec.debug":      {Doc: "Opens a login on the console. Never for production.", Default: "false"},

	"Cluster.name":   {Doc: "Name of the cluster: a DNS label."},
	"Cluster.id":     {Doc: "What tells this cluster from any other: a DNS label.", Default: "the name"},
	"Cluster.epoch":  {Doc: "Raise it to form a second cluster on the same machines; the data of the first is then never joined.", Default: "1"},
	"Cluster.domain": {Doc: "DNS domain of services.", Default: "cluster.local"},

	"Kubernetes.version":   {Doc: "Version of the kube programs, v1.34 to v1.37.", Default: DefaultVersion(PayloadKubernetes)},
	"Kubernetes.kubelet":   {Doc: "An older kubelet, at most three minors behind.", Default: "the version"},
	"Kubernetes.extraArgs": {Doc: "Flags by program (etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kube-proxy, kubelet): name without dashes, then the value."},

	"Payload.source":  {Doc: "gomod builds a Go module, release downloads a URL, file takes a local file.", Default: "gomod", Enum: sources},
	"Payload.version": {Doc: "Exact version. Needed for release and file.", Default: "per payload"},
	"Payload.module":  {Doc: "gomod: another module path, for a fork."},
	"Payload.url":     {Doc: "release: where to download from."},
	"Payload.path":    {Doc: "file: where it lies, relative to this file."},
	"Payload.sha256":  {Doc: "Digest in hex. Needed for release and file."},

	"Image.distro":         {Doc: "The distribution.", Default: "debian", Enum: distros},
	"Image.release":        {Doc: "Its release.", Default: "trixie", Enum: releases},
	"Image.mirror":         {Doc: "Package mirror: an http, https or file URL. Another one needs no other lock: digests say what a package is.", Default: "http://deb.debian.org/debian"},
	"Image.securityMirror": {Doc: "Mirror of security updates. A mirror of an earlier day says so in its URL, as those of snapshot.debian.org do.", Default: "http://deb.debian.org/debian-security"},
	"Image.kernelStream":   {Doc: "Where the kernel comes from.", Default: "backports", Enum: kernelStreams},
	"Image.packages":       {Doc: "Extra distribution packages."},
	"Image.size":           {Doc: "The smallest disk a node may have: ESP, two root slots with their hash trees, and the state.", Default: "8GiB"},
	"Image.rootSlot":       {Doc: "Size of one root slot.", Default: "450MiB"},
	"Image.outputs":        {Doc: "Formats to write.", Default: "[raw]", Enum: outputs},

	"Network.vip":          {Doc: "The API's virtual address, inside the nodes' subnet. For the load balancer modes stacked and dedicated; a single dedicated balancer may do without, and is then reached at its own address."},
	"Network.gateway":      {Doc: "Default route of every node that names none of its own."},
	"Network.dns":          {Doc: "Resolvers of the nodes and of CoreDNS."},
	"Network.ntp":          {Doc: "Time servers, names or addresses."},
	"Network.podCIDR":      {Doc: "Addresses of pods; each node takes a /24 of it, in the order of nodes, and keeps it.", Default: "10.244.0.0/16"},
	"Network.serviceCIDR":  {Doc: "Addresses of services; the first is the API, the tenth is DNS.", Default: "10.96.0.0/16"},
	"Network.loadBalancer": {Doc: "Who answers for the API's address."},
	"Network.proxy":        {Doc: "How kube-proxy works."},
	"Network.cni":          {Doc: "Pod network: bridge with host routes, flannel, or none to bring your own.", Default: "bridge", Enum: node.CNIs},
	"Network.flannel":      {Doc: "How flannel works, for `cni: flannel`."},

	"LoadBalancer.mode": {Doc: "none, stacked on the control planes, dedicated nodes of role lb, or external.", Default: "none, for one control plane", Enum: node.Modes},
	"LoadBalancer.port": {Doc: "The balancer's port.", Default: "8443"},
	"LoadBalancer.host": {Doc: "external: name or address of the balancer; otherwise one more name for the API."},

	"Proxy.mode":      {Doc: "kube-proxy's mode.", Default: "nftables, and ipvs for v1.34", Enum: node.ProxyModes},
	"Proxy.scheduler": {Doc: "ipvs: how connections are spread.", Default: "rr, for ipvs", Enum: node.Schedulers},
	"Proxy.strictARP": {Doc: "ipvs: answer ARP only for addresses of the card that is asked. MetalLB needs it.", Default: "false"},

	"Flannel.backend": {Doc: "How packets get to other nodes' pods: vxlan in UDP, port 8472, or host-gw by routes in one subnet.", Default: "vxlan, for flannel", Enum: node.Backends},

	"Runtime.name":    {Doc: "The runtime that the kubelet talks to.", Default: "containerd", Enum: node.Runtimes},
	"Runtime.mirrors": {Doc: "Mirrors by registry: URLs, tried in order."},

	"Kernel.sysctl":  {Doc: "Key and value; an empty value removes a key of the profile."},
	"Kernel.limits":  {Doc: "nofile, nproc, memlock, core: a number, infinity, or soft:hard. infinity may be written unlimited; nofile takes numbers only."},
	"Kernel.modules": {Doc: "Modules loaded at boot."},
	"Kernel.cmdline": {Doc: "More kernel arguments."},

	"Modules.add":    {Doc: "Modules to load besides the profile's."},
	"Modules.remove": {Doc: "Modules of the profile not to load."},

	"VSphere.datacenter":      {Doc: "Name of the datacenter.", Default: "the only one"},
	"VSphere.cluster":         {Doc: "Name of the cluster of hosts.", Default: "the only one"},
	"VSphere.pool":            {Doc: "Resource pool below the cluster's own, like infra/kubernetes.", Default: "the cluster's own"},
	"VSphere.folder":          {Doc: "Folder of machines below the datacenter's own, like infra/kubernetes. It must exist.", Default: "the datacenter's own"},
	"VSphere.datastore":       {Doc: "Name of the datastore.", Default: "the only one"},
	"VSphere.network":         {Doc: "Port group that the machines' card is connected to: its name, or its path where there are several of the name.", Default: "the only one"},
	"VSphere.library":         {Doc: "Content library. It is made if it is not there.", Default: "slipway"},
	"VSphere.template":        {Doc: "Name of the template, and of its item in the library.", Default: "the cluster's name"},
	"VSphere.hardwareVersion": {Doc: "Version of the virtual hardware in the OVA, 13 to 22 without 16: 15 runs on ESXi 6.7 U2 and newer.", Default: "15"},
	"VSphere.secureBoot":      {Doc: "The firmware starts only what is signed by a key that it trusts.", Default: "false"},
	"VSphere.linkedClones":    {Doc: "Machines are linked clones: their disks grow on the template's, are made in seconds, and have the size of the image.", Default: "false"},
	"VSphere.machines":        {Doc: "Sizes by role; the role `all` is every node. A node of several roles gets the largest."},

	"Machine.cpus":    {Doc: "Virtual CPUs.", Default: "2"},
	"Machine.memory":  {Doc: "Memory, in multiples of 4MiB.", Default: "4GiB"},
	"Machine.disk":    {Doc: "Disk, in whole MiB and at least `image.size`.", Default: "`image.size`"},
	"Machine.network": {Doc: "Port group.", Default: "`vsphere.network`"},

	"Node.name":      {Doc: "Host name: a DNS label."},
	"Node.roles":     {Doc: "Any of lb, etcd, control-plane, worker."},
	"Node.address":   {Doc: "IPv4 address with its prefix, like 10.0.0.11/24."},
	"Node.gateway":   {Doc: "Default route of this node, in its own subnet.", Default: "`network.gateway`"},
	"Node.interface": {Doc: "The network card.", Default: "the only Ethernet card"},
	"Node.labels":    {Doc: "Labels of the Node object."},
	"Node.butane":    {Doc: "Butane files for this node, relative to this file."},
	"Node.vsphere":   {Doc: "Size of this node's machine, before that of its roles."},

	"Tuning.formationGrace":  {Doc: "How long a first formation waits for all etcd members before a majority of them begins, like 20s or 1m30s; at most an hour. With all of them there nobody waits.", Default: "20s"},
	"Tuning.vrrpAdvert":      {Doc: "How often the holder of the VIP says that it lives, in hundredths of a second, from 10ms to 10s. Another balancer takes the VIP when nothing was heard for some 3.3 times as long..", Default: node.DefaultVRRPAdvert.String()},
	"Tuning.apiCheckTimeout": {Doc: "How long an API server may take to take a connection from a balancer, and to answer it, from 100ms to 1m.", Default: node.DefaultAPICheckTimeout.String()},
	"Tuning.certificateLife": {Doc: "How long a certificate lasts that control planes sign, those of kubelets above all, from 3m to 17520h, which is two years.", Default: "8760h"},

	"Interface.name": {Doc: "By name, like ens192."},
	"Interface.mac":  {Doc: "By MAC address, like 52:54:00:12:34:56."},
}
