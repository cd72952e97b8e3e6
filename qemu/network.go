package qemu

import (
	"fmt"
	"slices"
	"strings"
)

// guestPeer is the guest port behind Ports.Peer.
const guestPeer = 7400

// The folders of what several nodes share.
const (
	switchDir  = "switch"
	networkDir = "network"
)

// sockUplink is the switch's socket for the user network; those of the nodes end with .sock.
const sockUplink = "uplink"

// nicArgs gives the node its network card: straight on QEMU's user network when it is alone, else on the switch.
// The guest sees it at a fixed PCI address, so its name is always enp0s3. romfile= : no network boot.
func nicArgs(lab Lab, m Machine, ports map[string]Ports, opts Options) []string {
	netdev := userNetdev(lab, ports, opts)
	if len(lab.Machines) > 1 {
		netdev = streamNetdev("lan", "../../"+switchDir+"/"+m.Name+".sock")
	}
	card := "virtio-net-pci"
	if opts.VMware {
		card = "vmxnet3"
	}
	return []string{
		"-netdev", netdev,
		"-device", card + ",netdev=lan,addr=0x3,romfile=,mac=" + m.mac(lab.ID),
	}
}

// userNetdev is QEMU's own network stack with all forwards; restrict=on keeps guests off everything else.
func userNetdev(lab Lab, ports map[string]Ports, opts Options) string {
	restrict := "on"
	if opts.Open {
		restrict = "off"
	}
	parts := []string{"user", "id=lan", "ipv6=off", "restrict=" + restrict,
		"net=" + lab.Subnet.String(), "host=" + lab.Gateway.String(), "dns=" + lab.DNS.String()}
	for _, m := range lab.Machines {
		p, ok := ports[m.Name]
		if !ok {
			continue
		}
		parts = append(parts,
			fmt.Sprintf("hostfwd=tcp:127.0.0.1:%d-%v:%d", p.API, m.Address, m.APIPort),
			fmt.Sprintf("hostfwd=tcp:127.0.0.1:%d-%v:%d", p.Peer, m.Address, guestPeer))
	}
	return strings.Join(parts, ",")
}

// switchProcess joins several nodes. Nodes come and go by themselves, so cutting one never cuts the others.
func switchProcess(lab Lab, host Host) Process {
	argv := append(slices.Clone(host.Switch), "--uplink", sockUplink)
	for _, m := range lab.Machines {
		argv = append(argv, m.Name+".sock")
	}
	return Process{Dir: switchDir, Argv: argv}
}

// networkProcess is a QEMU without a machine: the user network of several nodes, on the switch.
func networkProcess(lab Lab, host Host, ports map[string]Ports, opts Options) Process {
	return Process{Dir: networkDir, Argv: []string{host.QEMU,
		"-name", processName(lab.Cluster, ""),
		"-no-user-config", "-nodefaults", "-display", "none",
		"-machine", "none",
		"-netdev", userNetdev(lab, ports, opts),
		"-netdev", "hubport,id=hub-lan,hubid=0,netdev=lan",
		"-netdev", streamNetdev("switch", "../"+switchDir+"/"+sockUplink),
		"-netdev", "hubport,id=hub-switch,hubid=0,netdev=switch",
		"-chardev", "socket,id=qmp,server=on,wait=off,path=" + sockQMP,
		"-mon", "chardev=qmp,mode=control"}}
}

// streamNetdev is a cable to a socket of the switch, plugged in again by itself when the switch starts anew.
func streamNetdev(id, socket string) string {
	return "stream,id=" + id + ",server=off,reconnect-ms=500,addr.type=unix,addr.path=" + socket
}
