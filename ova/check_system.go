package ova

import (
	"slices"
	"strconv"
	"strings"
)

const transport = "com.vmware.guestInfo"

// Resource types of CIM that a descriptor of ours has.
const (
	typeCPU        = "3"
	typeMemory     = "4"
	typeController = "6"
	typeAdapter    = "10"
	typeDisk       = "17"
)

// system checks the virtual machine.
func (e *envelope) system(n *node, networks []string) {
	e.report.Name = n.attr(nsOVF, "id")
	if name := n.value(nsOVF, "Name"); name != e.report.Name || name == "" {
		e.wrong(n, "virtual machine has identifier %q and name %q", short(e.report.Name), short(name))
	}
	if s := e.one(n, nsOVF, "OperatingSystemSection"); s != nil {
		e.report.Hardware.GuestOS = s.attr(nsVMW, "osType")
		if !guestOS(e.report.Hardware.GuestOS) {
			e.wrong(s, "guest identifier %q is not one of a 64-bit system", short(e.report.Hardware.GuestOS))
		}
	}
	if s := e.one(n, nsOVF, "VirtualHardwareSection"); s != nil {
		e.hardware(s)
		e.devices(s, networks)
	}
	if s := e.one(n, nsOVF, "ProductSection"); s != nil {
		e.product(s)
	}
}

// hardware checks transport, version and firmware.
func (e *envelope) hardware(n *node) {
	if got := n.attr(nsOVF, "transport"); got != transport {
		e.wrong(n, "transport is %q, want %q: the guest could not read its properties", short(got), transport)
	}
	h := &e.report.Hardware
	if s := e.one(n, nsOVF, "System"); s != nil {
		typ := s.value(nsVSSD, "VirtualSystemType")
		number, ok := strings.CutPrefix(typ, "vmx-")
		h.Version, _ = strconv.Atoi(number)
		if !ok || strconv.Itoa(h.Version) != number {
			e.wrong(s, "hardware version %q is not vmx- and a number", short(typ))
			h.Version = 0
		}
	}
	settings := map[string]string{}
	for _, s := range n.all(nsVMW, "Config") {
		key := s.attr(nsVMW, "key")
		if _, twice := settings[key]; twice {
			e.wrong(s, "setting %q is there twice", short(key))
		}
		settings[key] = s.attr(nsVMW, "value")
		if s.attr(nsOVF, "required") != "false" {
			e.wrong(s, "setting %q is not marked as not required: importers that do not know it would refuse", short(key))
		}
	}
	if got := settings["firmware"]; got != "efi" {
		e.wrong(n, "firmware is %q, want \"efi\"", short(got))
	}
	e.secureBoot(n, settings["bootOptions.efiSecureBootEnabled"], settings["firmware"])
}

func (e *envelope) secureBoot(n *node, value, firmware string) {
	h := &e.report.Hardware
	h.SecureBoot = value == "true"
	if !slices.Contains([]string{"", "false", "true"}, value) {
		e.wrong(n, "Secure Boot is %q, want true or false", short(value))
	}
	if h.SecureBoot && firmware != "efi" {
		e.wrong(n, "Secure Boot needs EFI firmware, not %q", short(firmware))
	}
	if !slices.Contains(versions(), h.Version) {
		e.wrong(n, "hardware version %d is not one of %d, which ESXi runs with EFI and Secure Boot", h.Version, versions())
	}
}

// devices checks every device by its type.
func (e *envelope) devices(section *node, networks []string) {
	items := section.all(nsOVF, "Item")
	controllers, seen := map[string]bool{}, map[string]int{}
	for _, n := range items {
		id, typ := n.value(nsRASD, "InstanceID"), n.value(nsRASD, "ResourceType")
		if e.used["instance "+id] || id == "" {
			e.wrong(n, "instance identifier %q is empty or not unique", short(id))
		}
		e.used["instance "+id] = true
		seen[typ]++
		if typ == typeController {
			controllers[id] = true
		}
	}
	for _, n := range items {
		e.device(n, networks, controllers)
	}
	for _, want := range []struct{ typ, what string }{{typeCPU, "processor"}, {typeMemory, "memory"}, {typeController, "SCSI controller"}} {
		if seen[want.typ] != 1 {
			e.wrong(section, "there are %d %s items, want 1", seen[want.typ], want.what)
		}
	}
	if seen[typeDisk] == 0 || seen[typeAdapter] == 0 {
		e.wrong(section, "there are %d disks and %d network adapters, want at least 1 of each", seen[typeDisk], seen[typeAdapter])
	}
}

