package firstboot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"slipway/firstboot/kube"
	"slipway/roles"
)

// appliedKey annotates an object with the sum of what was applied, so that applying again can be left out.
const appliedKey = "slipway/applied"

func (n *machine) observeObjects(ctx context.Context) (Finding, error) {
	c, err := n.api()
	if err != nil {
		return Finding{}, err
	}
	for _, o := range n.out.Objects {
		applied, err := isApplied(ctx, c, o)
		if err != nil {
			return Finding{}, err
		}
		if !applied {
			return Need(o.Path + " to be applied"), nil
		}
	}
	return OK(), nil
}

func isApplied(ctx context.Context, c *kube.Client, o roles.Object) (bool, error) {
	var have object
	err := c.Get(ctx, o.Path, &have)
	if kube.NotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading %s: %w", o.Path, err)
	}
	return have.Metadata.Annotations[appliedKey] == sum(o.Content), nil
}

func (n *machine) actObjects(ctx context.Context) error {
	c, err := n.api()
	if err != nil {
		return err
	}
	for _, o := range n.out.Objects {
		body, err := annotated(o.Content)
		if err == nil {
			err = c.Apply(ctx, o.Path, body)
		}
		if err != nil {
			return fmt.Errorf("applying %s: %w", o.Path, err)
		}
	}
	return nil
}

// annotated adds the sum of an object to the object.
func annotated(content []byte) ([]byte, error) {
	var tree map[string]any
	if err := json.Unmarshal(content, &tree); err != nil {
		return nil, err
	}
	metadata, _ := tree["metadata"].(map[string]any)
	if metadata == nil {
		return nil, errors.New("it has no metadata")
	}
	annotations, _ := metadata["annotations"].(map[string]any)
	if annotations == nil {
		annotations = map[string]any{}
	}
	annotations[appliedKey] = sum(content)
	metadata["annotations"] = annotations
	return json.Marshal(tree)
}

// observeCluster is done when every deployment that slipwayd applies is available: cluster DNS above all.
func (n *machine) observeCluster(ctx context.Context) (Finding, error) {
	c, err := n.api()
	if err != nil {
		return Finding{}, err
	}
	for _, o := range n.out.Objects {
		if !strings.Contains(o.Path, "/deployments/") {
			continue
		}
		var have object
		if err := c.Get(ctx, o.Path, &have); err != nil {
			return Finding{}, fmt.Errorf("reading %s: %w", o.Path, err)
		}
		if found := have.available(path.Base(o.Path)); !found.done {
			return found, nil
		}
	}
	return OK(), nil
}

// available judges a deployment. The condition alone says too much: with one replica that may be unavailable it is true
// from the start.
func (o object) available(name string) Finding {
	goal := "deployment " + name + " to be available"
	if c := o.condition("Available"); c.Status != "True" {
		return Wait(because(goal, c))
	}
	if o.Status.AvailableReplicas < 1 {
		return Wait(goal)
	}
	return OK()
}
