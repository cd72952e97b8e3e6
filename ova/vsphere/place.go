package vsphere

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"
)

// site is a Place that was found.
type site struct {
	finder    *find.Finder
	cluster   *object.ClusterComputeResource
	pool      *object.ResourcePool
	folder    *object.Folder
	datastore *object.Datastore
	chosen    []types.ManagedObjectReference // hosts, by name, where vCenter does not choose one itself; see hosts
}

// locate finds the place.
func (c *Client) locate(ctx context.Context, p Place) (*site, error) {
	s := &site{finder: find.NewFinder(c.vim)}
	dc, err := s.finder.DatacenterOrDefault(ctx, p.Datacenter)
	if err != nil {
		return nil, unfound("datacenter", p.Datacenter, err)
	}
	s.finder.SetDatacenter(dc)
	if s.cluster, err = s.finder.ClusterComputeResourceOrDefault(ctx, p.Cluster); err != nil {
		return nil, unfound("cluster", p.Cluster, err)
	}
	if s.pool, err = s.finder.ResourcePool(ctx, path.Join(s.cluster.InventoryPath, "Resources", p.Pool)); err != nil {
		return nil, unfound("pool", p.Pool, err)
	}
	if s.folder, err = s.finder.Folder(ctx, path.Join(dc.InventoryPath, "vm", p.Folder)); err != nil {
		return nil, unfound("folder", p.Folder, err)
	}
	if s.datastore, err = s.finder.DatastoreOrDefault(ctx, p.Datastore); err != nil {
		return nil, unfound("datastore", p.Datastore, err)
	}
	return s, nil
}

// unfound says what to write into the spec.
func unfound(what, name string, err error) error {
	var many *find.DefaultMultipleFoundError
	switch {
	case errors.As(err, &many):
		return fmt.Errorf("choosing the %s: there is more than one\nhint: name it under vsphere.%s of the spec", what, what)
	case name == "":
		return fmt.Errorf("choosing the %s: %w", what, err)
	}
	return fmt.Errorf("finding the %s %q: %w", what, name, err)
}

// network is a port group that was found: how a card is connected to it, and a text that tells it from others.
type network struct {
	ref     types.ManagedObjectReference
	backing types.BaseVirtualDeviceBackingInfo
	key     string
}

// networks finds the port groups of all nodes, by the name that the node says.
func (s *site) networks(ctx context.Context, nodes []Node) (map[string]network, error) {
	all := map[string]network{}
	for _, n := range nodes {
		if _, known := all[n.Network]; known {
			continue
		}
		found, err := s.finder.NetworkOrDefault(ctx, n.Network)
		if err != nil {
			return nil, unfound("network", n.Network, err)
		}
		backing, err := found.EthernetCardBackingInfo(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading the network %q: %w", n.Network, err)
		}
		if standard, ok := backing.(*types.VirtualEthernetCardNetworkBackingInfo); ok {
			standard.DeviceName = plainName.Replace(standard.DeviceName)
		}
		all[n.Network] = network{found.Reference(), backing, backingKey(backing)}
	}
	return all, nil
}

// plainName undoes how vCenter's inventory writes names; hosts have the plain ones.
var plainName = strings.NewReplacer("%2f", "/", "%2F", "/", "%5c", "\\", "%5C", "\\", "%25", "%")

// backingKey names the port group that a card is connected to.
func backingKey(b types.BaseVirtualDeviceBackingInfo) string {
	switch b := b.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		return "network " + plainName.Replace(b.DeviceName)
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		return "port group " + b.Port.PortgroupKey
	case *types.VirtualEthernetCardOpaqueNetworkBackingInfo:
		return "opaque network " + b.OpaqueNetworkId
	}
	return ""
}
