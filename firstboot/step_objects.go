package firstboot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"slipway/firstboot/kube"
	"slipway/roles"
)

// What objects are annotated with: the sum of what was applied, so that applying again can be left out, and by which rendering
// it was made.
const (
	appliedKey   = "slipway/applied"
	renderingKey = "slipway/rendering"
)

// objectsLease is who applies the objects: one control plane, as long as it lives. Were each to apply its own, those of two
// versions would undo each other's all through an upgrade.
const (
	objectsLease  = "slipway-objects"
	leaseDuration = time.Minute
)

func (n *machine) observeObjects(ctx context.Context) (Finding, error) {
	c, err := n.api()
	if err != nil {
		return Finding{}, err
	}
	holder, err := c.Hold(ctx, &n.claim, n.Clock.Now())
	if err != nil {
		return Finding{}, err
	}
	if holder == n.self.Name {
		stale, err := n.staleObjects(ctx, c)
		if err != nil || len(stale) == 0 {
			return OK(), err
		}
		return Need(stale[0].Path + " to be applied"), nil
	}
	for _, o := range n.out.Objects {
		var have object
		err := c.Get(ctx, o.Path, &have)
		if kube.NotFound(err) {
			return Wait(holder + " to apply " + o.Path), nil
		}
		if err != nil {
			return Finding{}, fmt.Errorf("reading %s: %w", o.Path, err)
		}
	}
	return OK(), nil
}

// staleObjects are those that are missing, or that an older rendering made, or another of the same age.
func (n *machine) staleObjects(ctx context.Context, c *kube.Client) ([]roles.Object, error) {
	var stale []roles.Object
	for _, o := range n.out.Objects {
		var have object
		err := c.Get(ctx, o.Path, &have)
		if err != nil && !kube.NotFound(err) {
			return nil, fmt.Errorf("reading %s: %w", o.Path, err)
		}
		notes := have.Metadata.Annotations
		if err != nil || notes[appliedKey] != sum(o.Content) && !newer(notes[renderingKey], n.rendering()) {
			stale = append(stale, o)
		}
	}
	return stale, nil
}

// rendering is what this node's objects are made by, each part of it a number that grows: the templates', then what they run.
func (n *machine) rendering() string {
	return fmt.Sprintf("%d %s %s", roles.Rendering, n.cfg.Versions.Kubernetes, n.cfg.Versions.CoreDNS)
}

// newer says whether a rendering is newer than the own one. One that cannot be read is not.
func newer(have, own string) bool {
	h, o := strings.Fields(have), strings.Fields(own)
	if len(h) != len(o) {
		return false
	}
	theirs, err := strconv.Atoi(h[0])
	if err != nil {
		return false
	}
	if ours, err := strconv.Atoi(o[0]); err != nil || theirs != ours {
		return theirs > ours
	}
	for i := 1; i < len(h); i++ {
		if order := semver.Compare(h[i], o[i]); order != 0 {
			return order > 0
		}
	}
	return false
}

func (n *machine) actObjects(ctx context.Context) error {
	c, err := n.api()
	if err != nil {
		return err
	}
	stale, err := n.staleObjects(ctx, c)
	if err != nil {
		return err
	}
	for _, o := range stale {
		body, err := annotated(o.Content, n.rendering())
		if err == nil {
			err = c.Apply(ctx, o.Path, body)
		}
		if err != nil {
			return fmt.Errorf("applying %s: %w", o.Path, err)
		}
	}
	return nil
}

// annotated adds to an object its sum, and what made it.
func annotated(content []byte, rendering string) ([]byte, error) {
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
	annotations[appliedKey], annotations[renderingKey] = sum(content), rendering
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
			return n.orNetwork(ctx, c, found)
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
