package vsphere

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"slipway/ova"
)

// launch deploys the first n nodes and does not wait for them.
func (l *lab) launch(n int) Cluster {
	l.t.Helper()
	w := want()
	w.Nodes = w.Nodes[:n]
	h := observed(l.t, l, w)
	p, err := NewPlan(w, h)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.Deploy(l.t.Context(), w, h, p.WithoutWaiting(), Hooks{}); err != nil {
		l.t.Fatal(err)
	}
	return w
}

// changes records what machines are told to become, but for marks and what is removed.
func (l *lab) changes() *[]string {
	var seen []string
	l.meet = func(req soap.HasFault) {
		r, ok := req.(*methods.ReconfigVM_TaskBody)
		if !ok {
			return
		}
		if r.Req.Spec.MemoryMB != 0 || len(r.Req.Spec.DeviceChange) > 0 || r.Req.Spec.Firmware != "" {
			seen = append(seen, "hardware")
		}
		for _, o := range r.Req.Spec.ExtraConfig {
			if v := o.GetOptionValue(); v.Value != "" && !strings.HasPrefix(v.Key, "slipway.") {
				seen = append(seen, v.Key)
			}
		}
	}
	return &seen
}

// TestStartedIsNeverChanged: whoever switched a machine on and off again, it gets neither another size nor a config.
func TestStartedIsNeverChanged(t *testing.T) {
	for name, history := range map[string]func(l *lab, ref types.ManagedObjectReference) error{
		"started by us":    func(*lab, types.ManagedObjectReference) error { return nil },
		"killed before it": func(l *lab, ref types.ManagedObjectReference) error { return l.powerOff(l.t.Context(), ref) },
		"emptied by Ignition, the mark lost": func(l *lab, ref types.ManagedObjectReference) error {
			return l.reconfigure(l.t.Context(), ref, types.VirtualMachineConfigSpec{ExtraConfig: options(markStarted, "", ova.KeyData, "e30K", ova.KeyEncoding, "base64")})
		},
		"started by others, and seen": func(l *lab, ref types.ManagedObjectReference) error {
			if err := l.mark(l.t.Context(), ref, ""); err != nil {
				return err
			}
			w := want()
			w.Nodes = w.Nodes[:1]
			h := observed(l.t, l, w)
			p, err := NewPlan(w, h)
			if err != nil || !strings.HasPrefix(p.String(), "mark           demo-n1           somebody else has started it\n") {
				l.t.Errorf("%v\n%s", err, p)
			}
			return errors.Join(err, l.Deploy(l.t.Context(), w, h, p.WithoutWaiting(), Hooks{}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t).withTemplate()
			w := l.launch(1)
			ref := l.vm("demo-n1").Self
			if err := errors.Join(history(l, ref), l.powerOff(t.Context(), ref)); err != nil {
				t.Fatal(err)
			}
			w.Nodes[0].MemoryMiB, w.Nodes[0].Guestinfo = 16384, Guestinfo{"another-secret", "gzip+base64", Digest([]byte("new"))}
			if s := Status(w, observed(t, l, w)); strings.Join(s[0].Differs, "; ") != "8192 MiB of memory instead of 16384; its config was rendered anew" {
				t.Errorf("status: %+v", s[0])
			}
			seen := l.changes()
			p, err := l.deploys(w)
			if err != nil || strings.Contains(p.String(), string(Adjust)) || !strings.Contains(p.String(), "power on       demo-n1\n") || len(*seen) > 0 {
				t.Errorf("sent %q, %v\n%s", *seen, err, p)
			}
			if m := newMachine(l.vm("demo-n1").VirtualMachine); !m.On || m.MemoryMiB != 8192 || m.hasConfig() || !m.scrubbed() {
				t.Errorf("%+v", m)
			}
		})
	}
}

