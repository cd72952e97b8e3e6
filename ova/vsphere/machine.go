package vsphere

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"slipway/ova"
)

// Marks in a machine's extra configuration. They are set in the call that makes the machine, so there is no moment in
// which one of ours does not say so. Cloning a machine by hand copies them, but not its name.
const (
	markCluster  = "slipway.cluster"
	markNode     = "slipway.node"
	markMachine  = "slipway.machine"  // the name that it was given
	markImage    = "slipway.image"    // digest of the image that it was made from
	markConfig   = "slipway.config"   // digest of the config that it was given
	markStarted  = "slipway.started"  // set before it is switched on for the first time
	markLinked   = "slipway.linked"   // digest of the image whose template holds its disk; "" for a disk of its own
	markScrubbed = "slipway.scrubbed" // digest of the config that was taken away again
	keyUUID      = "disk.EnableUUID"  // the guest sees disks' serial numbers
	efi          = string(types.GuestOsDescriptorFirmwareTypeEfi)
)

// Machine is a machine or a template that was found.
type Machine struct {
	Name       string
	Template   bool
	On         bool
	CPUs       int
	MemoryMiB  int64
	Disk       int64  // bytes of the first one
	Network    string // key of the first card's port group
	MAC        string
	Firmware   string
	SecureBoot bool
	Note       string            // that people see
	Extra      map[string]string // what is not empty of the marks, guestinfo and disk.EnableUUID
	Tagged     bool
	Committed  int64    // bytes that it takes on datastores
	Attached   []string // files of the disks behind the first one

	ref   types.ManagedObjectReference
	disk  *types.VirtualDisk
	card  types.BaseVirtualEthernetCard
	whole bool // all of it could be read

	snapshot *types.ManagedObjectReference // that linked clones are made of; nil if there is none
}

// isOurs says whether the machine was made for this node.
func (m Machine) isOurs(cluster, node string) bool {
	return m.Extra[markCluster] == cluster && m.Extra[markNode] == node
}

// hasConfig says whether guestinfo holds anything that Ignition reads.
func (m Machine) hasConfig() bool {
	return m.Extra[ova.KeyData] != "" || m.Extra[ova.KeyEncoding] != ""
}

func (m Machine) scrubbed() bool { return m.Extra[markScrubbed] != "" }

// emptied says whether the guest itself has overwritten its config, which is all that a guest can do: with "{}" in
// base64, as Ignition and slipwayd write it.
func (m Machine) emptied() bool { return m.Extra[ova.KeyData] == "e30K" }

// started says whether the machine was ever switched on, by us or by others. One that was has read its config, has
// made keys and data of it, and is nobody's to change any more.
func (m Machine) started() bool {
	return m.On || m.Extra[markStarted] != "" || m.scrubbed() || m.emptied()
}

// What is read of machines of ours, and of others that have a name of ours.
var (
	strangerProperties = []string{"name", "runtime.powerState", "config.template", "config.annotation"}
	machineProperties  = append(strangerProperties, "config.firmware", "config.bootOptions", "config.extraConfig", "config.hardware.numCPU",
		"config.hardware.memoryMB", "config.hardware.device", "summary.storage.committed", "snapshot.currentSnapshot")
)

// machines reads machines of ours.
func (c *Client) machines(ctx context.Context, refs []types.ManagedObjectReference) ([]Machine, error) {
	return c.read(ctx, refs, machineProperties)
}

// read reads machines by the property collector. Those that vanish meanwhile are left out: vCenter refuses the whole
// call for one of them.
func (c *Client) read(ctx context.Context, refs []types.ManagedObjectReference, properties []string) ([]Machine, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	var all []mo.VirtualMachine
	if err := property.DefaultCollector(c.vim).Retrieve(ctx, refs, properties, &all); err != nil {
		var gone *types.ManagedObjectNotFound
		if _, is := fault.As(err, &gone); is && slices.Contains(refs, gone.Obj) {
			return c.read(ctx, slices.DeleteFunc(slices.Clone(refs), func(r types.ManagedObjectReference) bool { return r == gone.Obj }), properties)
		}
		return nil, fmt.Errorf("reading machines: %w", err)
	}
	machines := make([]Machine, len(all))
	for i, vm := range all {
		machines[i] = newMachine(vm)
	}
	return machines, nil
}

func (c *Client) machine(ctx context.Context, ref types.ManagedObjectReference) (Machine, error) {
	all, err := c.machines(ctx, []types.ManagedObjectReference{ref})
	if err != nil {
		return Machine{}, err
	}
	if len(all) != 1 || !all[0].whole {
		return Machine{}, fmt.Errorf("reading machine %s: it has no configuration", ref.Value)
	}
	return all[0], nil
}

func newMachine(vm mo.VirtualMachine) Machine {
	m := Machine{Name: vm.Name, ref: vm.Self, On: vm.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOff, Extra: map[string]string{}}
	if s := vm.Summary.Storage; s != nil {
		m.Committed = s.Committed
	}
	if s := vm.Snapshot; s != nil {
		m.snapshot = s.CurrentSnapshot
	}
	cfg := vm.Config
	if cfg == nil {
		return m
	}
	m.whole = true
	m.Template, m.Firmware, m.Note = cfg.Template, cfg.Firmware, cfg.Annotation
	m.CPUs, m.MemoryMiB = int(cfg.Hardware.NumCPU), int64(cfg.Hardware.MemoryMB)
	m.SecureBoot = cfg.BootOptions != nil && isTrue(cfg.BootOptions.EfiSecureBootEnabled)
	for _, option := range cfg.ExtraConfig {
		m.keep(option.GetOptionValue())
	}
	for _, device := range cfg.Hardware.Device {
		m.look(device)
	}
	return m
}

// keep remembers an option if it is one of those that we set.
func (m *Machine) keep(o *types.OptionValue) {
	text, _ := o.Value.(string)
	for _, key := range []string{markCluster, markNode, markMachine, markImage, markConfig, markStarted, markLinked, markScrubbed, keyUUID, ova.KeyData, ova.KeyEncoding} {
		if text != "" && strings.EqualFold(o.Key, key) { // a host does not tell them apart by case
			m.Extra[key] = text
		}
	}
}

// look remembers the first disk and the first card, and that there are other disks.
func (m *Machine) look(device types.BaseVirtualDevice) {
	switch d := device.(type) {
	case *types.VirtualDisk:
		if m.disk != nil {
			m.Attached = append(m.Attached, fileOf(d))
			break
		}
		m.disk, m.Disk = d, max(d.CapacityInBytes, d.CapacityInKB<<10)
	case types.BaseVirtualEthernetCard:
		if m.card == nil {
			card := d.GetVirtualEthernetCard()
			m.card, m.Network, m.MAC = d, backingKey(card.Backing), strings.ToLower(card.MacAddress)
		}
	}
}

func fileOf(d *types.VirtualDisk) string {
	if b, ok := d.Backing.(types.BaseVirtualDeviceFileBackingInfo); ok {
		return b.GetVirtualDeviceFileBackingInfo().FileName
	}
	return "of no file"
}

func isTrue(b *bool) bool { return b != nil && *b }
