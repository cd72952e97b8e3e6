package firstboot

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"slipway/firstboot/kube"
	"slipway/node"
)

// lacksNetwork says whether a node is not ready because the container runtime has no configuration for a pod network, by the reason
// that the runtime gives (CRI, RuntimeCondition NetworkReady).
func (o object) lacksNetwork() bool {
	ready := o.condition("Ready")
	return ready.Status != "True" && strings.Contains(ready.Message, "NetworkPluginNotReady")
}

// aNetwork is what such nodes wait for, by name.
func (n *machine) aNetwork(names ...string) string {
	const most = 5
	slices.Sort(names)
	if more := len(names) - most; more > 0 {
		names = append(names[:most:most], fmt.Sprintf("%d more", more))
	}
	text := "a pod network on " + strings.Join(names, ", ")
	if n.cfg.Network.CNI == node.CNINone {
		text += ": the spec leaves it to you (cni: none)"
	}
	return text
}

// orNetwork gives the reason that is behind a finding, if it is that there are nodes without a pod network.
func (n *machine) orNetwork(ctx context.Context, c *kube.Client, found Finding) (Finding, error) {
	var names []string
	_, err := c.Each(ctx, nodesPath, nil, func(item []byte) {
		var o object
		if json.Unmarshal(item, &o) == nil && o.lacksNetwork() {
			names = append(names, o.Metadata.Name)
		}
	})
	if err != nil {
		return Finding{}, fmt.Errorf("listing nodes: %w", err)
	}
	if len(names) == 0 {
		return found, nil
	}
	return Wait(n.aNetwork(names...)), nil
}
