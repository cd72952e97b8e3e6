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
	Machines map[string]Machine // of the folder, by name, templates among them
	Networks map[string]string  // name as a Node says it -> key, as in Machine
	Rule     *Rule              // that keeps nodes apart; nil if there is none
	DRS      bool               // rules are obeyed
	Free     int64              // bytes of the datastore
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

// Observe looks at everything that w is about, and changes nothing.
func (c *Client) Observe(ctx context.Context, w Cluster) (World, error) {
	s, err := c.locate(ctx, w.Place)
	if err != nil {
		return World{}, err
	}
	h := World{site: s, Networks: map[string]string{}}
	if h.networks, err = s.networks(ctx, w.Nodes); err != nil {
		return World{}, err
	}
	for name, n := range h.networks {
		h.Networks[name] = n.key
	}
	if err := c.readMachines(ctx, &h, w.ID); err != nil {
		return World{}, err
	}
	if err := c.readRule(ctx, &h, w.ID); err != nil {
		return World{}, err
	}
	if h.Hosts, err = c.hosts(ctx, s, h.networks); err != nil {
		return World{}, err
	}
	var d mo.Datastore
	if err := s.datastore.Properties(ctx, s.datastore.Reference(), []string{"summary"}, &d); err != nil {
		return World{}, fmt.Errorf("reading the datastore: %w", err)
	}
	h.Free = d.Summary.FreeSpace
	return h, nil
}

// readMachines reads the folder, and what carries the cluster's tag elsewhere.
func (c *Client) readMachines(ctx context.Context, h *World, cluster string) error {
	tagged, err := c.tagged(ctx, cluster)
	if err != nil {
		return err
	}
	if h.Machines, err = c.folder(ctx, h.site); err != nil {
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
		if m.Extra[markCluster] == cluster && m.Extra[markNode] != "" && !m.Template {
			h.Strays = append(h.Strays, m)
		}
	}
	return err
}

// folder reads every machine of the folder.
func (c *Client) folder(ctx context.Context, s *site) (map[string]Machine, error) {
	children, err := s.folder.Children(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the folder %q: %w", s.folder.InventoryPath, err)
	}
	var refs []types.ManagedObjectReference
	for _, child := range children {
		if child.Reference().Type == "VirtualMachine" {
			refs = append(refs, child.Reference())
		}
	}
	machines, err := c.machines(ctx, refs)
	if err != nil {
		return nil, err
	}
	all := map[string]Machine{}
	for _, m := range machines {
		all[m.Name] = m
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
