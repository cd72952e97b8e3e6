package vsphere

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"
)

// A linked clone is made in seconds and takes what it writes only: its disk grows on the template's. So the template has
// a snapshot, which keeps that disk as it is; the clone's disk is as large as the template's; and the template stays as
// long as there is one.

// snapshot keeps the disk of what is to be a template, for linked clones to grow on.
func (i *importing) snapshot(ctx context.Context, ref types.ManagedObjectReference) error {
	if !i.want.Linked {
		return nil
	}
	_, err := i.run(ctx, func(ctx context.Context) (*object.Task, error) {
		return object.NewVirtualMachine(i.vim, ref).CreateSnapshot(ctx, "slipway", "The disks of linked clones grow on this.", false, false)
	})
	return err
}

// cloneSpec says what is to be made of the template.
func (d *deployment) cloneSpec(node int, template Machine) types.VirtualMachineCloneSpec {
	s := d.have.site
	pool, datastore := s.pool.Reference(), s.datastore.Reference()
	config := d.want.config(d.want.Nodes[node], template.Extra[markImage])
	spec := types.VirtualMachineCloneSpec{
		Location: types.VirtualMachineRelocateSpec{Pool: &pool, Datastore: &datastore, Host: s.host(node)},
		Config:   &config,
	}
	switch {
	case d.want.Linked:
		spec.Snapshot = template.snapshot
		spec.Location.DiskMoveType = string(types.VirtualMachineRelocateDiskMoveOptionsCreateNewChildDiskBacking)
		config.ExtraConfig = append(config.ExtraConfig, options(markLinked, template.Extra[markImage])...)
	case template.snapshot != nil: // one disk, that can grow
		spec.Location.DiskMoveType = string(types.VirtualMachineRelocateDiskMoveOptionsMoveAllDiskBackingsAndConsolidate)
	}
	return spec
}

// linkable refuses what a linked clone cannot be.
func (w Cluster) linkable(n Node, template Machine) error {
	switch {
	case !w.Linked:
		return nil
	case template.snapshot == nil:
		return fmt.Errorf("node %q: the template %q has no snapshot for linked clones\nhint: slipway vsphere import --replace makes it anew, with one", n.Name, w.Template)
	case n.Disk > template.Disk:
		return fmt.Errorf("node %q: a linked clone has the template's disk of %d MiB, and cannot have one of %d\nhint: raise image.size, or leave out disk, or vsphere.linkedClones", n.Name, template.Disk>>20, n.Disk>>20)
	}
	return nil
}

// noLinked refuses to drop a template on whose disk others grow.
func (m Machine) noLinked(machines map[string]Machine) error {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(machines)) {
		if linked := machines[name].Extra[markLinked]; linked != "" && linked == m.Extra[markImage] {
			all = append(all, name)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("importing: the template %q cannot be dropped: linked clones of it use its disk: %s\nhint: give the new image another name under vsphere.template, and replace them one by one", m.Name, strings.Join(all, ", "))
}
