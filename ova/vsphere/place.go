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
	path      string // of the datacenter
	folders   *object.DatacenterFolders
	cluster   *object.ClusterComputeResource
	folder    *object.Folder
	pool      *object.ResourcePool           // nil if it is not there
	datastore *object.Datastore              // nil if it is not there
	absent    []error                        // why pool and datastore are not there: only what makes machines needs them
	chosen    []types.ManagedObjectReference // hosts, by name, where vCenter does not choose one itself; see hosts
}

// locate finds the place. It fails where not even the cluster's machines can be looked for.
func (c *Client) locate(ctx context.Context, p Place) (*site, error) {
	s := &site{}
	dc, err := c.pick(ctx, "datacenter", p.Datacenter, "/", c.vim.ServiceContent.RootFolder, "Datacenter")
	if err != nil {
		return nil, err
	}
	s.path = dc.path
	datacenter := object.NewDatacenter(c.vim, dc.ref)
	if s.folders, err = datacenter.Folders(ctx); err != nil {
		return nil, fmt.Errorf("reading the datacenter %q: %w", s.path, err)
	}
	cluster, err := c.pick(ctx, "cluster", p.Cluster, s.path+"/host/", s.folders.HostFolder.Reference(), "ClusterComputeResource")
	if err != nil {
		return nil, err
	}
	s.cluster = object.NewClusterComputeResource(c.vim, cluster.ref)
	s.cluster.InventoryPath = cluster.path
	finder := find.NewFinder(c.vim, false).SetDatacenter(datacenter)
	if s.folder, err = finder.Folder(ctx, path.Join(s.path, "vm", p.Folder)); err != nil {
		return nil, fmt.Errorf("finding the folder %q: %w", p.Folder, err)
	}
	if s.pool, err = finder.ResourcePool(ctx, path.Join(s.cluster.InventoryPath, "Resources", p.Pool)); err != nil {
		s.absent = append(s.absent, fmt.Errorf("finding the pool %q: %w", p.Pool, err))
	}
	if ds, err := c.pick(ctx, "datastore", p.Datastore, s.path+"/datastore/", s.folders.DatastoreFolder.Reference(), "Datastore"); err != nil {
		s.absent = append(s.absent, err)
	} else {
		s.datastore = object.NewDatastore(c.vim, ds.ref)
	}
	return s, ctx.Err()
}

// pick finds one thing below a folder, and gives it with its whole path.
func (c *Client) pick(ctx context.Context, what, name, root string, below types.ManagedObjectReference, kinds ...string) (entity, error) {
	all, err := c.entities(ctx, below, kinds...)
	if err != nil {
		return entity{}, fmt.Errorf("looking for the %s: %w", what, err)
	}
	e, err := choose(what, name, root, all)
	return entity{e.ref, root + e.path}, err
}

// network is a port group that was found: how a card is connected to it, and a text that tells it from others.
type network struct {
	ref     types.ManagedObjectReference
	backing types.BaseVirtualDeviceBackingInfo
	key     string
}

// networks finds the port groups of all nodes, by the name that the node says. Some may be found and others not.
func (c *Client) networks(ctx context.Context, s *site, nodes []Node) (map[string]network, error) {
	all := map[string]network{}
	there, err := c.entities(ctx, s.folders.NetworkFolder.Reference(), "Network", "OpaqueNetwork", "DistributedVirtualPortgroup")
	if err != nil {
		return all, fmt.Errorf("looking for networks: %w", err)
	}
	var errs []error
	asked := map[string]bool{}
	for _, n := range nodes {
		if asked[n.Network] {
			continue
		}
		asked[n.Network] = true
		e, err := choose("network", n.Network, s.path+"/network/", there)
		if err == nil {
			all[n.Network], err = c.connection(ctx, e)
		}
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}

// connection says how a card is connected to a network.
func (c *Client) connection(ctx context.Context, e entity) (network, error) {
	ref, ok := object.NewReference(c.vim, e.ref).(object.NetworkReference)
	if !ok {
		return network{}, fmt.Errorf("reading the network %q: it is a %s", e.path, e.ref.Type)
	}
	backing, err := ref.EthernetCardBackingInfo(ctx)
	if err != nil {
		return network{}, fmt.Errorf("reading the network %q: %w", e.path, err)
	}
	if standard, ok := backing.(*types.VirtualEthernetCardNetworkBackingInfo); ok {
		standard.DeviceName = plainName.Replace(standard.DeviceName)
	}
	return network{e.ref, backing, backingKey(backing)}, nil
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
