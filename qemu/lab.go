package qemu

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
)

// Lab is what QEMU has to know of a cluster.
type Lab struct {
	Cluster  string       // name: a DNS label
	ID       string       // cluster id: part of what MACs and UUIDs are derived from
	Subnet   netip.Prefix // the nodes' network, masked
	Gateway  netip.Addr   // QEMU answers here
	DNS      netip.Addr   // ... and here, when the network is open
	DiskSize int64        // of each node's disk, bytes
	Machines []Machine    // in the spec's order
}

// Machine is one node.
type Machine struct {
	Name    string
	Address netip.Addr
	MAC     string // empty: derived from cluster id and name
	APIPort int    // where the cluster's API is on it, if it has one: of its balancer before that of its API server
}

// mac returns the machine's own address or one in QEMU's range 52:54:00 that only depends on cluster and name.
func (m Machine) mac(id string) string {
	if m.MAC != "" {
		return m.MAC
	}
	sum := derive(id, m.Name, "mac")
	return fmt.Sprintf("52:54:00:%02x:%02x:%02x", sum[0], sum[1], sum[2])
}

// uuid is a version 8 UUID (RFC 9562: custom) for the machine's SMBIOS tables.
func (m Machine) uuid(id string) string {
	sum := derive(id, m.Name, "uuid")
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

func derive(id, name, what string) [sha256.Size]byte {
	return sha256.Sum256([]byte("slipway/" + id + "/" + name + "/" + what))
}

// machine returns the machine of that name.
func (l Lab) machine(name string) (Machine, bool) {
	for _, m := range l.Machines {
		if m.Name == name {
			return m, true
		}
	}
	return Machine{}, false
}

// names of all machines, in the spec's order.
func (l Lab) names() []string {
	var names []string
	for _, m := range l.Machines {
		names = append(names, m.Name)
	}
	return names
}

// freeAddress is the first address after the network's own one that satisfies free.
func freeAddress(subnet netip.Prefix, free func(netip.Addr) bool) (netip.Addr, bool) {
	for a := subnet.Masked().Addr().Next(); subnet.Contains(a); a = a.Next() {
		if free(a) {
			return a, true
		}
	}
	return netip.Addr{}, false
}
