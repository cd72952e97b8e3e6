package vsphere

import (
	"context"
	"errors"
	"fmt"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vapi/library"
	"github.com/vmware/govmomi/vapi/vcenter"
	"github.com/vmware/govmomi/vim25/types"
)

// importing carries out one import.
type importing struct {
	*Client
	want     Import
	site     *site
	net      network
	shelf    Shelf
	machines map[string]Machine
	made     string // id of the library that this run made
}

// Prepare looks at what an import is about, and plans it. The function it returns carries the plan out.
func (c *Client) Prepare(ctx context.Context, want Import) (Plan, func(context.Context) error, error) {
	s, err := c.locate(ctx, want.Place)
	if err != nil {
		return nil, nil, err
	}
	nets, err := s.networks(ctx, []Node{{Network: want.Network}})
	if err != nil {
		return nil, nil, err
	}
	i := &importing{Client: c, want: want, site: s, net: nets[want.Network]}
	if i.machines, err = c.folder(ctx, s); err != nil {
		return nil, nil, err
	}
	if _, err := c.hosts(ctx, s, nets); err != nil {
		return nil, nil, err
	}
	if want.Method != ByNFC {
		if i.shelf, err = c.readShelf(ctx, want.Library, want.Name); err != nil {
			return nil, nil, err
		}
	}
	p, err := NewImportPlan(want, i.shelf, i.machines)
	if err != nil {
		return nil, nil, err
	}
	return p, func(ctx context.Context) error { return i.carryOut(ctx, p) }, nil
}

// carryOut does the plan. What fails leaves nothing behind that was not there before.
func (i *importing) carryOut(ctx context.Context, p Plan) error {
	for _, a := range p {
		if err := i.do(ctx, a); err != nil {
			return interrupted(ctx, fmt.Errorf("%s %s: %w", doing[a.Do], a.On, errors.Join(err, i.dropLibrary(ctx))))
		}
	}
	return nil
}

func (i *importing) do(ctx context.Context, a Action) error {
	switch a.Do {
	case Keep:
		return nil
	case MakeLibrary:
		return i.makeLibrary(ctx)
	case DropItem:
		return i.dropItem(ctx, i.shelf.ItemID)
	case Upload:
		return i.upload(ctx)
	case DropTemplate:
		return i.remove(ctx, i.machines[i.want.Name].ref)
	case MakeTemplate:
		return i.makeTemplate(ctx)
	}
	return fmt.Errorf("%q is no part of an import", a.Do)
}

// makeTemplate makes a machine of the image and then a template of it, or neither.
func (i *importing) makeTemplate(ctx context.Context) error {
	i.Progress.Begin("template")
	create := i.fromItem
	if i.want.Method == ByNFC {
		create = i.fromNFC
	}
	ref, err := create(ctx)
	if err == nil {
		err = i.finish(ctx, ref)
		if err != nil {
			err = errors.Join(err, i.takeBack(ctx, ref))
		}
	}
	if err != nil {
		return err
	}
	i.Progress.End("template", i.want.Name, false)
	return nil
}

// fromItem lets vCenter make a machine of the library's item. The call lasts as long as the work, and vCenter goes on when
// nobody listens any longer: for that reason it is given time to end after an interruption.
func (i *importing) fromItem(ctx context.Context) (types.ManagedObjectReference, error) {
	spec := vcenter.Deploy{
		DeploymentSpec: vcenter.DeploymentSpec{
			Name: i.want.Name, Annotation: halfNote(i.want.Image.Digest), AcceptAllEULA: true,
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
	call, stop := lingering(ctx)
	defer stop()
	var none types.ManagedObjectReference
	var ref *types.ManagedObjectReference
	err := i.ask(call, func() (err error) {
		ref, err = vcenter.NewManager(i.rest).DeployLibraryItem(call, i.shelf.ItemID, spec)
		return err
	})
	switch {
	case call.Err() != nil:
		return none, leftover{fmt.Errorf("vCenter goes on making the machine %q: the next import drops it", i.want.Name)}
	case err != nil:
		return none, errors.Join(err, i.takeBackHalf(ctx))
	case ctx.Err() != nil:
		return none, errors.Join(ctx.Err(), i.takeBack(ctx, *ref))
	}
	return *ref, nil
}

// lingering is a context that ends some time after ctx.
func lingering(ctx context.Context) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		select {
		case <-late.Done():
		case <-ctx.Done():
			_ = pause(late, cleanupTime)
			cancel()
		}
	}()
	return late, cancel
}

// takeBackHalf removes the machine that an interrupted call left, if it did.
func (i *importing) takeBackHalf(ctx context.Context) error {
	after, cancel := afterwards(ctx)
	defer cancel()
	found, err := i.folder(after, i.site)
	if err != nil {
		return leftover{err}
	}
	if m, there := found[i.want.Name]; there && !m.Template && m.Note == halfNote(i.want.Image.Digest) {
		return i.takeBack(after, m.ref)
	}
	return nil
}

// finish marks the machine, checks it and makes it a template. That it is complete is said last.
func (i *importing) finish(ctx context.Context, ref types.ManagedObjectReference) error {
	secure := i.want.Secure
	err := i.reconfigure(ctx, ref, types.VirtualMachineConfigSpec{
		Firmware: efi, BootOptions: &types.VirtualMachineBootOptions{EfiSecureBootEnabled: &secure},
		Annotation:  halfNote(i.want.Image.Digest),
		ExtraConfig: options(markCluster, i.want.Cluster, markImage, i.want.Image.Digest, keyUUID, "TRUE"),
	})
	if err != nil {
		return err
	}
	m, err := i.machine(ctx, ref)
	if err != nil {
		return err
	}
	if m.Firmware != efi || m.SecureBoot != secure || m.Extra[markImage] != i.want.Image.Digest || m.disk == nil || m.card == nil {
		return errors.New("vCenter did not take over what was asked for: EFI, Secure Boot, a disk and a network card")
	}
	if err := object.NewVirtualMachine(i.vim, ref).MarkAsTemplate(ctx); err != nil {
		return err
	}
	return i.reconfigure(ctx, ref, types.VirtualMachineConfigSpec{Annotation: completeNote(i.want.Image.Digest)})
}

// dropLibrary removes the library that this run made for nothing.
func (i *importing) dropLibrary(ctx context.Context) error {
	if i.made == "" {
		return nil
	}
	after, cancel := afterwards(ctx)
	defer cancel()
	err := i.ask(after, func() error {
		return library.NewManager(i.rest).DeleteLibrary(after, &library.Library{ID: i.made, Type: "LOCAL"})
	})
	if err != nil {
		return leftover{fmt.Errorf("removing the library: %w", err)}
	}
	return nil
}
