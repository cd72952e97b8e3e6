package cluster

import (
	"fmt"
	"slices"
	"strings"
)

// What a virtual machine has at least, and if nothing is said.
const (
	memoryStep    = 4 * MiB
	minMemory     = 1 * GiB
	defaultCPUs   = 2
	defaultMemory = 4 * GiB
)

// MachineOf is the virtual machine of a node: what the node says itself, else the largest that one of its roles says,
// else what is said for all, else the defaults. An empty network is the only one there is.
func (s *Spec) MachineOf(n Node) Machine {
	m, byRole := n.VSphere, Machine{}
	for _, role := range n.Roles {
		r := s.VSphere.Machines[role]
		byRole.CPUs, byRole.Memory, byRole.Disk = max(byRole.CPUs, r.CPUs), max(byRole.Memory, r.Memory), max(byRole.Disk, r.Disk)
		set(&byRole.Network, r.Network)
	}
	m.complete(byRole)
	m.complete(s.VSphere.Machines[RoleAll])
	m.complete(Machine{CPUs: defaultCPUs, Memory: defaultMemory, Disk: s.Image.Size, Network: s.VSphere.Network})
	return m
}

// complete takes what is not said yet from another.
func (m *Machine) complete(other Machine) {
	set(&m.CPUs, other.CPUs)
	set(&m.Memory, other.Memory)
	set(&m.Disk, other.Disk)
	set(&m.Network, other.Network)
}

// hardwareVersions are those of ESXi that know Secure Boot; 16 was never one.
var hardwareVersions = []int{13, 14, 15, 17, 18, 19, 20, 21, 22}

func (s *Spec) validateVSphere(d *document) {
	p, v := at("vsphere"), s.VSphere
	validateInventory(d, p.with("library"), v.Library, false)
	validateInventory(d, p.with("template"), v.Template, false)
	for key, name := range map[string]string{
		"datacenter": v.Datacenter, "cluster": v.Cluster, "datastore": v.Datastore, "network": v.Network,
	} {
		validateInventory(d, p.with(key), strings.TrimPrefix(name, "/"), true) // a path may begin at the root
	}
	validateInventory(d, p.with("pool"), v.Pool, true)
	validateInventory(d, p.with("folder"), v.Folder, true)
	if !slices.Contains(hardwareVersions, v.Hardware) {
		d.fail(p.with("hardwareVersion"), fmt.Sprint(hardwareVersions)+"; 15 runs on ESXi 6.7 U2 and newer", "hardware version %d does not work", v.Hardware)
	}
	if v.SecureBoot {
		d.warn(p.with("secureBoot"), "leave it out until images can be signed", "the image of this version is not signed: a machine with Secure Boot does not start it")
	}
	for role, m := range v.Machines {
		at := p.with("machines").with(role)
		if !slices.Contains(butaneRoles, role) {
			d.failKey(at, allowed(string(role), butaneRoles), "role %q does not exist", role)
			continue
		}
		m.validate(d, at, s.Image.Size)
	}
	for i, n := range s.Nodes {
		n.VSphere.validate(d, at("nodes", i, "vsphere"), s.Image.Size)
		s.validateNodeNetwork(d, at("nodes", i), n)
	}
}

// escaped are the characters that vCenter's inventory does not write as they are.
var escaped = strings.NewReplacer("%2f", "", "%2F", "", "%5c", "", "%5C", "", "%25", "")

// validateInventory refuses what cannot be a name in vCenter's inventory, where a slash separates folders.
func validateInventory(d *document, p path, name string, folders bool) {
	names := []string{name}
	if folders {
		names = strings.Split(name, "/")
	}
	for _, n := range names {
		if name != "" && (n == "" || len(n) > 80 || n == "." || n == ".." || strings.ContainsAny(escaped.Replace(n), "/\\%*?[]\n")) {
			d.fail(p, "a name of at most 80 characters, without * ? [ ], and with %2f, %5c and %25 for / \\ %, as vCenter's API and govc write them", "%q is not a name in vCenter", name)
			return
		}
	}
}

// validate judges what is said; an absent value is fine.
func (m Machine) validate(d *document, p path, image Size) {
	if m.CPUs > 128 {
		d.fail(p.with("cpus"), "1 to 128", "%d CPUs do not work", m.CPUs)
	}
	if m.Memory != 0 && (m.Memory < minMemory || m.Memory%memoryStep != 0) {
		d.fail(p.with("memory"), "at least "+minMemory.String()+", in multiples of "+memoryStep.String(), "%s of memory do not work", m.Memory)
	}
	if m.Disk != 0 && (m.Disk < image || m.Disk%MiB != 0) {
		d.fail(p.with("disk"), "whole MiB, at least image.size, which is "+image.String(), "a disk of %s does not work", m.Disk)
	}
	validateInventory(d, p.with("network"), strings.TrimPrefix(m.Network, "/"), true)
}

// validateNodeNetwork: a machine has one card, so roles that meet on a node cannot name two networks.
func (s *Spec) validateNodeNetwork(d *document, p path, n Node) {
	if n.VSphere.Network != "" {
		return
	}
	first := ""
	for _, role := range n.Roles {
		name := s.VSphere.Machines[role].Network
		if first != "" && name != "" && name != first {
			d.fail(p.with("roles"), "say which under the node's own vsphere.network", "the roles of node %q are on two networks, %q and %q", n.Name, first, name)
			return
		}
		set(&first, name)
	}
}