func (e *envelope) device(n *node, networks []string, controllers map[string]bool) {
	h := &e.report.Hardware
	sub := n.value(nsRASD, "ResourceSubType")
	switch typ := n.value(nsRASD, "ResourceType"); typ {
	case typeCPU:
		h.CPUs = int(e.quantity(n, "hertz * 10^6", maxCPUs))
	case typeMemory:
		h.MemoryMiB = e.quantity(n, "byte * 2^20", maxMemory<<10)
	case typeController:
		if sub != "VirtualSCSI" {
			e.wrong(n, "SCSI controller is %q, want \"VirtualSCSI\"", short(sub))
		}
	case typeAdapter:
		if sub != "VmxNet3" {
			e.wrong(n, "network adapter is %q, want \"VmxNet3\"", short(sub))
		}
		network := n.value(nsRASD, "Connection")
		if !slices.Contains(networks, network) {
			e.wrong(n, "network %q is not in the NetworkSection", short(network))
		}
		h.Networks = append(h.Networks, network)
	case typeDisk:
		e.attached(n, controllers)
	default:
		if n.attr(nsOVF, "required") != "false" {
			e.wrong(n, "device of type %q is not marked as not required", short(typ))
		}
	}
}

// quantity is a number of processors or MiB.
func (e *envelope) quantity(n *node, units string, most int64) int64 {
	if got := n.value(nsRASD, "AllocationUnits"); got != units {
		e.wrong(n, "allocation units are %q, want %q", short(got), units)
	}
	text := n.value(nsRASD, "VirtualQuantity")
	q, err := strconv.ParseInt(text, 10, 64)
	if err != nil || q < 1 || q > most {
		e.wrong(n, "quantity %q is not between 1 and %d", short(text), most)
		return 0
	}
	return q
}

func (e *envelope) attached(n *node, controllers map[string]bool) {
	resource := n.value(nsRASD, "HostResource")
	id, _ := strings.CutPrefix(resource, "ovf:/disk/")
	if _, ok := e.disks[id]; !ok || id == resource {
		e.wrong(n, "device refers to disk %q, which is not in the DiskSection", short(resource))
	} else if e.used["disk "+id] {
		e.wrong(n, "disk %q is attached twice", short(id))
	}
	e.used["disk "+id] = true
	if parent := n.value(nsRASD, "Parent"); !controllers[parent] {
		e.wrong(n, "disk %q is on device %q, which is not a SCSI controller", short(id), short(parent))
	}
	unit := n.value(nsRASD, "AddressOnParent")
	if u, err := strconv.Atoi(unit); err != nil || u < 0 || u > maxDisks || u == controllerUnit {
		e.wrong(n, "disk %q has address %q on its controller", short(id), short(unit))
	}
}

// product checks the properties that the guest gets its config by.
func (e *envelope) product(section *node) {
	e.report.Product = Product{section.value(nsOVF, "Product"), section.value(nsOVF, "Vendor"), section.value(nsOVF, "Version")}
	missing := []string{KeyData, KeyEncoding}
	for _, n := range section.all(nsOVF, "Property") {
		key := n.attr(nsOVF, "key")
		missing = slices.DeleteFunc(missing, func(s string) bool { return s == key })
		if key != KeyData && key != KeyEncoding {
			continue
		}
		if got := n.attr(nsOVF, "userConfigurable"); got != "true" {
			e.wrong(n, "property %q has userConfigurable %q, want \"true\": nobody could set it", key, short(got))
		}
		if got := n.attr(nsOVF, "type"); got != "string" {
			e.wrong(n, "property %q has type %q, want \"string\"", key, short(got))
		}
		if got := n.attr(nsOVF, "value"); got != "" {
			e.wrong(n, "property %q has a value of %d bytes: every machine made from the package would get it", key, len(got))
		}
	}
	for _, key := range missing {
		e.wrong(section, "there is no property %q", key)
	}
}
