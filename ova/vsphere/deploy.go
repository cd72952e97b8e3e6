package vsphere

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"slipway/ova"
)

// Hooks are how a deployment talks to others.
type Hooks struct {
	Wait     func(ctx context.Context, node string) error // until the node has scrubbed what it holds itself; for all nodes at once; may be nil for a plan WithoutWaiting
	Did      func(Action)                                 // after each action, one at a time, also after one of Did's is taken back; may be nil
	Parallel int                                          // how many machines are made at a time; at least one
}

// deployment carries out a plan.
type deployment struct {
	*Client
	want Cluster
	have World
	Hooks

	mu   sync.Mutex
	refs map[string]types.ManagedObjectReference // of machines, by name
	undo []undoing                               // takes back what this run made, until the first machine is switched on
	kept bool                                    // one was
	tag  string                                  // id of the cluster's, once it is known
	tell sync.Mutex                              // held while Did runs
	told []Action                                // what Did heard of
}

// undoing takes back what an action made, whole or half.
type undoing struct {
	did  Action
	back func(context.Context) error
}

// Deploy carries out p, which NewPlan made of want and have. If it fails before a machine was switched on, everything
// that it made is taken back. After that the next run goes on from there. A node that does not scrub stops nobody
// else.
func (c *Client) Deploy(ctx context.Context, want Cluster, have World, p Plan, h Hooks) error {
	d := &deployment{Client: c, want: want, have: have, refs: map[string]types.ManagedObjectReference{}, Hooks: h}
	for name, m := range have.Machines {
		d.refs[name] = m.ref
	}
	var err error
	for _, s := range p.stages() {
		atOnce := 1
		switch s[0].Do.phase() {
		case making:
			atOnce = max(1, h.Parallel)
		case finishing:
			atOnce = len(s)
		}
		if err = d.work(ctx, s, atOnce); err != nil && s[0].Do.phase() != finishing {
			err = errors.Join(err, d.takeAllBack(ctx))
		}
		if err != nil {
			break
		}
	}
	return interrupted(ctx, err)
}

// lane does the actions of one node, or of none, until one fails.
func (d *deployment) lane(ctx context.Context, p Plan) error {
	for _, a := range p {
		if err := d.do(ctx, a); err != nil {
			return fmt.Errorf("%s %s: %w", doing[a.Do], a.On, err)
		}
		d.did(a)
	}
	return nil
}

// did tells of an action that is done.
func (d *deployment) did(a Action) {
	d.tell.Lock()
	defer d.tell.Unlock()
	d.told = append(d.told, a)
	if d.Did != nil {
		d.Did(a)
	}
}

// ref is the machine of a name.
func (d *deployment) ref(name string) types.ManagedObjectReference {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.refs[name]
}

// takesBack remembers how to take back what a just made.
func (d *deployment) takesBack(a Action, undo func(context.Context) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.kept {
		d.undo = append(d.undo, undoing{a, undo})
	}
}

// keep ends the time in which things are taken back.
func (d *deployment) keep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.undo, d.kept = nil, true
}

// takeAllBack removes what this run made, the last first, and tells so where it was told that it is made. Each has its own
// time, so that the last is not left for the first.
func (d *deployment) takeAllBack(ctx context.Context) error {
	var errs []error
	step := func(undo func(context.Context) error) bool {
		after, cancel := d.afterwards(ctx)
		defer cancel()
		errs = append(errs, undo(after))
		return errs[len(errs)-1] == nil
	}
	for _, u := range slices.Backward(d.undo) {
		if step(u.back) && slices.Contains(d.told, u.did) {
			d.did(Action{TakeBack, u.did.On, string(u.did.Do), u.did.node})
		}
	}
	if len(d.undo) > 0 {
		step(func(ctx context.Context) error { return d.dropTag(ctx, d.want.ID) })
	}
	if err := errors.Join(errs...); err != nil {
		return leftover{fmt.Errorf("taking back what was made: %w", err)}
	}
	return nil
}

// doing names actions in errors.
var doing = map[Verb]string{
	Clone: "cloning", Adjust: "adjusting", Mark: "marking", Tag: "tagging", Spread: "writing the rule", PowerOn: "switching on", Wait: "waiting for",
	Scrub: "scrubbing", Unspread: "removing the rule", PowerOff: "switching off", Delete: "deleting", MakeLibrary: "making the library",
	Upload: "uploading", DropItem: "dropping the item", RenameItem: "renaming the item",
	MakeTemplate: "making the template", DropTemplate: "dropping the template", RenameTemplate: "renaming the template",
}

