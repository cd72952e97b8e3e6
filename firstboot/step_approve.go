package firstboot

import (
	"context"
	"errors"
	"sync"
	"time"

	"slipway/firstboot/kube"
)

// observeApprove is done when no request waits that ought to be approved.
func (n *machine) observeApprove(ctx context.Context) (Finding, error) {
	_, good, _, err := n.requests(ctx)
	if err != nil || len(good) == 0 {
		return OK(), err
	}
	return Need("certificate request " + good[0].Metadata.Name + " to be approved"), nil
}

func (n *machine) actApprove(ctx context.Context) error {
	c, good, _, err := n.requests(ctx)
	if err != nil {
		return err
	}
	for _, csr := range good {
		if err := n.approve(ctx, c, csr); err != nil {
			return err
		}
	}
	return nil
}

// requests lists what is to be approved, and the version from which to watch.
func (n *machine) requests(ctx context.Context) (*kube.Client, []kube.CSR, string, error) {
	c, err := n.api()
	if err != nil {
		return nil, nil, "", err
	}
	all, version, err := c.ListCSRs(ctx)
	if err != nil {
		return nil, nil, "", err
	}
	var good []kube.CSR
	for _, csr := range all {
		if n.approvable(csr) {
			good = append(good, csr)
		}
	}
	return c, good, version, nil
}

// approvable says whether a request waits and the inventory vouches for it. Others are left to people, and logged once.
func (n *machine) approvable(csr kube.CSR) bool {
	if !csr.Pending() {
		return false
	}
	err := kube.Decide(csr, n.cfg.Nodes)
	if err != nil && n.refused.add(csr.Metadata.UID) {
		n.log("leaving certificate request %q of %q alone: %v", csr.Metadata.Name, csr.Spec.Username, err)
	}
	return err == nil
}

func (n *machine) approve(ctx context.Context, c *kube.Client, csr kube.CSR) error {
	err := c.Approve(ctx, csr, "requestor and names match the inventory", n.Clock.Now())
	var status *kube.StatusError
	if errors.As(err, &status) && status.Code == 409 { // another control plane was quicker
		return nil
	}
	if err == nil {
		n.log("approved certificate request %q of %q", csr.Metadata.Name, csr.Spec.Username)
	}
	return err
}

// watchRequests approves requests the moment they come, until the context ends. It lists again whenever a watch ends;
// the step looks every ten seconds beside it, so nothing hangs on this watch.
func (n *machine) watchRequests(ctx context.Context) {
	for ctx.Err() == nil {
		if c, good, version, err := n.requests(ctx); err == nil {
			for _, csr := range good {
				err = errors.Join(err, n.approve(ctx, c, csr))
			}
			if err == nil {
				err = c.WatchCSRs(ctx, version, func(csr kube.CSR) error {
					if !n.approvable(csr) {
						return nil
					}
					return n.approve(ctx, c, csr)
				})
			}
			if err != nil && ctx.Err() == nil {
				n.log("%v", err)
			}
		}
		n.Clock.Sleep(ctx, 2*time.Second)
	}
}

// onceSet remembers names; several goroutines may use it.
type onceSet struct {
	mu   sync.Mutex
	seen map[string]bool
}

// add says whether the name is new.
func (s *onceSet) add(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	fresh := !s.seen[name]
	s.seen[name] = true
	return fresh
}
