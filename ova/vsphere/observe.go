package vsphere

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// World is what was found where a cluster is to live.
type World struct {
	Machines map[string]Machine // of the folder, by name: the cluster's, the template, and others that have a name of theirs
	Networks map[string]string  // name as a Node says it -> key, as in Machine
	Rule     *Rule              // that keeps nodes apart; nil if there is none
	DRS      bool               // rules are obeyed
	Free     int64              // bytes of the datastore
	Absent   []error            // of the place: networks, datastore, pool
	Strays   []Machine          // that carry the cluster's mark and tag, in other folders
	Hosts    []string           // that can take machines; only looked for without DRS, when vCenter does not choose one

	site     *site
	networks map[string]network
}

// Rule is an anti-affinity rule of ours.
type Rule struct {
	VMs []types.ManagedObjectReference
	key int32
}

// Observe looks at everything that w is about, and changes nothing. What only new machines need and is not there, is in
// Absent: machines that are there already can be told of and deleted all the same.
func (c *Client) Observe(ctx context.Context, w Cluster) (World, error) {
	s, err := c.locate(ctx, w.Place)
	if err != nil {
		return World{}, err
	}
	h := World{site: s, Networks: map[string]string{}, Absent: s.absent}
	if h.networks, err = c.networks(ctx, s, w.Nodes); err != nil {
		h.Absent = append(h.Absent, err)
	}
	for name, n := range h.networks {
		h.Networks[name] = n.key
	}
	if err := c.readMachines(ctx, &h, w); err != nil {
		return World{}, err
	}
	if err := c.readRule(ctx, &h, w.ID); err != nil {
		return World{}, err
	}
	if len(h.Absent) > 0 {
		return h, ctx.Err()
	}
	if h.Hosts, err = c.hosts(ctx, s, h.networks); err != nil {
		return World{}, err
	}
	var d mo.Datastore
	if err := s.datastore.Properties(ctx, s.datastore.Reference(), []string{"summary.freeSpace"}, &d); err != nil {
		return World{}, fmt.Errorf("reading the datastore: %w", err)
	}
	h.Free = d.Summary.FreeSpace
	return h, nil
}

// readMachines reads the folder, and what carries the cluster's tag elsewhere.
func (c *Client) readMachines(ctx context.Context, h *World, w Cluster) error {
	tagged, err := c.tagged(ctx, w.ID)
	if err != nil {
		return err
	}
	if h.Machines, err = c.folder(ctx, h.site, w.ID, w.concerns); err != nil {
		return err
	}
	for name, m := range h.Machines {
		m.Tagged = tagged[m.ref]
		h.Machines[name] = m
		delete(tagged, m.ref)
	}
	maps.DeleteFunc(tagged, func(r types.ManagedObjectReference, _ bool) bool { return r.Type != "VirtualMachine" })
	elsewhere, err := c.machines(ctx, slices.SortedFunc(maps.Keys(tagged), func(a, b types.ManagedObjectReference) int { return cmp.Compare(a.Value, b.Value) }))
	for _, m := range elsewhere {
		if m.Extra[markCluster] == w.ID && m.Extra[markNode] != "" && !m.Template {
			h.Strays = append(h.Strays, m)
		}
	}
	return err
}

// concerns says whether what has the name must be looked at, whosever it is.
func (w Cluster) concerns(name string) bool {
	return name == w.Template || slices.ContainsFunc(w.Nodes, func(n Node) bool { return n.VM == name })
}

// folder reads the machines of the folder that carry a cluster's mark, or any cluster's if it is "", and those whose
// names matter. Of others no more is asked than name and mark, and of strangers whose names matter what tells them apart.
func (c *Client) folder(ctx context.Context, s *site, cluster string, matters func(name string) bool) (map[string]Machine, error) {
	path := fmt.Sprintf("config.extraConfig[%q]", markCluster)
	spec := types.PropertySpec{Type: "VirtualMachine", PathSet: []string{"name", path}}
	found, err := c.retrieve(ctx, s.folder.Reference(), "childEntity", spec)
	if err != nil {
		return nil, fmt.Errorf("reading the folder %q: %w", s.folder.InventoryPath, err)
	}
	var ours, strangers []types.ManagedObjectReference
	for _, o := range found {
		var name, mark string
		for _, p := range o.PropSet {
			switch v := p.Val.(type) {
			case string:
				name = v
			case types.OptionValue:
				mark, _ = v.Value.(string)
			}
		}
		switch {
		case mark != "" && (cluster == "" || mark == cluster || matters(name)):
			ours = append(ours, o.Obj)
		case matters(name):
			strangers = append(strangers, o.Obj)
		}
	}
	all := map[string]Machine{}
	for _, of := range []struct {
		refs       []types.ManagedObjectReference
		properties []string
	}{{ours, machineProperties}, {strangers, strangerProperties}} {
		machines, err := c.read(ctx, of.refs, of.properties)
		if err != nil {
			return nil, err
		}
		for _, m := range machines {
			all[m.Name] = m
		}
	}
	return all, nil
}

// ruleName is the name of the cluster's anti-affinity rule. vCenter takes 80 characters.
func ruleName(cluster string) string { return "slipway-" + cluster }

func (c *Client) readRule(ctx context.Context, h *World, cluster string) error {
	cfg, err := h.site.cluster.Configuration(ctx)
	if err != nil {
		return fmt.Errorf("reading the cluster %q: %w", h.site.cluster.Name(), err)
	}
	h.DRS = isTrue(cfg.DrsConfig.Enabled)
	for _, r := range cfg.Rule {
		if rule, ok := r.(*types.ClusterAntiAffinityRuleSpec); ok && rule.Name == ruleName(cluster) {
			h.Rule = &Rule{VMs: rule.Vm, key: rule.Key}
		}
	}
	return nil
}
