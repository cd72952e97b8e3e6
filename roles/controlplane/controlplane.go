// Package controlplane renders kube-apiserver, kube-controller-manager and kube-scheduler as systemd units, and the
// objects that every cluster needs.
//
// Start with Render. No kubelet runs on a control plane that is not a worker as well.
package controlplane

import (
	"embed"
	"strings"

	"slipway/node"
	"slipway/roles/role"
)

//go:embed *.tmpl
var templates embed.FS

// Where the files go that several flags name.
const (
	authenticationConfig  = "/etc/kubernetes/authentication.yaml"
	schedulerConfig       = "/etc/kubernetes/scheduler.yaml"
	schedulerKubeconfig   = "/etc/kubernetes/scheduler.conf"
	controllersKubeconfig = "/etc/kubernetes/controller-manager.conf"
)

type data struct {
	*role.Node
	APIServer, Controllers, Scheduler []string // flags
	SchedulerKubeconfig               string
	DNSReplicas                       int
	EntriesNamespace, FlannelUser     string
}

// Render is empty on nodes that are no control planes.
func Render(n *role.Node) (role.Output, error) {
	if !n.Is(node.ControlPlane) {
		return role.Output{}, nil
	}
	b := role.NewBuilder(templates, data{
		Node:                n,
		APIServer:           n.Flags("kube-apiserver", apiServerFlags(n)),
		Controllers:         n.Flags("kube-controller-manager", controllerFlags(n)),
		Scheduler:           n.Flags("kube-scheduler", schedulerFlags()),
		SchedulerKubeconfig: schedulerKubeconfig,
		DNSReplicas:         dnsReplicas(n),
		EntriesNamespace:    node.EntriesNamespace,
		FlannelUser:         node.FlannelUser,
	})
	local := role.URL(role.Loopback(), node.APIPort)
	b.File(authenticationConfig, 0o644, "authentication.yaml.tmpl")
	b.File(schedulerConfig, 0o644, "scheduler.yaml.tmpl")
	b.Kubeconfig(controllersKubeconfig, n, local, node.CertCM)
	b.Kubeconfig(schedulerKubeconfig, n, local, node.CertScheduler)
	b.Unit("kube-apiserver.service")
	b.Unit("kube-controller-manager.service")
	b.Unit("kube-scheduler.service")
	b.Objects("rbac.yaml.tmpl")
	b.Objects("nodes.yaml.tmpl")
	if n.Network.CNI == node.CNIFlannel {
		b.Objects("flannel.yaml.tmpl")
	}
	b.Objects("coredns.yaml.tmpl")
	return b.Output()
}

// dnsReplicas is the same on every control plane, whatever workers there are, which no config tells: one where the only control
// plane is a worker as well, which may be all that there is.
func dnsReplicas(n *role.Node) int {
	if planes := n.With(node.ControlPlane); len(planes) == 1 && planes[0].Has(node.Worker) {
		return 1
	}
	return 2
}

func etcdServers(n *role.Node) string {
	var urls []string
	for _, m := range n.With(node.Etcd) {
		urls = append(urls, role.URL(m.Address.Addr(), node.EtcdClient))
	}
	return strings.Join(urls, ",")
}
