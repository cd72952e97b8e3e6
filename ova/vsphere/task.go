package vsphere

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// TaskError is a task of vCenter's that failed.
type TaskError struct {
	Words string // vCenter's
	Fault types.BaseMethodFault
}

func (e *TaskError) Error() string { return "vCenter says: " + e.Words + e.hint() }

// hint tells what to do about the failures that have one cause.
func (e *TaskError) hint() string {
	switch f := e.Fault.(type) {
	case *types.NoDiskSpace, *types.InsufficientStorageSpace:
		return "\nhint: the datastore is full: make room, or name another one under vsphere.datastore"
	case *types.NoPermission:
		return "\nhint: give the user of GOVC_USERNAME " + lacking(f)
	}
	return ""
}

// lacking names what a user is not allowed, as far as vCenter says it.
func lacking(f *types.NoPermission) string {
	var all []string
	for _, m := range f.MissingPrivileges {
		all = append(all, strings.Join(m.PrivilegeIds, ", ")+" on "+m.Entity.String())
	}
	if len(all) == 0 && f.PrivilegeId != "" && f.Object != nil {
		all = append(all, f.PrivilegeId+" on "+f.Object.String())
	}
	if len(all) == 0 {
		return "this privilege on the object"
	}
	return strings.Join(all, "; ")
}

// run starts a task and waits for its end. When ctx ends it calls the task off and waits all the same: what it made is
// in the result then. For that reason the call that starts it is not interrupted.
func (c *Client) run(ctx context.Context, start func(context.Context) (*object.Task, error)) (*types.TaskInfo, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	task, err := start(context.WithoutCancel(ctx))
	if err != nil {
		return nil, quote(err)
	}
	looking, wait, blind := ctx, min(c.Pause, firstPause), 0
	for ; ; wait = min(2*wait, c.Pause) {
		var t mo.Task
		err := property.DefaultCollector(c.vim).RetrieveOne(looking, task.Reference(), []string{"info"}, &t)
		if blind++; err == nil {
			blind = 0
		}
		if ctx.Err() == nil && (blind == mostBlind || fault.Is(err, &types.NotAuthenticated{})) {
			return nil, leftover{fmt.Errorf("looking at %s: %w\nhint: vCenter goes on with it; what it makes is there at the next run", task.Reference(), err)}
		}
		switch t.Info.State {
		case types.TaskInfoStateSuccess:
			return &t.Info, ctx.Err()
		case types.TaskInfoStateError:
			return &t.Info, errors.Join(ctx.Err(), taskError(t.Info.Error))
		}
		if ctx.Err() == nil {
			if pause(ctx, wait) == nil {
				continue
			}
		}
		if looking == ctx {
			after, cancel := c.afterwards(ctx)
			defer cancel()
			looking = after
			_ = task.Cancel(looking) // one that cannot be called off is waited for
		}
		if err := pause(looking, wait); err != nil {
			return nil, leftover{fmt.Errorf("vCenter does not end %s: what it makes is there at the next run", task.Reference())}
		}
	}
}

// leftover is a failure to take back what was made: people must hear of it, whatever else happened.
type leftover struct{ error }

func (l leftover) Unwrap() error { return l.error }

// interrupted makes of the many errors that the end of ctx causes that end itself, unless something was left.
func interrupted(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	var left leftover
	if errors.As(err, &left) {
		return fmt.Errorf("interrupted, and %w", left)
	}
	return ctx.Err()
}

// mostBlind is how often in a row a task may be looked at in vain: the network may be away for some seconds.
const mostBlind = 20

// firstPause is before the second look at a task. Small tasks are done by then.
const firstPause = 10 * time.Millisecond

// quote makes a TaskError of a fault by which a call was refused.
func quote(err error) error {
	if !soap.IsSoapFault(err) {
		return err
	}
	f := soap.ToSoapFault(err)
	var method types.BaseMethodFault
	if v := reflect.ValueOf(f.VimFault()); v.IsValid() { // a struct, whose pointer is the fault
		p := reflect.New(v.Type())
		p.Elem().Set(v)
		method, _ = p.Interface().(types.BaseMethodFault)
	}
	return taskError(&types.LocalizedMethodFault{Fault: method, LocalizedMessage: f.String})
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// taskError quotes vCenter: its message, and the details below it.
func taskError(f *types.LocalizedMethodFault) error {
	if f == nil {
		return &TaskError{Words: "the task failed, without a reason"}
	}
	said := []string{f.LocalizedMessage}
	if f.LocalizedMessage == "" {
		said[0] = strings.TrimPrefix(fmt.Sprintf("%T", f.Fault), "*types.")
	}
	if f.Fault != nil {
		if m := f.Fault.GetMethodFault(); m != nil {
			for _, detail := range m.FaultMessage {
				said = append(said, detail.Message)
			}
			if m.FaultCause != nil {
				said = append(said, m.FaultCause.LocalizedMessage)
			}
		}
	}
	return &TaskError{Words: strings.Join(said, "; "), Fault: f.Fault}
}
