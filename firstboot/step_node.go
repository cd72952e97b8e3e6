package firstboot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"slipway/firstboot/kube"
)

const (
	kubeletServing = "/var/lib/kubelet/pki/kubelet-server-current.pem"
	bootIDPath     = "/proc/sys/kernel/random/boot_id"
)

// observeKubelet does not let a kubelet start that would take another machine's place under its name.
func (n *machine) observeKubelet(ctx context.Context) (Finding, error) {
	found, err := n.lookAt(ctx, "kubelet.service")
	if err != nil || !found.act {
		return found, err
	}
	if by := n.refusedBy(); by != "" {
		return Wait("this node's entry to be taken, which " + by + " refuses"), nil
	}
	if who := n.alone(ctx, "kubelet"); who != "" {
		return Wait(who), nil
	}
	return found, nil
}

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

// observeNodeReady is done when the kubelet of this boot says that it is ready and can be talked to.
func (n *machine) observeNodeReady(ctx context.Context) (Finding, error) {
	self, err := n.nodeObject(ctx)
	if kube.NotFound(err) {
		return Wait("the node to be registered"), nil
	}
	if err != nil {
		return Finding{}, err
	}
	current, err := n.isOfThisBoot(self)
	if err != nil {
		return Finding{}, err
	}
	if !current {
		return Wait("the kubelet to report this boot"), nil
	}
	if self.lacksNetwork() {
		return Wait(n.aNetwork(n.self.Name)), nil
	}
	if ready := self.condition("Ready"); ready.Status != "True" {
		return Wait(because("the node to be ready", ready)), nil
	}
	end, err := firstEnd(n.FS, kubeletServing)
	if errors.Is(err, fs.ErrNotExist) || err == nil && n.Clock.Now().After(end) {
		return Wait("the kubelet's serving certificate to be approved"), nil
	}
	return OK(), err
}

func (n *machine) nodeObject(ctx context.Context) (object, error) {
	var self object
	c, err := n.api()
	if err != nil {
		return self, err
	}
	if err := c.Get(ctx, nodesPath+"/"+n.self.Name, &self); err != nil {
		return self, fmt.Errorf("reading node %q: %w", n.self.Name, err)
	}
	return self, nil
}

// isOfThisBoot says whether the kubelet has written the node's object since the machine started: before that it tells of
// the time before a reset. A kernel without boot ids leaves it at that.
func (n *machine) isOfThisBoot(self object) (bool, error) {
	boot, err := n.FS.ReadFile(bootIDPath)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading boot id: %w", err)
	}
	return self.Status.NodeInfo.BootID == strings.TrimSpace(string(boot)), nil
}
