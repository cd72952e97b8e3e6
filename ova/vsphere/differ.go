package vsphere

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"slipway/ova"
)

// differences lists where a machine is not what is wanted; nothing, if it is. Of the config it says no more than whether
// it is the right one.
func (w Cluster) differences(n Node, m Machine, have World) []string {
	var d []string
	say := func(differs bool, format string, args ...any) {
		if differs {
			d = append(d, fmt.Sprintf(format, args...))
		}
	}
	say(m.CPUs != n.CPUs, "%d CPUs instead of %d", m.CPUs, n.CPUs)
	say(m.MemoryMiB != n.MemoryMiB, "%d MiB of memory instead of %d", m.MemoryMiB, n.MemoryMiB)
	say(m.Disk < n.Disk, "a disk of %d MiB instead of %d", m.Disk>>20, n.Disk>>20)
	net, there := have.Networks[n.Network]
	say(!there, "%s is not to be found", strings.TrimSpace("its network "+n.Network))
	say(there && m.Network != net, "its card on %s instead of %s", m.Network, cmp.Or(n.Network, net))
	say(n.MAC != "" && m.MAC != n.MAC, "the MAC address %s instead of %s", m.MAC, n.MAC)
	say(m.Firmware != efi, "the firmware %s instead of %s", m.Firmware, efi)
	say(m.SecureBoot != w.SecureBoot, "Secure Boot %t instead of %t", m.SecureBoot, w.SecureBoot)
	say(!strings.EqualFold(m.Extra[keyUUID], "TRUE"), "%s is not TRUE", keyUUID)
	say(n.Guestinfo.Digest != "" && m.Extra[markConfig] != n.Guestinfo.Digest, "its config was rendered anew")
	if !m.started() { // after that Ignition overwrites what it has read
		g := n.Guestinfo
		say(m.Extra[ova.KeyData] != g.Data || m.Extra[ova.KeyEncoding] != g.Encoding, "guestinfo does not hold its config")
	}
	return d
}

// config is everything that is wanted of a node's machine but its devices. It is for a machine that has not started yet.
func (w Cluster) config(n Node, image string) types.VirtualMachineConfigSpec {
	secure := w.SecureBoot
	return types.VirtualMachineConfigSpec{
		NumCPUs:     int32(n.CPUs),
		MemoryMB:    n.MemoryMiB,
		Firmware:    efi,
		BootOptions: &types.VirtualMachineBootOptions{EfiSecureBootEnabled: &secure},
		Annotation:  fmt.Sprintf("Node %s of cluster %s, made by slipway.", n.Name, w.ID),
		ExtraConfig: options(
			markCluster, w.ID, markNode, n.Name, markMachine, n.VM, markImage, image, markConfig, n.Guestinfo.Digest,
			keyUUID, "TRUE", ova.KeyData, n.Guestinfo.Data, ova.KeyEncoding, n.Guestinfo.Encoding,
		),
	}
}

// options makes extra configuration of keys and values. An empty value removes its key.
func options(pairs ...string) []types.BaseOptionValue {
	var all []types.BaseOptionValue
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, &types.OptionValue{Key: pairs[i], Value: pairs[i+1]})
	}
	return all
}

// lacks are the options that m does not have yet. vCenter's record of a change holds the values that it is sent, so a
// config is sent no more often than needed.
func (m Machine) lacks(all []types.BaseOptionValue) []types.BaseOptionValue {
	return slices.DeleteFunc(all, func(o types.BaseOptionValue) bool {
		option := o.GetOptionValue()
		return m.Extra[option.Key] == option.Value
	})
}

// devices grows the disk and connects the card of m as n wants. m must have both.
func (n Node) devices(m Machine, net network) ([]types.BaseVirtualDeviceConfigSpec, error) {
	if m.disk == nil || m.card == nil {
		return nil, fmt.Errorf("machine %q has no disk or no network card: the template is not of a Slipway image", m.Name)
	}
	var changes []types.BaseVirtualDeviceConfigSpec
	if m.Disk < n.Disk {
		disk := *m.disk
		disk.CapacityInBytes, disk.CapacityInKB = n.Disk, n.Disk>>10
		changes = append(changes, edit(&disk))
	}
	if card := m.card.GetVirtualEthernetCard(); m.Network != net.key || n.MAC != "" && m.MAC != n.MAC {
		card.Backing = net.backing
		if n.MAC != "" {
			card.AddressType, card.MacAddress = string(types.VirtualEthernetCardMacTypeManual), n.MAC
		}
		changes = append(changes, edit(m.card.(types.BaseVirtualDevice)))
	}
	return changes, nil
}

func edit(d types.BaseVirtualDevice) types.BaseVirtualDeviceConfigSpec {
	return &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: d}
}
