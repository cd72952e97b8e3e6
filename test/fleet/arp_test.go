//go:build fleet

package fleet_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// holders asks the network who has the VIP, as RFC 826 has it, and gives the names of all machines that answer.
func (f *fleet) holders() []string {
	f.t.Helper()
	card, err := net.InterfaceByName(bridge)
	if err != nil {
		f.fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, int(order(syscall.ETH_P_ARP)))
	if err != nil {
		f.fatal(err)
	}
	defer syscall.Close(fd)
	everybody := &syscall.SockaddrLinklayer{Protocol: order(syscall.ETH_P_ARP), Ifindex: card.Index, Halen: 6, Addr: [8]byte{255, 255, 255, 255, 255, 255}}
	if err := syscall.Sendto(fd, question(card.HardwareAddr, netip.MustParseAddr(gateway), netip.MustParseAddr(f.vip)), 0, everybody); err != nil {
		f.fatal(err)
	}
	var found []string
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
		wait := syscall.NsecToTimeval(max(1, int64(time.Until(end))))
		if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &wait); err != nil {
			f.fatal(err)
		}
		var p [64]byte
		n, _, err := syscall.Recvfrom(fd, p[:], 0)
		if err != nil || n < 42 || binary.BigEndian.Uint16(p[20:]) != arpReply || netip.AddrFrom4([4]byte(p[28:32])).String() != f.vip {
			continue
		}
		found = append(found, f.owner(net.HardwareAddr(p[22:28])))
	}
	slices.Sort(found)
	return slices.Compact(found)
}

const arpRequest, arpReply = 1, 2

// question is an Ethernet frame that asks for the card of an address.
func question(from net.HardwareAddr, sender, wanted netip.Addr) []byte {
	frame := slices.Concat([]byte{255, 255, 255, 255, 255, 255}, from, []byte{0x08, 0x06}, // to all, ARP
		[]byte{0, 1, 0x08, 0, 6, 4, 0, arpRequest}, // Ethernet, IPv4, their lengths
		from, sender.AsSlice(), make([]byte, 6), wanted.AsSlice())
	return append(frame, make([]byte, 60-len(frame))...)
}

// owner is the node with this card.
func (f *fleet) owner(card net.HardwareAddr) string {
	for name, n := range f.nodes {
		if n.mac() == card.String() {
			return name
		}
	}
	return card.String()
}

func (n *node) mac() string { return fmt.Sprintf("52:54:00:99:00:%02x", n.id+1) }

// order gives a protocol's number in the order of the network.
func order(v uint16) uint16 { return v<<8 | v>>8 }
