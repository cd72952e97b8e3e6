package vsphere

import (
	"context"
	"errors"
	"fmt"

	"github.com/vmware/govmomi/vapi/vcenter"
	"github.com/vmware/govmomi/vim25/types"
)

// fromItem lets vCenter make a machine of the library's item. The call lasts as long as the work, and vCenter goes on when
// nobody listens any longer: for that reason it is given time to end after an interruption.
func (i *importing) fromItem(ctx context.Context) (types.ManagedObjectReference, error) {
	item := i.shelf.Items[i.want.staged()].ID
	if item == "" {
		item = i.shelf.Items[i.want.Name].ID
	}
	call, stop := i.lingering(ctx)
	defer stop()
	var none types.ManagedObjectReference
	var ref *types.ManagedObjectReference
	err := i.ask(call, func() (err error) {
		ref, err = vcenter.NewManager(i.rest).DeployLibraryItem(call, item, i.deployment())
		return err
	})
	switch {
	case call.Err() != nil:
		return none, leftover{fmt.Errorf("vCenter goes on making the machine %q: the next import drops it", i.want.staged())}
	case err != nil:
		return none, errors.Join(err, i.takeBackHalf(ctx))
	case ctx.Err() != nil:
		return none, errors.Join(ctx.Err(), i.takeBack(ctx, *ref))
	}
	return *ref, nil
}

// deployment is where and how vCenter makes the machine.
func (i *importing) deployment() vcenter.Deploy {
	spec := vcenter.Deploy{
		DeploymentSpec: vcenter.DeploymentSpec{
			Name: i.want.staged(), Annotation: halfNote(i.want.Image.Digest), AcceptAllEULA: true,
			StorageProvisioning: "thin", DefaultDatastoreID: i.site.datastore.Reference().Value,
		},
		Target: vcenter.Target{ResourcePoolID: i.site.pool.Reference().Value, FolderID: i.site.folder.Reference().Value},
	}
	for _, name := range i.want.Image.Networks {
		spec.NetworkMappings = append(spec.NetworkMappings, vcenter.NetworkMapping{Key: name, Value: i.net.ref.Value})
	}
	if host := i.site.host(0); host != nil {
		spec.HostID = host.Value
	}
	return spec
}

// lingering is a context that ends some time after ctx.
func (c *Client) lingering(ctx context.Context) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		select {
		case <-late.Done():
		case <-ctx.Done():
			_ = pause(late, c.grace())
			cancel()
		}
	}()
	return late, cancel
}
