package vsphere

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// renewing is the way of every call of the Web Services API: one that is refused because the session has expired is
// made once more after a new login.
type renewing struct{ c *Client }

func (r renewing) RoundTrip(ctx context.Context, req, res soap.HasFault) error {
	logins := r.c.count()
	err := r.c.bare.RoundTrip(ctx, req, res)
	if r.c.useless.Load() || !expired(res, err) {
		return err
	}
	if err := r.c.login(ctx, logins); err != nil {
		return fmt.Errorf("the session has expired, and logging in again failed: %w", err)
	}
	answer := reflect.ValueOf(res).Elem()
	answer.Set(reflect.Zero(answer.Type())) // it holds the fault
	err = r.c.bare.RoundTrip(ctx, req, res)
	r.c.useless.Store(expired(res, err))
	return err
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

// login opens a session unless somebody has done so since there were that many.
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
		return fmt.Errorf("the session has expired, and logging in again failed: %w", err)
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

// loginREST opens a session unless somebody has replaced the old one.
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

// missing says whether the REST API knows no such thing.
func missing(err error) bool { return rest.IsStatusError(err, http.StatusNotFound) }

// said makes the failures of the REST API readable: it answers with a status, or with JSON that holds sentences.
func said(err error) error {
	if rest.IsStatusError(err, http.StatusForbidden) {
		return fmt.Errorf("%w\nhint: the user of GOVC_USERNAME lacks a privilege for that, see docs/vsphere.md", err)
	}
	if err == nil {
		return nil
	}
	body, refused := strings.CutPrefix(err.Error(), "400 Bad Request: ")
	var answer struct {
		Value struct {
			Messages []rest.LocalizableMessage `json:"messages"`
		} `json:"value"`
	}
	if !refused || json.Unmarshal([]byte(body), &answer) != nil || len(answer.Value.Messages) == 0 {
		return err
	}
	var words []string
	for _, m := range answer.Value.Messages {
		words = append(words, m.DefaultMessage)
	}
	return &TaskError{Words: strings.Join(words, "; ")}
}
