package qemu

import (
	"fmt"
	"strings"
)

// The guest ports behind Ports.
const (
	guestAPI  = 6443
	guestPeer = 7400
)

const switchDir = "switch"

// nicArgs gives the node its network card: straight on QEMU's user network when it is alone, else on the switch.
// The guest sees it at a fixed PCI address, so its name is always enp0s3. romfile= : no network boot.
func nicArgs(lab Lab, m Machine, ports map[string]Ports, opts Options) []string {
	netdev := userNetdev(lab, ports, opts)
	if len(lab.Machines) > 1 {
		netdev = "stream,id=lan,server=off,reconnect-ms=500,addr.type=unix,addr.path=../../" + switchDir + "/" + m.Name + ".sock"
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
			fmt.Sprintf("hostfwd=tcp:127.0.0.1:%d-%v:%d", p.API, m.Address, guestAPI),
			fmt.Sprintf("hostfwd=tcp:127.0.0.1:%d-%v:%d", p.Peer, m.Address, guestPeer))
	}
	return strings.Join(parts, ",")
}

// switchProcess is a QEMU without a machine: a hub with the user network and one socket a node on it. Nodes come
// and go by themselves, so cutting one never cuts the others.
func switchProcess(lab Lab, host Host, ports map[string]Ports, opts Options) Process {
	argv := []string{host.QEMU,
		"-name", processName(lab.Cluster, ""),
		"-no-user-config", "-nodefaults", "-display", "none",
		"-machine", "none",
		"-netdev", userNetdev(lab, ports, opts),
		"-netdev", "hubport,id=hub-lan,hubid=0,netdev=lan",
	}
	for i, m := range lab.Machines {
		argv = append(argv,
			"-netdev", fmt.Sprintf("stream,id=node%d,server=on,addr.type=unix,addr.path=%s.sock", i, m.Name),
			"-netdev", fmt.Sprintf("hubport,id=hub-node%d,hubid=0,netdev=node%d", i, i))
	}
	argv = append(argv,
		"-chardev", "socket,id=qmp,server=on,wait=off,path="+sockQMP,
		"-mon", "chardev=qmp,mode=control")
	return Process{Dir: switchDir, Argv: argv}
}
