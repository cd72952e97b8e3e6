package cluster

import "slipway/node"

// setDefaults fills what is absent. It judges nothing: what it makes of a wrong spec is refused afterwards.
func (s *Spec) setDefaults() {
	set(&s.Cluster.ID, s.Cluster.Name)
	set(&s.Cluster.Epoch, 1)
	set(&s.Cluster.Domain, "cluster.local")
	set(&s.Kubernetes.Version, DefaultVersion(PayloadKubernetes))
	set(&s.Kubernetes.Kubelet, s.Kubernetes.Version)
	set(&s.Runtime.Name, node.RuntimeContainerd)
	s.Image.setDefaults()
	s.VSphere.setDefaults(s.Cluster.Name)
	set(&s.Network.Proxy.Mode, defaultProxyMode(s.Kubernetes.Version))
	s.Network.setDefaults(len(s.NodesWith(RoleControlPlane)))
	set(&s.Tuning.FormationGrace, "20s")
	set(&s.Tuning.VRRPAdvert, node.DefaultVRRPAdvert.String())
	set(&s.Tuning.APICheckTimeout, node.DefaultAPICheckTimeout.String())
	set(&s.Tuning.CertificateLife, "8760h")
	s.setPayloadDefaults()
}

// set gives an unset value its default.
func set[T comparable](value *T, byDefault T) {
	var zero T
	if *value == zero {
		*value = byDefault
	}
}

func (i *Image) setDefaults() {
	set(&i.Distro, distros[0])
	set(&i.Release, releases[0])
	set(&i.Mirror, "http://deb.debian.org/debian")
	set(&i.Security, "http://deb.debian.org/debian-security")
	set(&i.KernelStream, kernelStreams[0])
	set(&i.Size, 8*GiB)
	set(&i.RootSlot, 450*MiB)
	if len(i.Outputs) == 0 {
		i.Outputs = []string{"raw"}
	}
}

func (v *VSphere) setDefaults(cluster string) {
	set(&v.Library, "slipway")
	set(&v.Template, cluster)
	set(&v.Hardware, 15)
}

func (n *Network) setDefaults(controlPlanes int) {
	set(&n.PodCIDR, "10.244.0.0/16")
	set(&n.ServiceCIDR, "10.96.0.0/16")
	set(&n.CNI, node.CNIBridge)
	if n.CNI == node.CNIFlannel {
		set(&n.Flannel.Backend, node.FlannelVXLAN)
	}
	if n.Proxy.Mode == node.ProxyIPVS {
		set(&n.Proxy.Scheduler, "rr")
	}
	set(&n.LoadBalancer.Port, 8443)
	if controlPlanes < 2 {
		set(&n.LoadBalancer.Mode, node.ModeNone)
	}
}

// setPayloadDefaults makes an entry for every payload, so that nobody else needs to know the table. The exceptions are there only
// if the spec names them: a kubelet apart from the rest of kubernetes, and flannel, unless the pod network is that.
func (s *Spec) setPayloadDefaults() {
	all := make(map[string]Payload, len(defaultVersions))
	for name, p := range s.Payloads {
		all[name] = p
	}
	for _, name := range PayloadNames() {
		p, named := all[name]
		if !named && (name == PayloadKubelet || name == PayloadFlannel && s.Network.CNI != node.CNIFlannel) {
			continue
		}
		set(&p.Source, sources[0])
		set(&p.Version, s.defaultVersion(name))
		all[name] = p
	}
	s.Payloads = all
}

// defaultVersion is DefaultVersion, paired with the spec's own Kubernetes.
func (s *Spec) defaultVersion(payload string) string {
	switch payload {
	case PayloadKubernetes:
		return s.Kubernetes.Version
	case PayloadKubelet:
		return s.Kubernetes.Kubelet
	case PayloadEtcd:
		if _, version := etcdFor(s.Kubernetes.Version); version != "" {
			return version
		}
	}
	return DefaultVersion(payload)
}
