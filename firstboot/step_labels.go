package firstboot

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"slipway/firstboot/kube"
	"slipway/node"
)

// roleLabel begins the labels by which people and schedulers know what a node is for. A kubelet may not give them to
// itself, so control planes do.
const roleLabel = "node-role.kubernetes.io/"

const nodesPath = "/api/v1/nodes"

// inventoryLabels are the labels of a node of the inventory: its roles, with empty values as is the custom, and its own.
func inventoryLabels(n node.Node) map[string]string {
	labels := maps.Clone(n.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	for _, role := range n.Roles {
		labels[roleLabel+string(role)] = ""
	}
	return labels
}

// wantedNode is what the inventory wants of a Node.
type wantedNode struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Metadata   kube.Metadata `json:"metadata"`
	Spec       nodeSpec      `json:"spec,omitzero"`
}

// nodeSpec is where a Node's pods are. The API server lets nobody change it once it is set.
type nodeSpec struct {
	PodCIDR  string   `json:"podCIDR,omitempty"`
	PodCIDRs []string `json:"podCIDRs,omitempty"`
}

// observeLabels is done when this node, if it runs a kubelet, and every other one that has registered wears its roles, and says where
// its pods are. Those still to come are found later. No node has to be ready for it: flannel, or whatever else the user brings as a pod
// network, makes nodes ready once it knows where their pods are.
func (n *machine) observeLabels(ctx context.Context) (Finding, error) {
	at, due := n.registered.due(n.roster.Version())
	if !due {
		return OK(), nil
	}
	bare, self, err := n.bareNodes(ctx)
	switch {
	case err != nil:
		return Finding{}, err
	case len(bare) > 0:
		return Need("node " + bare[0].Metadata.Name + " to be labelled with its roles"), nil
	case n.self.Has(node.Worker) && !self:
		return Wait("the node to be registered"), nil
	}
	n.registered.settle(at)
	return OK(), nil
}

// watchNodes spares the step its list of all nodes, tens of megabytes with thousands of them, until the context ends: it tells of nodes
// that lack something, and of those that are gone. What is wrong with the API server is the step's to say, which lists meanwhile.
func (n *machine) watchNodes(ctx context.Context) {
	for ctx.Err() == nil {
		if c, err := n.api(); err == nil {
			n.registered.stands(true)
			_ = c.Watch(ctx, nodesPath, nil, "", n.nodeChanged)
			n.registered.stands(false)
		}
		n.Clock.Sleep(ctx, 2*time.Second)
	}
}

func (n *machine) nodeChanged(kind string, data []byte) {
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		return // the step passes it over as well
	}
	member, known := n.roster.Lookup(o.Metadata.Name)
	if !known {
		return
	}
	if _, lacking := lacks(o, member); lacking || kind == kube.Deleted || strays(o, member) {
		n.registered.changed()
	}
}

// actLabels names the object's uid, so that a node deleted meanwhile is not made anew.
func (n *machine) actLabels(ctx context.Context) error {
	bare, _, err := n.bareNodes(ctx)
	if err != nil {
		return err
	}
	c, err := n.api()
	if err != nil {
		return err
	}
	return together(bare, func(m wantedNode) error {
		name := m.Metadata.Name
		body, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("encoding labels of node %q: %w", name, err)
		}
		if err := c.Apply(ctx, nodesPath+"/"+name, body); err != nil {
			return fmt.Errorf("labelling node %q: %w", name, err)
		}
		return nil
	})
}

// bareNodes are the registered nodes that lack something of the inventory's, with all that they should have of it; self says whether
// this node has registered.
func (n *machine) bareNodes(ctx context.Context) (bare []wantedNode, self bool, err error) {
	c, err := n.api()
	if err != nil {
		return nil, false, err
	}
	elsewhere := map[string]string{}
	_, err = c.Each(ctx, nodesPath, nil, func(item []byte) {
		var o object
		if err := json.Unmarshal(item, &o); err != nil {
			n.log("passing over a node: %v", err)
			return
		}
		member, known := n.roster.Lookup(o.Metadata.Name)
		if !known {
			return
		}
		self = self || member.Name == n.self.Name
		if lacking, ok := lacks(o, member); ok {
			bare = append(bare, lacking)
		}
		if strays(o, member) {
			elsewhere[member.Name] = fmt.Sprintf("its pods are %s in the cluster, and %q in the inventory\nhint: delete the object of this node, and restart it", o.Spec.PodCIDR, podsOf(member))
		}
	})
	if err != nil {
		return nil, false, fmt.Errorf("listing nodes: %w", err)
	}
	n.notices.Replace("pods", elsewhere)
	return bare, self, nil
}

// strays says whether a node's pods are elsewhere than the inventory has them.
func strays(have object, member node.Node) bool {
	return have.Spec.PodCIDR != "" && have.Spec.PodCIDR != podsOf(member)
}

// podsOf is a node's pod network as its object has it.
func podsOf(n node.Node) string {
	if !n.PodCIDR.IsValid() {
		return ""
	}
	return n.PodCIDR.String()
}

// lacks gives what a node of the inventory must have, if its object lacks some of it.
func lacks(have object, member node.Node) (wantedNode, bool) {
	want := wantedNode{APIVersion: "v1", Kind: "Node", Metadata: kube.Metadata{Name: member.Name, UID: have.Metadata.UID, Labels: inventoryLabels(member)}}
	pods := cmp.Or(have.Spec.PodCIDR, podsOf(member))
	if pods != "" {
		want.Spec = nodeSpec{PodCIDR: pods, PodCIDRs: []string{pods}}
	}
	if pods != have.Spec.PodCIDR {
		return want, true
	}
	for key := range want.Metadata.Labels {
		if _, has := have.Metadata.Labels[key]; !has {
			return want, true
		}
	}
	return wantedNode{}, false
}
