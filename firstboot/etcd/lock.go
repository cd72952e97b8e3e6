package etcd

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// lockKey is who is being made a member, and lockTTL how long it stays after the last sign of life. It is longer than what one
// step of a joiner takes, and short enough to wait for.
const (
	lockKey = "slipway/join"
	lockTTL = 60 * time.Second
)

// Holder is who has the lock.
type Holder struct{ Node, Instance string }

func (h Holder) String() string { return h.Node + "/" + h.Instance }

func parseHolder(text string) Holder {
	node, instance, _ := strings.Cut(text, "/")
	return Holder{node, instance}
}

// Lock is one that is held, by its lease.
type Lock struct {
	Holder Holder
	Lease  uint64
}

// rangeAnswer is what a get says.
type rangeAnswer struct {
	Kvs []struct {
		Value []byte
		Lease uint64
	}
}

func (r rangeAnswer) lock() Lock {
	if len(r.Kvs) == 0 {
		return Lock{}
	}
	return Lock{parseHolder(string(r.Kvs[0].Value)), r.Kvs[0].Lease}
}

// Held is the lock as it is held, by anybody or nobody.
func (c Client) Held(ctx context.Context, endpoint string) (Lock, error) {
	var answer rangeAnswer
	err := c.call(ctx, &answer, "", endpoint, "get", lockKey)
	return answer.lock(), err
}

// Take takes the lock, and gives it as it is held then: perhaps by somebody else. Whoever has it already has it again.
func (c Client) Take(ctx context.Context, endpoint string, by Holder) (Lock, error) {
	held, err := c.Held(ctx, endpoint)
	if err == nil && held.Holder == by {
		err = c.Keep(ctx, endpoint, held)
	}
	if err != nil || held.Lease != 0 {
		return held, err
	}
	var lease struct{ ID uint64 }
	if err := c.call(ctx, &lease, "", endpoint, "lease", "grant", fmt.Sprint(int(lockTTL.Seconds()))); err != nil {
		return Lock{}, err
	}
	var answer struct {
		Succeeded bool
		Responses []struct {
			Response struct {
				Range rangeAnswer `json:"response_range"`
			}
		}
	}
	request := fmt.Sprintf("create(%q) = \"0\"\n\nput %s %s --lease=%s\n\nget %s\n\n", lockKey, lockKey, by, Hex(lease.ID), lockKey)
	if err := c.call(ctx, &answer, request, endpoint, "txn"); err != nil {
		return Lock{}, err
	}
	if answer.Succeeded {
		return Lock{by, lease.ID}, nil
	}
	if len(answer.Responses) != 1 {
		return Lock{}, fmt.Errorf("reading what etcdctl txn at %s printed: %d responses", endpoint, len(answer.Responses))
	}
	return answer.Responses[0].Response.Range.lock(), c.Release(ctx, endpoint, Lock{by, lease.ID})
}

// Keep shows that the holder is alive. It fails when the lease has run out.
func (c Client) Keep(ctx context.Context, endpoint string, l Lock) error {
	return c.call(ctx, nil, "", endpoint, "lease", "keep-alive", "--once", Hex(l.Lease))
}

// Release gives the lock to whoever is next.
func (c Client) Release(ctx context.Context, endpoint string, l Lock) error {
	return c.call(ctx, nil, "", endpoint, "lease", "revoke", Hex(l.Lease))
}