// TestStartedMeanwhile: a machine that somebody starts after the plan was made is not changed either.
func TestStartedMeanwhile(t *testing.T) {
	l := newLab(t).withTemplate()
	w := l.launch(1)
	ref := l.vm("demo-n1").Self
	if err := errors.Join(l.powerOff(t.Context(), ref), l.mark(t.Context(), ref, "")); err != nil {
		t.Fatal(err)
	}
	w.Nodes[0].MemoryMiB = 16384
	h := observed(t, l, w)
	p, err := NewPlan(w, h)
	if err != nil || !strings.HasPrefix(p.String(), "adjust         demo-n1") {
		t.Fatalf("%v\n%s", err, p)
	}
	if err := l.mark(t.Context(), ref, "true"); err != nil {
		t.Fatal(err)
	}
	seen := l.changes()
	err = l.Deploy(t.Context(), w, h, p.WithoutWaiting(), Hooks{})
	if err == nil || err.Error() != "adjusting demo-n1: it was started meanwhile, so it is left as it is" || len(*seen) > 0 {
		t.Errorf("sent %q, %v", *seen, err)
	}
}

// TestMarkedBeforePowerOn: there is no moment in which a machine runs, or may run, and does not say so; one that vCenter
// refused to start does not count as started.
func TestMarkedBeforePowerOn(t *testing.T) {
	l := newLab(t).withTemplate()
	marked, down := false, false
	l.meet = func(req soap.HasFault) {
		if _, on := req.(*methods.PowerOnVM_TaskBody); on {
			marked = newMachine(l.vm("demo-n1").VirtualMachine).Extra[markStarted] != ""
		}
	}
	l.launch(1)
	if !marked {
		t.Error("not marked when it was switched on")
	}
	if err := errors.Join(l.powerOff(t.Context(), l.vm("demo-n1").Self), l.mark(t.Context(), l.vm("demo-n1").Self, "")); err != nil {
		t.Fatal(err)
	}
	w := want()
	w.Nodes = w.Nodes[:1]
	l.fails("PowerOnVM_Task", &types.SystemError{}, "No host is compatible.", 1)
	if _, err := l.deploys(w); err == nil || newMachine(l.vm("demo-n1").VirtualMachine).started() {
		t.Errorf("refused: %v", err)
	}
	// Nobody hears how the task ends: the machine may run by now, so it stays and counts as started.
	w = want()
	w.Nodes = w.Nodes[1:2]
	l.meet, l.lose = nil, func(req soap.HasFault) error {
		_, on := req.(*methods.PowerOnVM_TaskBody)
		_, look := req.(*methods.RetrievePropertiesExBody)
		if down = down || on; down && look {
			return errors.New("connection reset by peer")
		}
		return nil
	}
	_, err := l.deploys(w)
	l.lose = nil
	if err == nil || slices.Contains(l.calls, "Destroy_Task") || newMachine(l.vm("demo-n2").VirtualMachine).Extra[markStarted] == "" {
		t.Errorf("unheard of: %v, there are %s", err, l.names())
	}
}

// TestReplace: one node's machine is another one afterwards, with the spec's size and a config of its own; the others
// are as they were.
func TestReplace(t *testing.T) {
	l := newLab(t).withTemplate()
	w := want()
	if _, err := l.deploys(w); err != nil {
		t.Fatal(err)
	}
	before := map[string]types.ManagedObjectReference{}
	for _, n := range w.Nodes {
		before[n.VM] = l.vm(n.VM).Self
	}
	w.Nodes[1].MemoryMiB = 16384
	h := observed(t, l, w)
	p, err := NewPlan(w, h, "n2")
	if err != nil {
		t.Fatal(err)
	}
	given := ""
	err = l.Deploy(t.Context(), w, h, p, Hooks{Wait: func(_ context.Context, node string) error {
		given += node + " has " + newMachine(l.vm("demo-" + node).VirtualMachine).Extra[ova.KeyData]
		return nil
	}})
	if err != nil || given != "n2 has secret-of-n2" {
		t.Errorf("%q, %v\n%s", given, err, p)
	}
	h = observed(t, l, w)
	for _, n := range w.Nodes {
		if m := h.Machines[n.VM]; (m.ref == before[n.VM]) != (n.Name != "n2") || !m.On || !m.scrubbed() || len(w.differences(n, m, h)) > 0 {
			t.Errorf("%+v", m)
		}
	}
	if h.Rule == nil || len(h.Rule.VMs) != 3 || !slices.Contains(h.Rule.VMs, h.Machines["demo-n2"].ref) {
		t.Errorf("rule %+v", h.Rule)
	}
	if _, err := NewPlan(w, h, "n9"); err == nil || err.Error() != `replacing "n9": there is no such node` {
		t.Errorf("%v", err)
	}
}
