package vsphere

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// Keys are the certificates, in DER, that a machine's firmware trusts instead of Microsoft's and VMware's. A host reads
// them from the machine's folder when the machine is switched on for the first time, and never again:
// https://knowledge.broadcom.com/external/article/377306.
type Keys struct {
	PK, KEK, DB []byte
}

// markKeys has the digest of the keys that a machine was given, once they were read back.
const markKeys = "slipway.secureboot"

// keyFile is one certificate: where the host looks for its name, the name, and what is in it.
type keyFile struct {
	option, name string
	der          []byte
}

func (k *Keys) files() []keyFile {
	return []keyFile{
		{"uefi.secureBoot.pkDefault.file0", "slipway-PK.der", k.PK},
		{"uefi.secureBoot.kekDefault.file0", "slipway-KEK.der", k.KEK},
		{"uefi.secureBoot.dbDefault.file0", "slipway-db.der", k.DB},
	}
}

// digest names the keys in marks.
func (k *Keys) digest() string { return Digest(bytes.Join([][]byte{k.PK, k.KEK, k.DB}, nil)) }

// keyOptions are the options that a machine's keys are in, for who reads machines.
func keyOptions() []string {
	all := []string{markKeys}
	for _, f := range (&Keys{}).files() {
		all = append(all, f.option)
	}
	return all
}

// options are what a machine has once its files are there.
func (k *Keys) options() []types.BaseOptionValue {
	pairs := []string{markKeys, k.digest()}
	for _, f := range k.files() {
		pairs = append(pairs, f.option, f.name)
	}
	return options(pairs...)
}

// has says whether a machine has these keys for certain.
func (k *Keys) has(m Machine) bool {
	return len(m.lacks(k.options())) == 0
}

// keyDifference says where a machine's keys are not those that are wanted. Who only looks at machines does not know them.
func (w Cluster) keyDifference(m Machine) string {
	switch {
	case w.Keys != nil && m.Extra[markKeys] == "":
		return "its firmware was not given the Secure Boot keys"
	case w.Keys != nil && !w.Keys.has(m):
		return "its firmware was given other Secure Boot keys"
	}
	return ""
}

// enrol puts the keys into the folder of a machine that has not started yet, reads them back, and names them in its
// configuration.
func (d *deployment) enrol(ctx context.Context, m Machine) error {
	folder, err := d.folderOf(m)
	if err != nil {
		return fmt.Errorf("giving it the Secure Boot keys: %w", err)
	}
	for _, f := range d.want.Keys.files() {
		if err := d.place(ctx, path.Join(folder, f.name), f.der); err != nil {
			return fmt.Errorf("giving it the Secure Boot key %s: %w", f.name, err)
		}
	}
	return d.reconfigure(ctx, m.ref, types.VirtualMachineConfigSpec{ExtraConfig: d.want.Keys.options()})
}

// folderOf is a machine's folder in the datastore that machines are made in.
func (d *deployment) folderOf(m Machine) (string, error) {
	var p object.DatastorePath
	if !p.FromString(m.file) {
		return "", fmt.Errorf("vCenter says that its files are at %q", m.file)
	}
	if have := d.have.site.datastore.Name(); plainName.Replace(have) != p.Datastore {
		return "", fmt.Errorf("its files are in the datastore %q, and not in %q\nhint: move it there, or delete it", p.Datastore, have)
	}
	return path.Dir(p.Path), nil
}

// place writes a small file of a datastore and reads it back. It goes through vCenter, not to a host.
func (d *deployment) place(ctx context.Context, name string, content []byte) error {
	u := d.have.site.datastore.NewURL(name)
	up := soap.DefaultUpload
	up.ContentLength = int64(len(content))
	if err := d.vim.Upload(ctx, bytes.NewReader(content), u, &up); err != nil {
		return fmt.Errorf("uploading: %w\nhint: the user of GOVC_USERNAME needs the privilege Low level file operations on the datastore", err)
	}
	down := soap.DefaultDownload
	r, _, err := d.vim.Download(ctx, u, &down)
	if err != nil {
		return fmt.Errorf("reading it back: %w", err)
	}
	defer r.Close()
	back, err := io.ReadAll(io.LimitReader(r, int64(len(content))+1))
	if err != nil {
		return fmt.Errorf("reading it back: %w", err)
	}
	if !bytes.Equal(back, content) {
		return errors.New("vCenter has other bytes than were sent")
	}
	return nil
}

// dropKeys removes a machine's keys before the machine, which would leave its folder behind for them. Those that are gone
// already are fine.
func (c *Client) dropKeys(ctx context.Context, s *site, m Machine) error {
	var p object.DatastorePath
	if m.Extra[markKeys] == "" || !p.FromString(m.file) {
		return nil
	}
	files := object.NewFileManager(c.vim)
	var errs []error
	for _, f := range (&Keys{}).files() {
		file := object.DatastorePath{Datastore: p.Datastore, Path: path.Join(path.Dir(p.Path), f.name)}
		_, err := c.run(ctx, func(ctx context.Context) (*object.Task, error) {
			return files.DeleteDatastoreFile(ctx, file.String(), s.datacenter)
		})
		var failed *TaskError
		if errors.As(err, &failed) {
			if _, gone := failed.Fault.(*types.FileNotFound); gone {
				err = nil
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// removeWithKeys removes a machine of this run with what it was given.
func (d *deployment) removeWithKeys(ctx context.Context, ref types.ManagedObjectReference) error {
	if d.want.Keys == nil {
		return d.remove(ctx, ref)
	}
	m, err := d.machine(ctx, ref)
	if err == nil {
		m.Extra[markKeys] = d.want.Keys.digest() // files may be there before the mark is
		err = d.dropKeys(ctx, d.have.site, m)
	}
	return errors.Join(err, d.remove(ctx, ref))
}
