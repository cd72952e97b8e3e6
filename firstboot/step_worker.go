package firstboot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"slipway/firstboot/kube"
	"slipway/node"
)

const (
	containerdUnit   = "containerd.service"
	containerdConfig = "/etc/containerd/config.toml"
	containerdSum    = runDir + "/containerd.sum" // of the config with which it was started
	kubeletServing   = "/var/lib/kubelet/pki/kubelet-server-current.pem"
	bootIDPath       = "/proc/sys/kernel/random/boot_id"
)

// observeContainerd: the unit is the distro's, so it may have been running before its config was written.
func (n *machine) observeContainerd(ctx context.Context) (Finding, error) {
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

func (n *machine) containerdSum() ([]byte, error) {
	config, err := n.FS.ReadFile(containerdConfig)
	if err != nil {
		return nil, fmt.Errorf("reading containerd's config: %w", err)
	}
	return []byte(sum(config) + "\n"), nil
}

func (n *machine) actContainerd(ctx context.Context) error {
	want, err := n.containerdSum()
	if err != nil {
		return err
	}
	if _, err := n.Run.Run(ctx, systemctl, "restart", containerdUnit); err != nil {
		return err
	}
	return n.write(containerdSum, want, 0o644)
}

// ctr and pinned speak of the images that the kubelet's runtime sees. The label also keeps the kubelet from collecting
// them, as nothing could pull them again.
const (
	imageNamespace = "k8s.io"
	pinnedLabel    = "io.cri-containerd.pinned"
)

func (n *machine) ctr(ctx context.Context, args ...string) (string, error) {
	return n.Run.Run(ctx, "ctr", append([]string{"--namespace", imageNamespace}, args...)...)
}

// images are those that the node starts from.
func (n *machine) images() []string {
	return []string{n.cfg.Versions.PauseImage(), n.cfg.Versions.CoreDNSImage()}
}

// observeImages is done when all images are there and pinned.
func (n *machine) observeImages(ctx context.Context) (Finding, error) {
	out, err := n.ctr(ctx, "images", "ls", "--quiet", fmt.Sprintf("labels.%q==pinned", pinnedLabel))
	if err != nil {
		return Finding{}, fmt.Errorf("listing images: %w", err)
	}
	have := strings.Fields(out)
	for _, image := range n.images() {
		if !slices.Contains(have, image) {
			return Need("image " + image + " to be loaded"), nil
		}
	}
	return OK(), nil
}

// actImages pins an image only when its files are on the disk. containerd's database always is at once, its files some
// time later: after a power cut it may know an image whose layers are empty. Thus what is not pinned is not trusted.
func (n *machine) actImages(ctx context.Context) error {
	archives, err := n.FS.Glob(node.ImagesDir + "/*.tar")
	if err != nil {
		return fmt.Errorf("looking for images in %s: %w", node.ImagesDir, err)
	}
	if err := n.dropImages(ctx); err != nil {
		return err
	}
	for _, archive := range archives {
		if _, err := n.ctr(ctx, "images", "import", archive); err != nil {
			return fmt.Errorf("importing %s: %w", archive, err)
		}
	}
	if _, err := n.Run.Run(ctx, "sync", "--file-system", "/var/lib/containerd"); err != nil {
		return fmt.Errorf("writing images to the disk: %w", err)
	}
	for _, image := range n.images() {
		if _, err := n.ctr(ctx, "images", "label", image, pinnedLabel+"=pinned"); err != nil {
			return fmt.Errorf("pinning %s: %w", image, err)
		}
	}
	return nil
}

// dropImages forgets what an attempt before this one left: leases, which keep content for a day, and the images under
// every name that leads to them. --sync collects at once what nothing leads to any more.
func (n *machine) dropImages(ctx context.Context) error {
	leases, err := n.ctr(ctx, "leases", "ls", "--quiet")
	if err != nil {
		return fmt.Errorf("listing leases: %w", err)
	}
	if all := strings.Fields(leases); len(all) > 0 {
		if _, err := n.ctr(ctx, append([]string{"leases", "rm", "--sync"}, all...)...); err != nil {
			return fmt.Errorf("removing leases: %w", err)
		}
	}
	for _, image := range n.images() {
		list, err := n.ctr(ctx, "images", "ls", "name=="+image)
		if err != nil {
			return fmt.Errorf("looking for image %s: %w", image, err)
		}
		digest := digestPattern.FindString(list)
		if digest == "" {
			continue
		}
		names, err := n.ctr(ctx, "images", "ls", "--quiet", "target.digest=="+digest)
		if err != nil {
			return fmt.Errorf("looking for names of image %s: %w", image, err)
		}
		if _, err := n.ctr(ctx, append([]string{"images", "rm", "--sync"}, strings.Fields(names)...)...); err != nil {
			return fmt.Errorf("removing image %s: %w", image, err)
		}
	}
	return nil
}

var digestPattern = regexp.MustCompile("sha256:[0-9a-f]{64}")

// observeProxy starts kube-proxy only when the node is registered: it reads its address there, and would go on with
// 127.0.0.1 if that took long.
func (n *machine) observeProxy(ctx context.Context) (Finding, error) {
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

func (n *machine) nodeObject(ctx context.Context) (meta, error) {
	var object meta
	c, err := n.api()
	if err != nil {
		return object, err
	}
	if err := c.Get(ctx, nodesPath+"/"+n.self.Name, &object); err != nil {
		return object, fmt.Errorf("reading node %q: %w", n.self.Name, err)
	}
	return object, nil
}

// observeNodeReady is done when the kubelet of this boot says that it is ready and can be talked to. The object may
// still tell of the time before a reset.
func (n *machine) observeNodeReady(ctx context.Context) (Finding, error) {
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
