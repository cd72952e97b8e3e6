package firstboot

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"slipway/node"
)

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
	if err := n.dropLeases(ctx); err != nil {
		return err
	}
	for _, image := range n.images() {
		if err := n.dropImage(ctx, image); err != nil {
			return fmt.Errorf("removing image %s: %w", image, err)
		}
	}
	if err := n.importImages(ctx); err != nil {
		return err
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

// dropLeases ends the leases that an attempt before this one left: they keep content for a day. --sync collects at once
// what nothing leads to any more.
func (n *machine) dropLeases(ctx context.Context) error {
	out, err := n.ctr(ctx, "leases", "ls", "--quiet")
	if err != nil {
		return fmt.Errorf("listing leases: %w", err)
	}
	leases := strings.Fields(out)
	if len(leases) == 0 {
		return nil
	}
	if _, err := n.ctr(ctx, append([]string{"leases", "rm", "--sync"}, leases...)...); err != nil {
		return fmt.Errorf("removing leases: %w", err)
	}
	return nil
}

var digestPattern = regexp.MustCompile("sha256:[0-9a-f]{64}")

// dropImage forgets an image under every name that leads to it.
func (n *machine) dropImage(ctx context.Context, image string) error {
	row, err := n.ctr(ctx, "images", "ls", "name=="+image)
	if err != nil {
		return err
	}
	digest := digestPattern.FindString(row)
	if digest == "" {
		return nil
	}
	names, err := n.ctr(ctx, "images", "ls", "--quiet", "target.digest=="+digest)
	if err != nil {
		return err
	}
	_, err = n.ctr(ctx, append([]string{"images", "rm", "--sync"}, strings.Fields(names)...)...)
	return err
}

func (n *machine) importImages(ctx context.Context) error {
	archives, err := n.FS.Glob(node.ImagesDir + "/*.tar")
	if err != nil {
		return fmt.Errorf("looking for images in %s: %w", node.ImagesDir, err)
	}
	for _, archive := range archives {
		if _, err := n.ctr(ctx, "images", "import", archive); err != nil {
			return fmt.Errorf("importing %s: %w", archive, err)
		}
	}
	return nil
}
