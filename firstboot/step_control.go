package firstboot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"slipway/firstboot/kube"
	"slipway/roles"
)

// observeAPIServer is done when the own API server says that it is ready, etcd behind it included.
func (n *machine) observeAPIServer(ctx context.Context) (Finding, error) {
	found, err := n.lookAt(ctx, "kube-apiserver.service")
	if err != nil || !found.done {
		return found, err
	}
	c, err := n.api()
	if err != nil {
		return Finding{}, err
	}
	if _, err := c.Text(ctx, "/readyz"); err != nil {
		return unwell("the API server", err), nil
	}
	return OK(), nil
}

// unwell is a program that runs and is not ready. systemd starts what ends again, so there is nothing to do but wait.
func unwell(who string, err error) Finding {
	if status, ok := errors.AsType[*kube.StatusError](err); ok {
		return Wait(who + " to be ready: " + status.Message)
	}
	return Wait(fmt.Sprintf("%s to answer: %v", who, err))
}

// controllers are the units that work through the API, with their health ports on the loopback.
var controllers = []struct {
	unit string
	port int
}{
	{"kube-controller-manager.service", 10257},
	{"kube-scheduler.service", 10259},
}

func (n *machine) observeControllers(ctx context.Context) (Finding, error) {
	for _, c := range controllers {
		found, err := n.lookAt(ctx, c.unit)
		if err != nil || !found.done {
			return found, err
		}
		client, err := n.client(Identity{}, c.port)
		if err != nil {
			return Finding{}, err
		}
		if _, err := client.Text(ctx, "/healthz"); err != nil {
			return unwell(c.unit, err), nil
		}
	}
	return OK(), nil
}

func (n *machine) actControllers(ctx context.Context) error {
	for _, c := range controllers {
		if err := n.startUnit(c.unit)(ctx); err != nil {
			return err
		}
	}
	return nil
}

// appliedKey annotates an object with the sum of what was applied, so that applying again can be left out.
const appliedKey = "slipway/applied"

// meta is any object, as far as it matters here.
type meta struct {
	Metadata kube.Metadata `json:"metadata"`
	Status   struct {
		Conditions        []kube.Condition `json:"conditions"`
		AvailableReplicas int              `json:"availableReplicas"`
		NodeInfo          struct {
			BootID string `json:"bootID"`
		} `json:"nodeInfo"`
	} `json:"status"`
}

// condition finds a condition by its type; the zero value means unknown.
func (m meta) condition(kind string) kube.Condition {
	for _, c := range m.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return kube.Condition{}
}

func (n *machine) observeObjects(ctx context.Context) (Finding, error) {
	c, err := n.api()
	if err != nil {
		return Finding{}, err
	}
	for _, o := range n.out.Objects {
		var have meta
		err := c.Get(ctx, o.Path, &have)
		if kube.NotFound(err) || err == nil && have.Metadata.Annotations[appliedKey] != sum(o.Content) {
			return Need(o.Path + " to be applied"), nil
		}
		if err != nil {
			return Finding{}, fmt.Errorf("reading %s: %w", o.Path, err)
		}
	}
	return OK(), nil
}

func (n *machine) actObjects(ctx context.Context) error {
	c, err := n.api()
	if err != nil {
		return err
	}
	for _, o := range n.out.Objects {
		body, err := annotated(o)
		if err != nil {
			return err
		}
		if err := c.Apply(ctx, o.Path, body); err != nil {
			return fmt.Errorf("applying %s: %w", o.Path, err)
		}
	}
	return nil
}

// annotated adds the sum to the object.
func annotated(o roles.Object) ([]byte, error) {
	var object map[string]any
	if err := json.Unmarshal(o.Content, &object); err != nil {
		return nil, fmt.Errorf("parsing object %s: %w", o.Path, err)
	}
	metadata, ok := object["metadata"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("parsing object %s: it has no metadata", o.Path)
	}
	annotations, ok := metadata["annotations"].(map[string]any)
	if !ok {
		annotations = map[string]any{}
		metadata["annotations"] = annotations
	}
	annotations[appliedKey] = sum(o.Content)
	return json.Marshal(object)
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
		var have meta
		if err := c.Get(ctx, o.Path, &have); err != nil {
			return Finding{}, fmt.Errorf("reading %s: %w", o.Path, err)
		}
		goal := "deployment " + o.Path[strings.LastIndex(o.Path, "/")+1:] + " to be available"
		if available := have.condition("Available"); available.Status != "True" {
			return Wait(because(goal, available)), nil
		}
		// The condition alone says too much: with one replica that may be unavailable it is true from the start.
		if have.Status.AvailableReplicas < 1 {
			return Wait(goal), nil
		}
	}
	return OK(), nil
}

// because adds a condition's own words.
func because(what string, c kube.Condition) string {
	if c.Message == "" {
		return what
	}
	return what + ": " + c.Message
}
