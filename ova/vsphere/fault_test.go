package vsphere

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// TestNothingIsLeft: what fails before the first machine is switched on leaves vCenter as it was, and can be repeated.
func TestNothingIsLeft(t *testing.T) {
	for _, tc := range []struct {
		name, method, message string
		fault                 types.BaseMethodFault
		skip                  int
		want                  string
	}{
		{"a datastore without space", "CloneVM_Task", "Insufficient disk space on datastore 'LocalDS_0'.", &types.NoDiskSpace{}, 2,
			"cloning demo-n3: vCenter says: Insufficient disk space on datastore 'LocalDS_0'.\nhint: the datastore is full"},
		{"a task that fails", "ReconfigVM_Task", "A general system error occurred: vpxd is tired", &types.SystemError{}, 4,
			"cloning demo-n5: vCenter says: A general system error occurred: vpxd is tired"},
		{"no privilege", "CloneVM_Task", "Permission to perform this operation was denied.", &types.NoPermission{}, 0,
			"cloning demo-n1: vCenter says: Permission to perform this operation was denied.\nhint: give the user"},
		{"no rule", "ReconfigureComputeResource_Task", "The rule conflicts.", &types.SystemError{}, 0,
			"writing the rule slipway-demo: vCenter says: The rule conflicts."},
		{"no power", "PowerOnVM_Task", "No host is compatible.", &types.SystemError{}, 0,
			"switching on demo-n1: vCenter says: No host is compatible."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t).withTemplate()
			l.model.Service.AddFaultRule(&simulator.FaultInjectionRule{
				MethodName: tc.method, ObjectType: "*", ObjectName: "*", Probability: 1, Enabled: true, SkipCount: tc.skip, MaxCount: 1,
				FaultType: simulator.FaultTypeCustom, Fault: tc.fault, Message: tc.message,
			})
			_, err := l.deploys(want())
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) || strings.Contains(err.Error(), "taking") || strings.Contains(err.Error(), "secret-of") {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
			if got := l.names(); got != "demo" {
				t.Errorf("left %s", got)
			}
			if tag := l.rests("/com/vmware/cis/tagging/tag"); tag != "" {
				t.Errorf("left the tag %s", tag)
			}
			h, err := l.Observe(t.Context(), want())
			if err != nil || h.Rule != nil {
				t.Errorf("left the rule %+v, %v", h.Rule, err)
			}
			if _, err := l.deploys(want()); err != nil {
				t.Errorf("once more: %v", err)
			}
		})
	}
}

