package vsphere

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// Sessions end by themselves when nobody uses them for a while. There are two, one at each API of vCenter's; a call that
// is refused because its session has ended is made once more after a new login. Several calls may find that at once: one
// logs in, and the others see by the count of logins, or by the session's id, that it is done.

// renewing is the way of every call of the Web Services API.
type renewing struct{ c *Client }

func (r renewing) RoundTrip(ctx context.Context, req, res soap.HasFault) error {
	logins := r.c.count()
	err := r.c.bare.RoundTrip(ctx, req, res)
	if r.c.refusedAnew.Load() || !expired(res, err) {
		return err
	}
	if err := r.c.login(ctx, logins); err != nil {
		return notRenewed(err)
	}
	forget(res)
	err = r.c.bare.RoundTrip(ctx, req, res)
	r.c.refusedAnew.Store(expired(res, err))
	return err
}

// forget empties an answer, for the next one is read into it and a fault would stay.
func forget(res soap.HasFault) {
	answer := reflect.ValueOf(res).Elem()
	answer.Set(reflect.Zero(answer.Type()))
}

func notRenewed(err error) error {
	return fmt.Errorf("the session has expired, and logging in again failed: %w", err)
}

// expired says whether an answer is that of a session that has ended. Properties are not refused then, but missing.
func expired(res soap.HasFault, err error) bool {
	if err != nil {
		return fault.Is(err, &types.NotAuthenticated{})
	}
	var objects []types.ObjectContent
	switch body := res.(type) {
	case *methods.RetrievePropertiesBody:
		objects = body.Res.Returnval
	case *methods.RetrievePropertiesExBody:
		if body.Res.Returnval != nil {
			objects = body.Res.Returnval.Objects
		}
	}
	return slices.ContainsFunc(objects, func(o types.ObjectContent) bool {
		return slices.ContainsFunc(o.MissingSet, func(m types.MissingProperty) bool {
			_, ended := m.Fault.Fault.(*types.NotAuthenticated)
			return ended
		})
	})
}

func (c *Client) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logins
}

// login opens a session of the Web Services API unless somebody has done so since there were that many.
func (c *Client) login(ctx context.Context, logins int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.logins != logins {
		return nil
	}
	if c.refused != nil {
		return c.refused
	}
	if err := session.NewManager(c.bare).Login(ctx, c.user); err != nil {
		if fault.Is(err, &types.InvalidLogin{}) {
			c.refused = err
		}
		return err
	}
	c.logins++
	return nil
}

// ask makes a call of the REST API, once more if the session has expired.
func (c *Client) ask(ctx context.Context, call func() error) error {
	id := c.rest.SessionID()
	err := call()
	if !rest.IsStatusError(err, http.StatusUnauthorized) {
		return said(err)
	}
	if err := c.loginREST(ctx, id); err != nil {
		return notRenewed(err)
	}
	return said(call())
}

// create is ask for a call that makes something. It is not interrupted: what it made would have no name then, and could
// not be taken back.
func (c *Client) create(ctx context.Context, call func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	return c.ask(ctx, func() error { return call(ctx) })
}

// loginREST opens a session of the REST API unless somebody has replaced the old one.
func (c *Client) loginREST(ctx context.Context, old string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rest.SessionID() != old {
		return nil
	}
	if c.refused != nil {
		return c.refused
	}
	c.rest.SessionID("") // a login that names an ended session may be refused for that
	err := c.rest.Login(ctx, c.user)
	if rest.IsStatusError(err, http.StatusUnauthorized) {
		c.refused = err
	}
	return err
}
