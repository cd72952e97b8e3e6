package vsphere

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// hosts finds, by name, the hosts of the cluster that can take machines on the datastore and all of the networks. A pool
// of a cluster without DRS is refused as a place unless a host is named with it; with DRS nothing is looked for.
func (c *Client) hosts(ctx context.Context, s *site, nets map[string]network) ([]string, error) {
	cfg, err := s.cluster.Configuration(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster %q: %w", s.cluster.Name(), err)
	}
	if isTrue(cfg.DrsConfig.Enabled) {
		return nil, nil
	}
	var cluster mo.ClusterComputeResource
	var all []mo.HostSystem
	collect := property.DefaultCollector(c.vim)
	if err = collect.RetrieveOne(ctx, s.cluster.Reference(), []string{"host"}, &cluster); err == nil && len(cluster.Host) > 0 {
		err = collect.Retrieve(ctx, cluster.Host, []string{"name", "runtime", "datastore", "network"}, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the hosts of %q: %w", s.cluster.Name(), err)
	}
	slices.SortFunc(all, func(a, b mo.HostSystem) int { return cmp.Compare(a.Name, b.Name) })
	var names []string
	s.chosen = nil
	for _, h := range all {
		if s.takes(h, nets) {
			names, s.chosen = append(names, h.Name), append(s.chosen, h.Self)
		}
	}
	return names, nil
}

// takes says whether a machine can be made on a host.
func (s *site) takes(h mo.HostSystem, nets map[string]network) bool {
	for _, n := range nets {
		if !slices.Contains(h.Network, n.ref) {
			return false
		}
	}
	return h.Runtime.ConnectionState == types.HostSystemConnectionStateConnected && !h.Runtime.InMaintenanceMode &&
		slices.Contains(h.Datastore, s.datastore.Reference())
}

// host is the i-th machine's, in turn; nil if vCenter is to choose.
func (s *site) host(i int) *types.ManagedObjectReference {
	if len(s.chosen) == 0 {
		return nil
	}
	return &s.chosen[i%len(s.chosen)]
}

// hostSystem is host for calls that take an object.
func (c *Client) hostSystem(ref *types.ManagedObjectReference) *object.HostSystem {
	if ref == nil {
		return nil
	}
	return object.NewHostSystem(c.vim, *ref)
}

func noHost() error {
	return fmt.Errorf("choosing a host: DRS is off in this cluster, and no host that is connected and not in maintenance has the datastore and all networks\nhint: name others under vsphere.datastore and vsphere.network, or bring a host back")
}