// TestFailureLate: once machines are on they stay, and the next run goes on.
func TestFailureLate(t *testing.T) {
	l := newLab(t).withTemplate()
	w := want()
	h, err := l.Observe(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(w, h)
	if err != nil {
		t.Fatal(err)
	}
	silent := errors.New("it did not report in")
	err = l.Deploy(t.Context(), w, h, p, Hooks{Wait: func(_ context.Context, node string) error {
		if node == "n3" {
			return silent
		}
		return nil
	}})
	if !errors.Is(err, silent) {
		t.Fatalf("got %v", err)
	}
	for _, r := range Status(w, observed(t, l, w)) {
		want := "scrubbed"
		if r.Node == "n3" {
			want = "present"
		}
		if r.Guestinfo != want || r.Power != "on" || !r.Ours || !r.Tagged || len(r.Differs) > 0 {
			t.Errorf("%+v", r)
		}
	}
	p, err = l.deploys(w)
	if err != nil || strings.Contains(p.String(), string(Clone)) || strings.Contains(p.String(), string(PowerOn)) {
		t.Errorf("%v\n%s", err, p)
	}
	if p, err = l.deploys(w); err != nil || p.Changes() {
		t.Errorf("%v\n%s", err, p)
	}
}

func observed(t *testing.T, l *lab, w Cluster) World {
	t.Helper()
	h, err := l.Observe(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestTaskFails: not the call but the task, because somebody took the name meanwhile.
func TestTaskFails(t *testing.T) {
	l := newLab(t).withTemplate()
	w := want()
	h := observed(t, l, w)
	p, err := NewPlan(w, h)
	if err != nil {
		t.Fatal(err)
	}
	l.stranger("demo-n4")
	err = l.Deploy(t.Context(), w, h, p.WithoutWaiting(), Hooks{})
	if err == nil || !strings.HasPrefix(err.Error(), "cloning demo-n4: vCenter says: ") || !strings.Contains(err.Error(), "DuplicateName") {
		t.Errorf("got %v", err)
	}
	if got := l.names(); got != "demo demo-n4" {
		t.Errorf("left %s", got)
	}
}

// stranger makes a machine that is not ours.
func (l *lab) stranger(name string) {
	l.t.Helper()
	s, err := l.locate(l.t.Context(), want().Place)
	if err != nil {
		l.t.Fatal(err)
	}
	pool := s.pool.Reference()
	_, err = l.run(l.t.Context(), func(ctx context.Context) (*object.Task, error) {
		return object.NewVirtualMachine(l.vim, l.vm("demo").Self).Clone(ctx, s.folder, name, types.VirtualMachineCloneSpec{
			Location: types.VirtualMachineRelocateSpec{Pool: &pool},
		})
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

// TestNotOurs: a name that is taken stops deploy and destroy before they do anything.
func TestNotOurs(t *testing.T) {
	l := newLab(t).withTemplate()
	l.stranger("demo-n2")
	w := want()
	_, err := l.deploys(w)
	if err == nil || !strings.HasPrefix(err.Error(), `node "n2": there is a machine "demo-n2" already, and it was not made by slipway`) {
		t.Errorf("deploy: %v", err)
	}
	if _, err := NewDestroyPlan(w, observed(t, l, w)); err == nil || !strings.Contains(err.Error(), `"demo-n2"`) {
		t.Errorf("destroy: %v", err)
	}
	if got := l.names(); got != "demo demo-n2" {
		t.Errorf("there are %s", got)
	}
	other := w
	other.ID, other.Nodes = "other", w.Nodes[:1]
	if _, err := l.deploys(other); err != nil {
		t.Fatal(err)
	}
	if _, err = NewPlan(w, observed(t, l, w)); err == nil || !strings.Contains(err.Error(), `"demo-n1" already, and it is node "n1" of cluster "other"`) {
		t.Errorf("another cluster's: %v", err)
	}
}

// TestInterrupted while the third machine is cloned: it and the two before it are removed, no other is begun, neither tag
// nor rule stays, and as nothing is left nothing is said but that it was interrupted. The next run begins anew.
func TestInterrupted(t *testing.T) {
	l := newLab(t).withTemplate()
	w := want()
	h := observed(t, l, w)
	p, err := NewPlan(w, h)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun, removed := 0, 0
	l.meet = func(req soap.HasFault) {
		switch req.(type) {
		case *methods.CloneVM_TaskBody:
			if begun++; begun == 3 {
				cancel()
			}
		case *methods.Destroy_TaskBody:
			removed++
		}
	}
	var told []string
	err = l.Deploy(ctx, w, h, p, Hooks{Did: func(a Action) { told = append(told, a.String()) }})
	if err != context.Canceled {
		t.Errorf("got %v", err)
	}
	if begun != 3 || removed != 3 {
		t.Errorf("%d clones were begun and %d machines removed", begun, removed)
	}
	var what []string // of n3 nothing: it was never done
	for _, a := range told {
		what = append(what, strings.Join(strings.Fields(strings.TrimPrefix(a, "take "))[:2], " "))
	}
	if got := strings.Join(what, ", "); got != "clone demo-n1, tag demo-n1, clone demo-n2, tag demo-n2, back demo-n2, back demo-n2, back demo-n1, back demo-n1" {
		t.Errorf("told %q", told)
	}
	if got := l.names(); got != "demo" {
		t.Errorf("left %s", got)
	}
	if tag := l.rests("/com/vmware/cis/tagging/tag"); tag != "" {
		t.Errorf("left the tag %s", tag)
	}
	if now := observed(t, l, w); now.Rule != nil || len(now.Strays) > 0 {
		t.Errorf("left the rule %+v, strays %+v", now.Rule, now.Strays)
	}
	l.meet = nil
	if again, err := l.deploys(w); err != nil || again.String() != p.String() {
		t.Errorf("the next run: %v\n%s", err, again)
	}
}

// TestTakingBackTakesItsTime: each step has its own, so however many machines there are, all of them go.
func TestTakingBackTakesItsTime(t *testing.T) {
	l := newLab(t).withTemplate()
	const slow = 200 * time.Millisecond
	l.Grace = 4 * slow
	l.fails("PowerOnVM_Task", &types.SystemError{}, "No host is compatible.", 1)
	l.meet = func(req soap.HasFault) {
		if _, ok := req.(*methods.Destroy_TaskBody); ok {
			time.Sleep(slow)
		}
	}
	if _, err := l.deploys(want()); err == nil || err.Error() != "switching on demo-n1: vCenter says: No host is compatible." {
		t.Errorf("got %v", err)
	}
	if got := l.names(); got != "demo" {
		t.Errorf("left %s", got)
	}
}

// TestLeftover: what cannot be taken back is told, also to whom interrupted.
func TestLeftover(t *testing.T) {
	l := newLab(t).withTemplate()
	w := want()
	h := observed(t, l, w)
	p, err := NewPlan(w, h)
	if err != nil {
		t.Fatal(err)
	}
	l.fails("Destroy_Task", &types.SystemError{}, "it is in use", 0)
	ctx, cancel := context.WithCancel(t.Context())
	err = l.Deploy(ctx, w, h, p, Hooks{Did: func(Action) { cancel() }})
	if err == nil || errors.Is(err, context.Canceled) || err.Error() != "interrupted, and taking back what was made: vCenter says: it is in use" {
		t.Errorf("got %v", err)
	}
	l.model.Service.ClearFaultRules()
	if p, err := l.deploys(w); err != nil || !strings.HasPrefix(p.String(), "adjust         demo-n1") {
		t.Errorf("the next run: %v\n%s", err, p)
	}
}

// TestReadBack: what vCenter says it did and did not do is noticed.
func TestReadBack(t *testing.T) {
	l := newLab(t).withTemplate()
	w := want()
	w.Nodes = w.Nodes[:1]
	l.meet = func(req soap.HasFault) {
		if r, ok := req.(*methods.ReconfigVM_TaskBody); ok {
			r.Req.Spec.Firmware, r.Req.Spec.BootOptions = "", nil
		}
	}
	_, err := l.deploys(w)
	if err == nil || err.Error() != "cloning demo-n1: vCenter did not take over what was asked for: the firmware bios instead of efi; Secure Boot false instead of true" {
		t.Errorf("firmware: %v", err)
	}
	if got := l.names(); got != "demo" {
		t.Errorf("left %s", got)
	}
	l.meet = func(req soap.HasFault) {
		if r, ok := req.(*methods.ReconfigVM_TaskBody); ok && len(r.Req.Spec.ExtraConfig) == 3 {
			r.Req.Spec.ExtraConfig = r.Req.Spec.ExtraConfig[2:] // no removal, only our mark
		}
	}
	_, err = l.deploys(w)
	if err == nil || err.Error() != "scrubbing demo-n1: vCenter says that the config is removed, and it is still there" {
		t.Errorf("scrubbing: %v", err)
	}
	l.meet = nil
	p, err := l.deploys(w)
	if err != nil || p.String() != "scrub          demo-n1           guestinfo was set again\n" {
		t.Errorf("the next run: %v\n%s", err, p)
	}
}
