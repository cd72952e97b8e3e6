package vsphere

import (
	"context"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"
)

// spread writes the anti-affinity rule. It is a preference: on fewer hosts than machines they run all the same.
func (d *deployment) spread(ctx context.Context, a Action) error {
	rule := &types.ClusterAntiAffinityRuleSpec{ClusterRuleInfo: types.ClusterRuleInfo{
		Name: ruleName(d.want.ID), Enabled: types.NewBool(true), UserCreated: types.NewBool(true), Mandatory: types.NewBool(false),
	}}
	for _, n := range d.want.Nodes {
		if n.Spread {
			rule.Vm = append(rule.Vm, d.ref(n.VM))
		}
	}
	now := World{site: d.have.site} // vCenter may have changed it when a machine was replaced
	if err := d.readRule(ctx, &now, d.want.ID); err != nil {
		return err
	}
	change := types.ClusterRuleSpec{ArrayUpdateSpec: types.ArrayUpdateSpec{Operation: types.ArrayUpdateOperationAdd}, Info: rule}
	if now.Rule != nil {
		change.Operation, rule.Key = types.ArrayUpdateOperationEdit, now.Rule.key
	}
	if err := d.changeRule(ctx, d.have.site, change); err != nil || now.Rule != nil {
		return err
	}
	d.takesBack(a, func(ctx context.Context) error {
		h := World{site: d.have.site}
		if err := d.readRule(ctx, &h, d.want.ID); err != nil || h.Rule == nil {
			return err
		}
		return d.dropRule(ctx, h.site, h.Rule)
	})
	return nil
}

func (c *Client) dropRule(ctx context.Context, s *site, r *Rule) error {
	return c.changeRule(ctx, s, types.ClusterRuleSpec{
		ArrayUpdateSpec: types.ArrayUpdateSpec{Operation: types.ArrayUpdateOperationRemove, RemoveKey: r.key},
	})
}

func (c *Client) changeRule(ctx context.Context, s *site, change types.ClusterRuleSpec) error {
	_, err := c.run(ctx, func(ctx context.Context) (*object.Task, error) {
		return s.cluster.Reconfigure(ctx, &types.ClusterConfigSpecEx{RulesSpec: []types.ClusterRuleSpec{change}}, true)
	})
	return err
}
