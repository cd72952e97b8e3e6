package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"time"
)

const leasesPath = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"

// microTime is how a Lease writes its times (metav1.MicroTime: six digits, always).
const microTime = "2006-01-02T15:04:05.000000Z07:00"

// lease is a Lease of coordination.k8s.io/v1.
type lease struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Metadata   Metadata  `json:"metadata"`
	Spec       leaseSpec `json:"spec"`
}

type leaseSpec struct {
	HolderIdentity       string `json:"holderIdentity"`
	LeaseDurationSeconds int    `json:"leaseDurationSeconds"`
	AcquireTime          string `json:"acquireTime,omitempty"`
	RenewTime            string `json:"renewTime,omitempty"`
	LeaseTransitions     int    `json:"leaseTransitions"`
}

// Claim is one node's claim to a Lease in kube-system. It is for one goroutine.
type Claim struct {
	Name     string        // of the Lease
	Node     string        // who claims it
	Duration time.Duration // without a sign of life after which the holder is taken for gone

	seen  leaseSpec // the holder's last sign of life,
	since time.Time // and when it was first seen: clocks of other machines are never compared
}

// Hold renews the claim, or takes the Lease if nobody has it or the holder is gone, and says who holds it now. Whoever hears its
// own name is the only one for as long as Duration.
func (c *Client) Hold(ctx context.Context, claim *Claim, now time.Time) (holder string, err error) {
	var have lease
	err = c.Get(ctx, path.Join(leasesPath, claim.Name), &have)
	if err != nil && !NotFound(err) {
		return "", fmt.Errorf("reading lease %q: %w", claim.Name, err)
	}
	if err == nil && !claim.open(have.Spec, now) {
		return have.Spec.HolderIdentity, nil
	}
	have.APIVersion, have.Kind, have.Metadata.Name = "coordination.k8s.io/v1", "Lease", claim.Name
	have.Spec = claim.renewed(have.Spec, now)
	if err == nil {
		err = c.Put(ctx, path.Join(leasesPath, claim.Name), have)
	} else {
		err = c.post(ctx, leasesPath, have)
	}
	if status, ok := errors.AsType[*StatusError](err); ok && status.Code == http.StatusConflict {
		return "another node", nil // it was quicker; who it is is known when it is read the next time
	}
	if err != nil {
		return "", fmt.Errorf("renewing lease %q: %w", claim.Name, err)
	}
	return claim.Node, nil
}

// open says whether this node may write itself into the Lease.
func (c *Claim) open(have leaseSpec, now time.Time) bool {
	if have.HolderIdentity == c.Node || have.HolderIdentity == "" {
		return true
	}
	if have != c.seen {
		c.seen, c.since = have, now
	}
	return now.Sub(c.since) >= c.Duration
}

func (c *Claim) renewed(have leaseSpec, now time.Time) leaseSpec {
	at := now.UTC().Format(microTime)
	if have.HolderIdentity != c.Node {
		have.AcquireTime = at
		have.LeaseTransitions++
	}
	have.HolderIdentity, have.RenewTime, have.LeaseDurationSeconds = c.Node, at, int(c.Duration.Seconds())
	return have
}

// post creates an object; one that is there already is a conflict (409).
func (c *Client) post(ctx context.Context, path string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding object: %w", err)
	}
	return c.exchange(ctx, http.MethodPost, path, "application/json", body, nil)
}
