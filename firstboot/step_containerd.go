package firstboot

import (
	"context"
	"fmt"
)

const (
	containerdUnit   = "containerd.service"
	containerdConfig = "/etc/containerd/config.toml"
	containerdSum    = runDir + "/containerd.sum" // of the config with which it was started
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

// actContainerd notes the sum of the config that containerd surely was started with: of before the restart.
func (n *machine) actContainerd(ctx context.Context) error {
	started, err := n.containerdSum()
	if err != nil {
		return err
	}
	if err := n.change(ctx, "restart", containerdUnit); err != nil {
		return err
	}
	return n.write(containerdSum, started, 0o644)
}

func (n *machine) containerdSum() ([]byte, error) {
	config, err := n.FS.ReadFile(containerdConfig)
	if err != nil {
		return nil, fmt.Errorf("reading containerd's config: %w", err)
	}
	return []byte(sum(config) + "\n"), nil
}
