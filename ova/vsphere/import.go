package vsphere

import (
	"context"
	"errors"
	"fmt"

	"github.com/vmware/govmomi/object"
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
	i := &importing{Client: c, want: want}
	if err := i.look(ctx); err != nil {
		return nil, nil, err
	}
	p, err := NewImportPlan(want, i.shelf, i.machines)
	if err != nil {
		return nil, nil, err
	}
	return p, func(ctx context.Context) error { return i.carryOut(ctx, p) }, nil
}

// look finds the place, and what is there already.
func (i *importing) look(ctx context.Context) (err error) {
	if i.site, err = i.locate(ctx, i.want.Place); err != nil {
		return err
	}
	nets, err := i.networks(ctx, i.site, []Node{{Network: i.want.Network}})
	if err = errors.Join(err, errors.Join(i.site.absent...)); err != nil {
		return err
	}
	i.net = nets[i.want.Network]
	if i.machines, err = i.folder(ctx, i.site, "", i.want.concerns); err != nil {
		return err
	}
	if _, err = i.hosts(ctx, i.site, nets); err != nil || i.want.Method == ByNFC {
		return err
	}
	i.shelf, err = i.readShelf(ctx, i.want.Library, i.want.concerns)
	return err
}

// carryOut does the plan. What fails leaves nothing behind that was not there before, or is whole.
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
		name := i.item(a)
		id := i.shelf.Items[name].ID
		delete(i.shelf.Items, name)
		return i.dropItem(ctx, id)
	case Upload:
		return i.upload(ctx)
	case RenameItem:
		return i.changeItem(ctx, i.shelf.Items[i.item(a)].ID, i.want.Name, "")
	case DropTemplate:
		return i.remove(ctx, i.machines[a.On].ref)
	case MakeTemplate:
		return i.makeTemplate(ctx)
	case RenameTemplate:
		return i.rename(ctx, i.machines[a.On].ref, i.want.Name)
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
	if err != nil {
		return err
	}
	if err := i.finish(ctx, ref); err != nil {
		return errors.Join(err, i.takeBack(ctx, ref))
	}
	i.machines[i.want.staged()] = Machine{ref: ref}
	i.Progress.End("template", i.want.Name, false)
	return nil
}

// takeBackHalf removes the machine that an interrupted call left, if it did.
func (i *importing) takeBackHalf(ctx context.Context) error {
	after, cancel := i.afterwards(ctx)
	defer cancel()
	found, err := i.folder(after, i.site, "", i.want.concerns)
	if err != nil {
		return leftover{err}
	}
	if i.want.stagedState(found, i.want.staged()) == half {
		return i.takeBack(after, found[i.want.staged()].ref)
	}
	return nil
}

// marks are what tells a template from other machines.
func (i *importing) marks() []types.BaseOptionValue {
	return options(markCluster, i.want.Cluster, markMachine, i.want.Name, markImage, i.want.Image.Digest, keyUUID, "TRUE")
}

// finish marks the machine, checks it and makes it a template, which says that it is whole.
func (i *importing) finish(ctx context.Context, ref types.ManagedObjectReference) error {
	secure := i.want.Secure
	err := i.reconfigure(ctx, ref, types.VirtualMachineConfigSpec{
		Firmware: efi, BootOptions: &types.VirtualMachineBootOptions{EfiSecureBootEnabled: &secure},
		Annotation: completeNote(i.want.Image.Digest), ExtraConfig: i.marks(),
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
	if err := i.snapshot(ctx, ref); err != nil {
		return err
	}
	return object.NewVirtualMachine(i.vim, ref).MarkAsTemplate(ctx)
}

func (c *Client) rename(ctx context.Context, ref types.ManagedObjectReference, name string) error {
	_, err := c.run(ctx, func(ctx context.Context) (*object.Task, error) {
		return object.NewCommon(c.vim, ref).Rename(ctx, name)
	})
	return err
}