func (d *deployment) do(ctx context.Context, a Action) error {
	switch a.Do {
	case Keep, Differs, Leave:
		return nil
	case Spread:
		return d.spread(ctx, a)
	case Clone:
		return d.clone(ctx, a)
	}
	n, ref := d.want.Nodes[a.node], d.ref(a.On)
	switch a.Do {
	case Adjust:
		return d.adjust(ctx, n, ref)
	case Tag:
		return d.attach(ctx, a, ref)
	case PowerOn:
		return d.powerOn(ctx, n, ref)
	case Mark:
		return d.mark(ctx, ref, "true")
	case PowerOff, Delete:
		return d.undeploy(ctx, d.want, d.have, a)
	case Wait:
		if d.Wait == nil {
			return errors.New("nobody can tell whether it has scrubbed its config")
		}
		return d.Wait(ctx, n.Name)
	case Scrub:
		return d.scrub(ctx, n, ref)
	}
	return fmt.Errorf("%q is no part of a deployment", a.Do)
}

// clone makes a machine that is as wanted, or none.
func (d *deployment) clone(ctx context.Context, a Action) error {
	n, template := d.want.Nodes[a.node], d.have.Machines[d.want.Template]
	info, err := d.run(ctx, func(ctx context.Context) (*object.Task, error) {
		return object.NewVirtualMachine(d.vim, template.ref).Clone(ctx, d.have.site.folder, n.VM, d.cloneSpec(a.node, template))
	})
	if info == nil || info.State != types.TaskInfoStateSuccess {
		if ctx.Err() != nil { // a task that is called off may be past that, and its machine stays
			d.takesBack(a, func(ctx context.Context) error { return d.removeHalf(ctx, n) })
		}
		return err
	}
	ref, ok := info.Result.(types.ManagedObjectReference)
	if !ok {
		return errors.New("vCenter made a clone and does not say which")
	}
	d.mu.Lock()
	d.refs[n.VM] = ref
	d.mu.Unlock()
	d.takesBack(a, func(ctx context.Context) error { return d.remove(ctx, ref) })
	if err != nil {
		return err
	}
	return d.adjust(ctx, n, ref)
}

// removeHalf removes what an interrupted clone left of a node, if anything: a machine with its name and marks that was
// not there when this run began, and was never started.
func (d *deployment) removeHalf(ctx context.Context, n Node) error {
	found, err := d.folder(ctx, d.have.site, d.want.ID, func(name string) bool { return name == n.VM })
	if err != nil {
		return err
	}
	if m, ok := found[n.VM]; ok && m.isOurs(d.want.ID, n.Name) && !m.On {
		return d.remove(ctx, m.ref)
	}
	return nil
}

// attach tags a machine; the tag is looked for, and made, once.
func (d *deployment) attach(ctx context.Context, a Action, ref types.ManagedObjectReference) (err error) {
	d.mu.Lock()
	if d.tag == "" {
		d.tag, err = d.makeTag(ctx, d.want.ID)
	}
	tag := d.tag
	d.mu.Unlock()
	if err != nil {
		return err
	}
	d.takesBack(a, func(ctx context.Context) error { return d.detachTag(ctx, d.want.ID, ref) })
	return d.attachTag(ctx, tag, ref)
}

// takeBack removes a machine that was just made.
func (c *Client) takeBack(ctx context.Context, ref types.ManagedObjectReference) error {
	after, cancel := c.afterwards(ctx)
	defer cancel()
	if err := c.remove(after, ref); err != nil {
		return leftover{fmt.Errorf("taking it back: %w", err)}
	}
	return nil
}

// remove deletes a machine or a template with its disks. One that is gone already is fine.
func (c *Client) remove(ctx context.Context, ref types.ManagedObjectReference) error {
	_, err := c.run(ctx, object.NewVirtualMachine(c.vim, ref).Destroy)
	var failed *TaskError
	if errors.As(err, &failed) {
		if gone, is := failed.Fault.(*types.ManagedObjectNotFound); is && gone.Obj == ref {
			return nil
		}
	}
	return err
}

