package firstboot

import (
	"context"
	"errors"
	"fmt"

	"slipway/firstboot/kube"
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

// unwell is a program that runs and is not ready. systemd starts what ends again, so there is nothing to do but wait.
func unwell(who string, err error) Finding {
	if status, ok := errors.AsType[*kube.StatusError](err); ok {
		return Wait(who + " to be ready: " + status.Message)
	}
	return Wait(fmt.Sprintf("%s to answer: %v", who, err))
}
