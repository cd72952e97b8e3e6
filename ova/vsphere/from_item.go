package vsphere

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

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
	var made itemDeployed
	err := i.ask(call, func() error {
		url := i.rest.Resource(libraryItemOVF).WithID(item).WithAction("deploy")
		return i.rest.Do(call, url.Request(http.MethodPost, i.deployment()), &made)
	})
	for _, w := range made.Info.Warnings {
		i.warn(&TaskError{Words: words(w)})
	}
	if err == nil {
		err = made.failure()
	}
	ref := types.ManagedObjectReference{Type: made.ID.Type, Value: made.ID.Value}
	switch {
	case call.Err() != nil:
		return none, leftover{fmt.Errorf("vCenter goes on making the machine %q: the next import drops it", i.want.staged())}
	case err != nil:
		return none, errors.Join(err, i.takeBackHalf(ctx))
	case ctx.Err() != nil:
		return none, errors.Join(ctx.Err(), i.takeBack(ctx, ref))
	}
	return ref, nil
}

// libraryItemOVF is the resource of items with a descriptor.
// https://developer.broadcom.com/xapis/vsphere-automation-api/latest/vcenter/ovf/library-item/
const libraryItemOVF = "/com/vmware/vcenter/ovf/library-item"

// itemDeployed is what vCenter answers when it made a machine of an item, or did not. Govmomi's own type knows no warnings,
// which come with a success, too.
type itemDeployed struct {
	Succeeded bool               `json:"succeeded"`
	ID        vcenter.ResourceID `json:"resource_id"`
	Info      struct {
		Errors   []vcenter.OVFError `json:"errors"`
		Warnings []vcenter.OVFError `json:"warnings"`
	} `json:"error"`
}

// failure quotes why there is no machine.
func (d itemDeployed) failure() error {
	if d.Succeeded {
		return nil
	}
	var said []string
	for _, e := range d.Info.Errors {
		said = append(said, words(e))
	}
	if len(said) == 0 {
		return taskError(nil)
	}
	return &TaskError{Words: strings.Join(said, "; ")}
}

// words are all that a message about a descriptor says: which of its parts has them depends on its category.
func words(m vcenter.OVFError) string {
	var all []string
	if m.Message != nil {
		all = append(all, m.Message.DefaultMessage)
	}
	for _, issue := range m.Issues {
		all = append(all, fmt.Sprintf("%s:%d: %s", issue.File, issue.LineNumber, issue.Message.DefaultMessage))
	}
	if m.Error != nil {
		for _, message := range m.Error.Messages {
			all = append(all, message.DefaultMessage)
		}
	}
	if len(all) == 0 {
		return strings.ToLower(m.Category) + " message without words"
	}
	return strings.Join(all, "; ")
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
