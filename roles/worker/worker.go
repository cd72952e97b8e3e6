// Package worker renders the kubelet, kube-proxy and the pod network of a worker.
//
// Start with Render, and for what is known only when flannel runs with Conflist. The container runtime's configuration is package base's; routes to the pods of other nodes are
// slipwayd's to set, as it learns of them.
package worker

import (
	"embed"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"slipway/node"
	"slipway/roles/role"
)

//go:embed *.tmpl
var templates embed.FS

const (
	kubeletConfig     = "/etc/kubernetes/kubelet.yaml"
	kubeletKubeconfig = "/etc/kubernetes/kubelet.conf"
	proxyConfig       = "/etc/kubernetes/kube-proxy.yaml"
	proxyKubeconfig   = "/etc/kubernetes/kube-proxy.conf"
	flannelConfig     = "/etc/slipway/flannel.json"
	flannelKubeconfig = "/etc/kubernetes/flannel.conf"
)

type data struct {
	*role.Node
	Kubelet, Proxy  []string // flags
	ProxyKubeconfig string
	Scheduler       string // ipvs
	ExcludeCIDRs    []netip.Prefix
	Reserved        reserved
	Flannel         flannelFiles
	MTU             int // of pods; 0 leaves it to the kernel: that of Ethernet
}

// flannelFiles are those that flannel reads and writes.
type flannelFiles struct{ Config, Kubeconfig, Subnet string }

// reserved is what pods never get. The numbers leave a 4 GiB machine usable.
type reserved struct{ CPU, Memory string }

// Render is empty on nodes that are no workers.
func Render(n *role.Node) (role.Output, error) {
	if !n.Is(node.Worker) {
		return role.Output{}, nil
	}
	if err := checkLabels(n.Self.Labels); err != nil {
		return role.Output{}, fmt.Errorf("reading labels of node %q: %w", n.Self.Name, err)
	}
	b := role.NewBuilder(templates, data{
		Node: n, Kubelet: n.Flags("kubelet", kubeletFlags(n)),
		Proxy:           n.Flags("kube-proxy", role.Args{"config": proxyConfig}),
		ProxyKubeconfig: proxyKubeconfig, Scheduler: scheduler(n), ExcludeCIDRs: exclude(n), Reserved: reserve(n),
		Flannel: flannelFiles{Config: flannelConfig, Kubeconfig: flannelKubeconfig, Subnet: FlannelSubnet},
	})
	b.File(kubeletConfig, 0o644, "kubelet.yaml.tmpl")
	b.Kubeconfig(kubeletKubeconfig, n, "https://"+role.LocalAPI(), node.CertKubelet)
	b.Unit("kubelet.service")
	b.File(proxyConfig, 0o644, "kube-proxy.yaml.tmpl")
	b.Kubeconfig(proxyKubeconfig, n, "https://"+role.LocalAPI(), node.CertProxy)
	b.Unit("kube-proxy.service")
	addNetwork(b, n)
	return b.Output()
}

func kubeletFlags(n *role.Node) role.Args {
	args := role.Args{
		"config":            kubeletConfig,
		"hostname-override": n.Self.Name,
		"kubeconfig":        kubeletKubeconfig,
		"node-ip":           n.Addr().String(),
	}
	var labels []string
	for _, key := range slices.Sorted(maps.Keys(n.Self.Labels)) {
		labels = append(labels, key+"="+n.Self.Labels[key])
	}
	if len(labels) > 0 {
		args["node-labels"] = strings.Join(labels, ",")
	}
	return args
}

// checkLabels refuses what the kubelet would refuse to start with.
func checkLabels(labels map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		why, hint := node.RefuseLabel(key)
		if why == "" {
			why, hint = node.RefuseLabelValue(labels[key])
		}
		if why != "" {
			return fmt.Errorf("%s\nhint: %s", why, hint)
		}
	}
	return nil
}

func scheduler(n *role.Node) string {
	if n.Network.Scheduler == "" {
		return "rr"
	}
	return n.Network.Scheduler
}

// exclude keeps kube-proxy's cleaning away from the API's virtual address.
func exclude(n *role.Node) []netip.Prefix {
	if !n.API.VIP.IsValid() {
		return nil
	}
	return []netip.Prefix{netip.PrefixFrom(n.API.VIP, n.API.VIP.BitLen())}
}

// reserve counts what runs beside pods: on control planes that are workers the API server and etcd as well.
func reserve(n *role.Node) reserved {
	if n.Is(node.ControlPlane) || n.Is(node.Etcd) {
		return reserved{CPU: "250m", Memory: "1Gi"}
	}
	return reserved{CPU: "100m", Memory: "256Mi"}
}
