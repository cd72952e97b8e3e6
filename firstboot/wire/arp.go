package wire

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
)

// Numbers of ARP over Ethernet (RFC 826), and where they are in a frame: 14 bytes of Ethernet, 28 of ARP, then padding.
const (
	etherARP   = 0x0806
	arpFrame   = 42
	minFrame   = 60 // without the checksum
	opRequest  = 1
	senderCard = 22
	senderIP   = 28
)

var (
	everybody = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	// Ethernet and IPv4 with their lengths of an address.
	arpOverEthernet = []byte{0, 1, 0x08, 0, 6, 4}
)

// probe is a question to all for the card of an address. The asker names no address of its own, as RFC 5227 has it (section 1.1):
// nobody takes down anything about it, and nobody answers for an address that he merely routes to.
func probe(own net.HardwareAddr, wanted netip.Addr) []byte {
	frame := slices.Concat(everybody, own, binary.BigEndian.AppendUint16(nil, etherARP),
		arpOverEthernet, []byte{0, opRequest}, own, make([]byte, 4), make([]byte, 6), wanted.AsSlice())
	return append(frame, make([]byte, minFrame-len(frame))...)
}

// claim reads who says of himself that he has which address: in an answer, a question or an announcement. ok is false for a frame that
// says nothing of the kind, a probe among them.
func claim(frame []byte) (card net.HardwareAddr, addr netip.Addr, ok bool) {
	if len(frame) < arpFrame || binary.BigEndian.Uint16(frame[12:]) != etherARP || !bytes.Equal(frame[14:20], arpOverEthernet) {
		return nil, netip.Addr{}, false
	}
	card = slices.Clone(net.HardwareAddr(frame[senderCard : senderCard+6]))
	addr = netip.AddrFrom4([4]byte(frame[senderIP:]))
	return card, addr, !addr.IsUnspecified()
}
