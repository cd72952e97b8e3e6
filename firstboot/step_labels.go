package firstboot

import (
	"context"
	"encoding/json"
	"fmt"

	"slipway/firstboot/kube"
	"slipway/node"
)

// roleLabel begins the labels by which people and schedulers know what a node is for. A kubelet may not give them to
// itself, so control planes do.
const roleLabel = "node-role.kubernetes.io/"

const nodesPath = "/api/v1/nodes"

// roleLabels are the labels of a node of the inventory, with empty values as is the custom.
func roleLabels(n node.Node) map[string]string {
	labels := map[string]string{}
	for _, role := range n.Roles {
		labels[roleLabel+string(role)] = ""
	}
	return labels
}

// observeLabels is done when every node that has registered wears its roles. Those still to come are found later.
func (n *machine) observeLabels(ctx context.Context) (Finding, error) {
	bare, err := n.bareNodes(ctx)
	if err != nil || len(bare) == 0 {
		return OK(), err
	}
	return Need("node " + bare[0].Name + " to be labelled with its roles"), nil
}

// actLabels names the object's uid, so that a node deleted meanwhile is not made anew.
func (n *machine) actLabels(ctx context.Context) error {
	bare, err := n.bareNodes(ctx)
	if err != nil {
		return err
	}
	c, err := n.api()
	if err != nil {
		return err
	}
	for _, m := range bare {
		body, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Node", "metadata": m})
		if err != nil {
			return fmt.Errorf("encoding labels of node %q: %w", m.Name, err)
		}
		if err := c.Apply(ctx, nodesPath+"/"+m.Name, body); err != nil {
			return fmt.Errorf("labelling node %q: %w", m.Name, err)
		}
	}
	return nil
}

// bareNodes are the registered nodes that lack a label of theirs: name, uid, and all the labels that they should have.
func (n *machine) bareNodes(ctx context.Context) ([]kube.Metadata, error) {
	c, err := n.api()
	if err != nil {
		return nil, err
	}
	var bare []kube.Metadata
	_, err = c.Each(ctx, nodesPath, nil, func(item []byte) {
		var o object
		if err := json.Unmarshal(item, &o); err != nil {
			n.log("passing over a node: %v", err)
			return
		}
		if lacking, ok := n.lacksRoles(o.Metadata); ok {
			bare = append(bare, lacking)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	return bare, nil
}

// lacksRoles gives what a node of the inventory must have, if its object lacks some of it.
func (n *machine) lacksRoles(have kube.Metadata) (kube.Metadata, bool) {
	member, known := n.cfg.Lookup(have.Name)
	if !known {
		return kube.Metadata{}, false
	}
	want := roleLabels(member)
	for key := range want {
		if _, has := have.Labels[key]; !has {
			return kube.Metadata{Name: have.Name, UID: have.UID, Labels: want}, true
		}
	}
	return kube.Metadata{}, false
}
