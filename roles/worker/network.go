package worker

import (
	"slipway/node"
	"slipway/roles/role"
)

// FlannelConflist is where a worker with flannel has its CNI configuration. It is no file of Render: how large packets to pods may
// be is known only when flannel runs, and until the file is there no pod starts, and the node is not ready.
const FlannelConflist = "/etc/cni/net.d/10-slipway-flannel.conflist"

// FlannelSubnet is what flannel writes when its network is there: lines NAME=VALUE, the MTU of pods among them (FLANNEL_MTU).
const FlannelSubnet = "/run/flannel/subnet.env"

// addNetwork adds the pod network, unless the user brings one.
func addNetwork(b *role.Builder, n *role.Node) {
	switch n.Network.CNI {
	case node.CNINone:
		return
	case node.CNIBridge:
		b.File("/etc/cni/net.d/10-slipway.conflist", 0o644, "slipway.conflist.tmpl")
	case node.CNIFlannel:
		b.File(flannelConfig, 0o644, "flannel.json.tmpl")
		b.Kubeconfig(flannelKubeconfig, n, "https://"+role.LocalAPI(), node.CertFlannel)
		b.Unit("flanneld.service")
	}
	b.File("/etc/slipway/masq.nft", 0o644, "masq.nft.tmpl")
	b.Unit("slipway-masq.service")
}

// Conflist is the CNI configuration of a worker whose pods may send packets of so many bytes.
func Conflist(cfg *node.Config, mtu int) ([]byte, error) {
	n, err := role.NewNode(cfg)
	if err != nil {
		return nil, err
	}
	b := role.NewBuilder(templates, data{Node: n, MTU: mtu})
	b.File(FlannelConflist, 0o644, "slipway.conflist.tmpl")
	out, err := b.Output()
	if err != nil {
		return nil, err
	}
	return out.Files[0].Content, nil
}
