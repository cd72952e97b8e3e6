package vsphere

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/vmware/govmomi/nfc"
	"github.com/vmware/govmomi/ovf"
	"github.com/vmware/govmomi/task"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// fromNFC makes a machine of the descriptor and sends the disks straight to its host. The lease is completed or aborted,
// and an aborted one takes the machine with it.
func (i *importing) fromNFC(ctx context.Context) (types.ManagedObjectReference, error) {
	var none types.ManagedObjectReference
	spec, err := i.importSpec(ctx)
	if err != nil {
		return none, err
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	// Not interrupted: nobody could abort a lease that is not known.
	lease, err := i.site.pool.ImportVApp(context.WithoutCancel(ctx), spec.ImportSpec, i.site.folder, i.hostSystem(i.site.host(0)))
	if err != nil {
		return none, quote(err)
	}
	info, err := lease.Wait(ctx, spec.FileItem)
	var failed *task.Error
	if errors.As(err, &failed) { // and with it the lease has ended
		return none, taskError(failed.LocalizedMethodFault)
	}
	if err == nil {
		err = i.sendDisks(ctx, lease, info)
	}
	if err == nil {
		err = lease.Complete(ctx)
	}
	if err != nil {
		return none, errors.Join(err, i.abort(ctx, lease, info))
	}
	return info.Entity, nil
}

func (i *importing) importSpec(ctx context.Context) (*types.OvfCreateImportSpecResult, error) {
	params := types.OvfCreateImportSpecParams{
		EntityName: i.want.staged(), DiskProvisioning: string(types.OvfCreateImportSpecParamsDiskProvisioningTypeThin),
		OvfManagerCommonParams: types.OvfManagerCommonParams{Locale: "US"}, HostSystem: i.site.host(0),
	}
	for _, name := range i.want.Image.Networks {
		params.NetworkMapping = append(params.NetworkMapping, types.OvfNetworkMapping{Name: name, Network: i.net.ref})
	}
	spec, err := ovf.NewManager(i.vim).CreateImportSpec(ctx, string(i.want.Image.Descriptor), i.site.pool, i.site.datastore, &params)
	if err != nil {
		return nil, err
	}
	if len(spec.Error) > 0 {
		return nil, taskError(&spec.Error[0])
	}
	vm, ok := spec.ImportSpec.(*types.VirtualMachineImportSpec)
	if !ok {
		return nil, errors.New("the package does not hold exactly one machine")
	}
	for _, w := range spec.Warning {
		i.warn(taskError(&w))
	}
	vm.ConfigSpec.Annotation = halfNote(i.want.Image.Digest)
	vm.ConfigSpec.ExtraConfig = append(vm.ConfigSpec.ExtraConfig, i.marks()...)
	return spec, nil
}

// warn hands on what vCenter has to say about the image.
func (i *importing) warn(err error) {
	if i.Warn != nil {
		i.Warn(err.Error())
	}
}

// sendDisks sends every disk that the host asks for.
func (i *importing) sendDisks(ctx context.Context, lease *nfc.Lease, info *nfc.LeaseInfo) error {
	ctx, stop := context.WithCancel(ctx)
	alive := make(chan struct{})
	go func() { defer close(alive); keepLease(ctx, lease) }()
	defer func() { stop(); <-alive }()
	i.Progress.Begin("upload")
	disks := i.want.Image.Files[1:]
	if len(info.Items) != len(disks) {
		return fmt.Errorf("the host asks for %d disks, and there are %d", len(info.Items), len(disks))
	}
	var before int64
	for _, item := range info.Items {
		f, err := i.disk(item.Path)
		if err != nil {
			return err
		}
		s := f.send(func(n int64) { i.Progress.Bytes(before+n, i.want.Image.Size()) })
		p := soap.Upload{Method: "POST", Type: "application/x-vnd.vmware-streamVmdk", ContentLength: f.Size}
		if err := i.vim.Upload(ctx, s, item.URL, &p); err != nil {
			return fmt.Errorf("%q: %w%s", f.Name, err, reachHint(err, item.URL.Host))
		}
		if err := s.check(); err != nil {
			return err
		}
		before += f.Size
	}
	i.Progress.End("upload", fmt.Sprintf("%s, %d bytes", i.want.Name, before), false)
	return nil
}

// reachHint is for a host that does not answer.
func reachHint(err error, host string) string {
	var network net.Error
	if errors.As(err, &network) && !errors.Is(err, context.Canceled) {
		return fmt.Sprintf("\nhint: with --method nfc this computer must reach %s; with --method library it need not", host)
	}
	return ""
}

func (i *importing) disk(name string) (File, error) {
	for _, f := range i.want.Image.Files[1:] {
		if f.Name == name {
			return f, nil
		}
	}
	return File{}, fmt.Errorf("the host asks for %q, which is not in the package", name)
}

// leasePause is how often a lease is renewed; one that is not ends after five minutes.
const leasePause = 20 * time.Second

func keepLease(ctx context.Context, lease *nfc.Lease) {
	for pause(ctx, leasePause) == nil {
		_ = lease.Progress(ctx, 50) // a lease that is lost shows when it is to be completed
	}
}

// abort ends a lease. vCenter then removes the machine in its own time; if not, we do.
func (i *importing) abort(ctx context.Context, lease *nfc.Lease, info *nfc.LeaseInfo) error {
	after, cancel := i.afterwards(ctx)
	defer cancel()
	err := lease.Abort(after, nil)
	if err != nil {
		err = leftover{fmt.Errorf("aborting the lease: %w", err)}
	}
	if info == nil {
		return err
	}
	for range mostBlind {
		left, bad := i.Client.machines(after, []types.ManagedObjectReference{info.Entity})
		if bad != nil || len(left) == 0 || pause(after, i.Pause) != nil {
			break
		}
	}
	return errors.Join(err, i.takeBackHalf(after))
}
