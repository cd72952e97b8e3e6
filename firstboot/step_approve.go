package firstboot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/firstboot/kube"
)

// atOnce is how many refused requests are remembered. The rest has its turn when they are looked at again.
const atOnce = 100

// approveAtOnce is how many requests are held to be approved; when they are, the next ones are read. In all rounds together there is time for
// more than there can be nodes.
const (
	approveAtOnce = 1000
	approveRounds = 10
)

// observeApprove is done when no request waits that ought to be approved. Approved ones stay for an hour, thousands of them after many
// nodes have come at once, so that they are listed only when there may be something to do.
func (n *machine) observeApprove(ctx context.Context) (Finding, error) {
	at, due := n.requested.due(n.roster.Version())
	if !due {
		return OK(), nil
	}
	_, good, _, err := n.requests(ctx)
	if err != nil {
		return Finding{}, err
	}
	if len(good) == 0 {
		n.requested.settle(at)
		return OK(), nil
	}
	return Need("certificate request " + good[0].Metadata.Name + " to be approved"), nil
}

func (n *machine) actApprove(ctx context.Context) error {
	_, _, err := n.approveWaiting(ctx)
	return err
}

// approveWaiting approves all that ought to be, and gives the version from which to watch, if it could read to the end.
func (n *machine) approveWaiting(ctx context.Context) (c *kube.Client, version string, err error) {
	for range approveRounds {
		var good []kube.CSR
		c, good, version, err = n.requests(ctx)
		if err == nil {
			err = n.approveAll(ctx, c, good)
		}
		if err != nil || len(good) < approveAtOnce {
			break
		}
	}
	return c, version, err
}

// requests lists what is to be approved, and the version from which to watch. What is refused goes onto the board.
func (n *machine) requests(ctx context.Context) (*kube.Client, []kube.CSR, string, error) {
	c, err := n.api()
	if err != nil {
		return nil, nil, "", err
	}
	var good []kube.CSR
	refused, before := map[string]refusal{}, n.refused.servers()
	version, err := c.EachCSR(ctx, func(csr kube.CSR, err error) {
		switch why := n.vouch(csr, err); {
		case why != nil && len(refused) < room(why):
			refused[csr.Metadata.UID] = refusal{csr.Metadata.Name, why}
		case why == nil && csr.Pending() && len(good) < approveAtOnce:
			good = append(good, csr)
		}
	})
	if err != nil {
		return nil, nil, "", err
	}
	n.refused.replace(refused, before, n.tellRefusal)
	n.noteRefusals()
	return c, good, version, nil
}

// vouch says why a request that waits must not be approved. Such requests are left to people.
func (n *machine) vouch(csr kube.CSR, unread error) error {
	if unread != nil {
		return unread
	}
	if !csr.Pending() {
		return nil
	}
	if why := n.refused.byServer(csr.Metadata.UID); why != nil {
		return why
	}
	if err := kube.Decide(csr, n.roster.Lookup); err != nil {
		return fmt.Errorf("asked for by %q: %w", csr.Spec.Username, err)
	}
	return nil
}

// approveAll tries every request, whatever becomes of the others.
func (n *machine) approveAll(ctx context.Context, c *kube.Client, all []kube.CSR) error {
	return together(all, func(csr kube.CSR) error { return n.approve(ctx, c, csr) })
}

func (n *machine) approve(ctx context.Context, c *kube.Client, csr kube.CSR) error {
	err := c.Approve(ctx, csr, "requestor and names match the inventory", n.Clock.Now())
	if status, ok := errors.AsType[*kube.StatusError](err); ok {
		switch status.Code {
		case 404, 409: // it is gone, or another control plane was quicker
			return nil
		case 400, 413, 422: // the server does not take this one: it would not take it the next time either
			n.refuse(csr, serverRefusal{err})
			return nil
		}
	}
	if err == nil {
		n.log("approved certificate request %q of %q", csr.Metadata.Name, csr.Spec.Username)
	}
	return err
}

func (n *machine) refuse(csr kube.CSR, why error) {
	n.refused.add(csr.Metadata.UID, refusal{csr.Metadata.Name, why}, n.tellRefusal)
	n.noteRefusals()
}

func (n *machine) tellRefusal(r refusal) {
	n.log("leaving certificate request %q alone: %v", r.name, r.why)
}

func (n *machine) noteRefusals() { n.notices.Replace("certificate request", n.refused.texts()) }

// watchRequests approves requests the moment they come, until the context ends. It lists again whenever a watch ends, which the server
// does after some minutes. Until it stands again, and whenever an approval has failed, the step lists every ten seconds beside it.
func (n *machine) watchRequests(ctx context.Context) {
	for ctx.Err() == nil {
		pause := 2 * time.Second
		if c, version, err := n.approveWaiting(ctx); version != "" {
			n.requested.stands(true)
			crew := newCrew()
			err = errors.Join(err, c.WatchCSRs(ctx, version, func(csr kube.CSR, err error) { n.watched(ctx, c, crew, csr, err) }, n.withdrawn))
			crew.wait.Wait()
			n.requested.stands(false)
			if err == nil { // the server ended it: requests may wait
				pause = 200 * time.Millisecond
			} else if ctx.Err() == nil {
				n.log("%v", err)
			}
		}
		n.Clock.Sleep(ctx, pause)
	}
}

// watched deals with one request; what goes wrong with it is told, and the watch goes on: the server ends one that is slow.
func (n *machine) watched(ctx context.Context, c *kube.Client, crew *crew, csr kube.CSR, unread error) {
	if why := n.vouch(csr, unread); why != nil {
		n.refuse(csr, why)
		return
	}
	if !csr.Pending() {
		n.withdrawn(csr.Metadata.UID)
		return
	}
	crew.do(func() {
		if err := n.approve(ctx, c, csr); err != nil {
			n.log("%v", err)
			n.requested.changed()
		}
	})
}

// withdrawn is a request that nobody has to decide any more.
func (n *machine) withdrawn(uid string) {
	n.refused.remove(uid)
	n.noteRefusals()
}