// adjust makes an existing machine that has not started yet what is wanted, and checks by reading it that it is.
func (d *deployment) adjust(ctx context.Context, n Node, ref types.ManagedObjectReference) error {
	m, err := d.machine(ctx, ref)
	if err != nil {
		return err
	}
	if m.started() {
		return errors.New("it was started meanwhile, so it is left as it is")
	}
	if len(d.want.differences(n, m, d.have)) > 0 {
		config := d.want.config(n, m.Extra[markImage])
		config.ExtraConfig = m.lacks(config.ExtraConfig)
		if config.DeviceChange, err = n.devices(m, d.have.networks[n.Network]); err != nil {
			return err
		}
		if err := d.reconfigure(ctx, ref, config); err != nil {
			return err
		}
	}
	return d.check(ctx, n, ref)
}

// check reads a machine and refuses one that is not as wanted.
func (d *deployment) check(ctx context.Context, n Node, ref types.ManagedObjectReference) error {
	m, err := d.machine(ctx, ref)
	if err != nil {
		return err
	}
	return d.wrong(n, m)
}

// wrong says what of a machine is not as wanted.
func (d *deployment) wrong(n Node, m Machine) error {
	if diff := d.want.differences(n, m, d.have); len(diff) > 0 {
		return fmt.Errorf("vCenter did not take over what was asked for: %s", strings.Join(diff, "; "))
	}
	return nil
}

func (c *Client) reconfigure(ctx context.Context, ref types.ManagedObjectReference, spec types.VirtualMachineConfigSpec) error {
	_, err := c.run(ctx, func(ctx context.Context) (*object.Task, error) {
		return object.NewVirtualMachine(c.vim, ref).Reconfigure(ctx, spec)
	})
	return err
}

// powerOn switches on. A machine that has never started is checked once more, because now it counts, and is marked
// first: a run that is killed in between leaves one that counts as started, and it holds its config.
func (d *deployment) powerOn(ctx context.Context, n Node, ref types.ManagedObjectReference) error {
	m, err := d.machine(ctx, ref)
	if err != nil {
		return err
	}
	first := !m.started()
	if first {
		if err := d.wrong(n, m); err != nil {
			return err
		}
		if err := d.mark(ctx, ref, "true"); err != nil {
			return err
		}
	}
	info, err := d.run(ctx, object.NewVirtualMachine(d.vim, ref).PowerOn)
	var unknown leftover
	switch {
	case info != nil && info.State == types.TaskInfoStateSuccess, errors.As(err, &unknown):
		d.keep() // though the run may be interrupted
	case d.cameOn(ctx, ref): // called off too late
		d.keep()
	case first:
		d.unmark(ctx, ref)
	}
	return err
}

// cameOn says whether a machine runs although its task failed. One that cannot be read may run.
func (d *deployment) cameOn(ctx context.Context, ref types.ManagedObjectReference) bool {
	after, cancel := d.afterwards(ctx)
	defer cancel()
	m, err := d.machine(after, ref)
	return err != nil || m.On
}

// mark notes that a machine is started; "" takes that back.
func (c *Client) mark(ctx context.Context, ref types.ManagedObjectReference, value string) error {
	return c.reconfigure(ctx, ref, types.VirtualMachineConfigSpec{ExtraConfig: options(markStarted, value)})
}

// unmark is for a machine that vCenter refused to start. Where that fails it counts as started, and the next run starts
// it as it is.
func (c *Client) unmark(ctx context.Context, ref types.ManagedObjectReference) {
	after, cancel := c.afterwards(ctx)
	defer cancel()
	_ = c.mark(after, ref, "")
}

// scrub removes the config and reads that it is gone.
func (d *deployment) scrub(ctx context.Context, n Node, ref types.ManagedObjectReference) error {
	err := d.reconfigure(ctx, ref, types.VirtualMachineConfigSpec{
		ExtraConfig: options(ova.KeyData, "", ova.KeyEncoding, "", markScrubbed, n.Guestinfo.Digest),
	})
	if err != nil {
		return err
	}
	m, err := d.machine(ctx, ref)
	if err != nil {
		return err
	}
	if m.hasConfig() || !m.scrubbed() {
		return errors.New("vCenter says that the config is removed, and it is still there")
	}
	return nil
}
