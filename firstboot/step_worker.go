package firstboot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"slipway/firstboot/kube"
)

const (
	containerdUnit   = "containerd.service"
	containerdConfig = "/etc/containerd/config.toml"
	containerdSum    = runDir + "/containerd.sum" // of the config with which it was started
	imagesUnit       = "slipway-images.service"
	kubeletServing   = "/var/lib/kubelet/pki/kubelet-server-current.pem"
	bootIDPath       = "/proc/sys/kernel/random/boot_id"
)

// observeContainerd: the unit is the distro's, so it may have been running before its config was written.
func (n *node) observeContainerd(ctx context.Context) (Finding, error) {
	found, err := n.lookAt(ctx, containerdUnit)
	if err != nil || !found.done {
		return found, err
	}
	want, err := n.containerdSum()
	if err != nil {
		return Finding{}, err
	}
	same, err := n.matches(containerdSum, want, 0o644)
	if err == nil && !same {
		return Need("containerd to start with its config"), nil
	}
	return found, err
}

func (n *node) containerdSum() ([]byte, error) {
	config, err := n.FS.ReadFile(containerdConfig)
	if err != nil {
		return nil, fmt.Errorf("reading containerd's config: %w", err)
	}
	return []byte(sum(config) + "\n"), nil
}

func (n *node) actContainerd(ctx context.Context) error {
	want, err := n.containerdSum()
	if err != nil {
		return err
	}
	if _, err := n.Run.Run(ctx, systemctl, "restart", containerdUnit); err != nil {
		return err
	}
	return n.write(containerdSum, want, 0o644)
}

// observeImages is done when the images that the node starts from are there and pinned.
func (n *node) observeImages(ctx context.Context) (Finding, error) {
	out, err := n.Run.Run(ctx, "ctr", "--namespace", "k8s.io", "images", "ls", "--quiet", `labels."io.cri-containerd.pinned"==pinned`)
	if err != nil {
		return Finding{}, fmt.Errorf("listing images: %w", err)
	}
	have := strings.Fields(out)
	for _, image := range []string{n.cfg.Versions.PauseImage(), n.cfg.Versions.CoreDNSImage()} {
		if !slices.Contains(have, image) {
			return Need("image " + image + " to be loaded"), nil
		}
	}
	return OK(), nil
}

// actImages runs the unit to its end. It may have run before and count as active, thus restart.
func (n *node) actImages(ctx context.Context) error {
	_, err := n.Run.Run(ctx, systemctl, "restart", imagesUnit)
	if err != nil {
		err = fmt.Errorf("%w%s", err, n.lastWords(ctx, imagesUnit))
	}
	return err
}

// observeProxy starts kube-proxy only when the node is registered: it reads its address there, and would go on with
// 127.0.0.1 if that took long.
func (n *node) observeProxy(ctx context.Context) (Finding, error) {
	found, err := n.lookAt(ctx, "kube-proxy.service")
	if err != nil || !found.act {
		return found, err
	}
	_, err = n.nodeObject(ctx)
	if kube.NotFound(err) {
		return Wait("the node to be registered"), nil
	}
	return found, err
}

func (n *node) nodeObject(ctx context.Context) (meta, error) {
	var object meta
	c, err := n.api()
	if err != nil {
		return object, err
	}
	if err := c.Get(ctx, "/api/v1/nodes/"+n.self.Name, &object); err != nil {
		return object, fmt.Errorf("reading node %q: %w", n.self.Name, err)
	}
	return object, nil
}

// observeNodeReady is done when the kubelet of this boot says that it is ready and can be talked to. The object may
// still tell of the time before a reset.
func (n *node) observeNodeReady(ctx context.Context) (Finding, error) {
	object, err := n.nodeObject(ctx)
	if kube.NotFound(err) {
		return Wait("the node to be registered"), nil
	}
	if err != nil {
		return Finding{}, err
	}
	boot, err := n.FS.ReadFile(bootIDPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Finding{}, fmt.Errorf("reading boot id: %w", err)
	}
	if id := strings.TrimSpace(string(boot)); id != "" && object.Status.NodeInfo.BootID != id {
		return Wait("the kubelet to report this boot"), nil
	}
	if ready := object.condition("Ready"); ready.Status != "True" {
		return Wait(because("the node to be ready", ready)), nil
	}
	serving, err := n.exists(kubeletServing)
	if err == nil && !serving {
		return Wait("the kubelet's serving certificate to be approved"), nil
	}
	return OK(), err
}
