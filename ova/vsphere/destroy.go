package vsphere

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"
)

// NewDestroyPlan decides what to remove: the machines in the folder that were made for the cluster, also for nodes that
// are no longer in the spec, and the rule; or only those of the nodes named. A machine with a node's name that is not
// ours refuses everything, and so does one of ours that was renamed or moved.
func NewDestroyPlan(want Cluster, have World, only ...string) (Plan, error) {
	var p Plan
	var errs []error
	chosen := func(node string) bool { return len(only) == 0 || slices.Contains(only, node) }
	for _, n := range want.Nodes {
		if !chosen(n.Name) {
			continue
		}
		if m, there := have.Machines[n.VM]; there && !m.isOurs(want.ID, n.Name) {
			errs = append(errs, notOurs(n, m))
		}
	}
	errs = append(errs, have.undeletable(want.ID, chosen)...)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if have.Rule != nil && len(only) == 0 {
		p = append(p, Action{Unspread, ruleName(want.ID), "", -1})
	}
	for _, name := range have.copies(want.ID) {
		if node := have.Machines[name].Extra[markNode]; chosen(node) {
			p = append(p, Action{Leave, name, "somebody made it of the machine of node " + node, -1})
		}
	}
	for _, name := range have.of(want.ID) {
		m := have.Machines[name]
		if !chosen(m.Extra[markNode]) {
			continue
		}
		if m.On {
			p = append(p, Action{PowerOff, name, "", -1})
		}
		p = append(p, Action{Delete, name, "node " + m.Extra[markNode], -1})
	}
	return p, nil
}

// undeletable says of which machines not all that would go with them was made by us, or that are somewhere else.
func (h World) undeletable(cluster string, chosen func(node string) bool) []error {
	var errs []error
	for _, m := range h.Strays {
		if chosen(m.Extra[markNode]) {
			errs = append(errs, h.stray(cluster, m.Extra[markNode]))
		}
	}
	for _, name := range h.renamedOnes(cluster) {
		if m := h.Machines[name]; chosen(m.Extra[markNode]) {
			errs = append(errs, h.otherName(cluster, m.Extra[markMachine]))
		}
	}
	for _, name := range h.of(cluster) {
		if m := h.Machines[name]; chosen(m.Extra[markNode]) {
			errs = append(errs, m.deletable())
		}
	}
	return errs
}

// deletable refuses a machine with which more would go than it was given.
func (m Machine) deletable() error {
	if len(m.Attached) == 0 {
		return nil
	}
	return fmt.Errorf("machine %q: disks that deploy did not give it would be deleted with it: %s\nhint: drain the node if they are its volumes, or remove them from the machine in vCenter without deleting their files", m.Name, strings.Join(m.Attached, ", "))
}

// of lists the machines that were made for a cluster's nodes, sorted. What somebody cloned from one of them has its marks,
// and another name.
func (h World) of(cluster string) []string {
	var names []string
	for name, m := range h.Machines {
		if m.Extra[markCluster] == cluster && m.Extra[markNode] != "" && m.Extra[markMachine] == name && !m.Template {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// renamedOnes lists the machines of a cluster that have another name than deploy gave them, sorted.
func (h World) renamedOnes(cluster string) []string {
	var names []string
	for name, m := range h.Machines {
		if h.renamed(cluster, m.Extra[markMachine]) == name {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// copies lists what carries the marks of a machine that is there besides, sorted.
func (h World) copies(cluster string) []string {
	var names []string
	for name, m := range h.Machines {
		_, original := h.Machines[m.Extra[markMachine]]
		if m.Extra[markCluster] == cluster && m.Extra[markNode] != "" && m.Extra[markMachine] != name && original {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Destroy carries out p, which NewDestroyPlan made of want and have. did may be nil.
func (c *Client) Destroy(ctx context.Context, want Cluster, have World, p Plan, did func(Action)) error {
	for _, a := range p {
		if err := c.undeploy(ctx, want, have, a); err != nil {
			return fmt.Errorf("%s %s: %w", doing[a.Do], a.On, err)
		}
		if did != nil {
			did(a)
		}
	}
	return c.dropTag(ctx, want.ID)
}

func (c *Client) undeploy(ctx context.Context, want Cluster, have World, a Action) error {
	m := have.Machines[a.On]
	switch a.Do {
	case Leave:
		return nil
	case Unspread:
		return c.dropRule(ctx, have.site, have.Rule)
	case PowerOff:
		return c.powerOff(ctx, m.ref)
	case Delete:
		if m.Tagged {
			if err := c.detachTag(ctx, want.ID, m.ref); err != nil {
				return err
			}
		}
		return c.remove(ctx, m.ref)
	}
	return fmt.Errorf("%q is no part of it", a.Do)
}

// powerOff cuts the power. A machine that went off by itself meanwhile is fine.
func (c *Client) powerOff(ctx context.Context, ref types.ManagedObjectReference) error {
	_, err := c.run(ctx, object.NewVirtualMachine(c.vim, ref).PowerOff)
	var failed *TaskError
	if errors.As(err, &failed) {
		if _, off := failed.Fault.(*types.InvalidPowerState); off {
			return nil
		}
	}
	return err
}
