package node

import "strings"

// ImagesDir is where the image build puts container images, one archive each, and the node loads them from.
const ImagesDir = "/usr/share/slipway/images"

// PauseImage is the name of the pod sandbox image: preloaded under it, and the only one the runtime asks for.
// Upstream's tags of it carry no "v".
func (v Versions) PauseImage() string {
	return "registry.k8s.io/pause:" + strings.TrimPrefix(v.Pause, "v")
}

// CoreDNSImage is the name of the cluster DNS image, preloaded under it.
func (v Versions) CoreDNSImage() string {
	return "registry.k8s.io/coredns/coredns:v" + strings.TrimPrefix(v.CoreDNS, "v")
}
