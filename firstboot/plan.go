package firstboot

import (
	"slices"
	"time"

	"slipway/firstboot/status"
	"slipway/node"
)

// plan lists the node's steps, none before what it comes after. What a node has no role for is left out.
func (n *machine) plan() []Step {
	steps := slices.Concat(n.groundSteps(), n.controlSteps(), n.workerSteps(), n.balancerSteps(), n.clusterSteps())
	return slices.DeleteFunc(steps, func(s Step) bool { return !s.isFor(n.self) })
}

// groundSteps are for every node.
func (n *machine) groundSteps() []Step {
	return []Step{
		{Name: "time-gate", Observe: n.observeTime, Act: n.actTime, Recheck: time.Hour},
		{Name: status.ScrubStep, Observe: n.observeScrub, Act: n.actScrub, Recheck: 10 * time.Minute},
		{Name: "files", Observe: n.observeFiles, Act: n.actFiles, Recheck: time.Minute},
		n.unitStep("apilb", "slipway-apilb.service", "files"),
		{Name: "services", After: []string{"files"}, Observe: n.observeServices, Act: n.actServices, Recheck: time.Minute},
	}
}

// controlSteps are for etcd nodes and control planes.
func (n *machine) controlSteps() []Step {
	cp := []node.Role{node.ControlPlane}
	return []Step{
		{Name: "etcd", Roles: []node.Role{node.Etcd}, After: []string{"time-gate", "scrub", "files"}, Observe: n.observeEtcd, Act: nothing, Limit: time.Minute},
		{Name: "member", Roles: []node.Role{node.Etcd}, After: []string{"etcd"}, Observe: n.observeMember, Act: n.settle, Limit: time.Minute},
		{Name: "apiserver", Roles: cp, After: []string{"time-gate", "scrub", "files", "member"}, Observe: n.observeAPIServer, Act: n.startUnit("kube-apiserver.service")},
		{Name: "controllers", Roles: cp, After: []string{"apiserver"}, Observe: n.observeControllers, Act: n.actControllers},
		{Name: "objects", Roles: cp, After: []string{"apiserver"}, Observe: n.observeObjects, Act: n.actObjects, Recheck: leaseDuration / 3},
		{Name: "entries", Roles: cp, After: []string{"objects"}, Observe: n.observeEntries, Act: n.keepEntries, Recheck: 2 * time.Second},
	}
}

// workerSteps are for nodes that run pods. The kubelet never starts before the scrub is verified.
func (n *machine) workerSteps() []Step {
	worker := []node.Role{node.Worker}
	steps := []Step{
		{Name: "containerd", Roles: worker, After: []string{"files"}, Observe: n.observeContainerd, Act: n.actContainerd, Limit: 2 * time.Minute},
		{Name: "images", Roles: worker, After: []string{"containerd"}, Observe: n.observeImages, Act: n.actImages, Limit: 10 * time.Minute, Recheck: time.Minute},
	}
	if n.renders("slipway-masq.service") {
		steps = append(steps, n.unitStep("masq", "slipway-masq.service", "files"))
	}
	steps = append(steps,
		Step{Name: "certificates", Roles: worker, After: []string{"time-gate", "files"}, Observe: n.observeCertificates, Act: nothing, Limit: time.Minute},
		Step{Name: "kubelet", Roles: worker, After: []string{"time-gate", "scrub", "images", "masq", "apilb", "certificates"}, Observe: n.observeKubelet, Act: n.startUnit("kubelet.service")},
		Step{Name: "kube-proxy", Roles: worker, After: []string{"kubelet", "apiserver"}, Observe: n.observeProxy, Act: n.startUnit("kube-proxy.service")},
	)
	if n.renders(flannelUnit) {
		steps = append(steps, Step{Name: "flannel", Roles: worker, After: []string{"kubelet", "apiserver"}, Observe: n.observeFlannel, Act: n.startUnit(flannelUnit)})
	}
	return steps
}

// clusterSteps are about what the nodes make up together.
func (n *machine) clusterSteps() []Step {
	cp, worker := []node.Role{node.ControlPlane}, []node.Role{node.Worker}
	steps := []Step{
		{Name: "nodes", Roles: append(cp, worker...), After: []string{"files"}, Observe: n.observeNodes, Act: nothing},
		{Name: "approve", Roles: cp, After: []string{"apiserver"}, Observe: n.observeApprove, Act: n.actApprove},
		{Name: "node-ready", Roles: worker, After: []string{"kubelet", "apiserver"}, Observe: n.observeNodeReady, Act: nothing},
		{Name: "labels", Roles: cp, After: []string{"apiserver", "kubelet"}, Observe: n.observeLabels, Act: n.actLabels},
		{Name: "cluster", Roles: cp, After: []string{"controllers", "objects", "node-ready", "labels"}, Observe: n.observeCluster, Act: nothing},
	}
	if !n.self.Has(node.Etcd) { // members see it by their quorum
		steps = append(steps, Step{Name: "formed", After: []string{"apilb"}, Observe: n.observeFormed, Act: n.actFormed})
	}
	return steps
}
