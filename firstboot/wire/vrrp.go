package wire

import (
	"encoding/binary"
	"net/netip"
)

// Advert is what a router says of itself in VRRP, version 2 or 3 (RFC 5798, section 5.2).
type Advert struct {
	From     netip.Addr
	RouterID byte
	Priority byte
}

// VRRP's number among the protocols of IP, the group that routers announce themselves to, and the kind of packet.
const (
	protocolVRRP  = 112
	advertisement = 1
)

var allRouters = [4]byte{224, 0, 0, 18}

// readAdvert reads an IPv4 packet.
func readAdvert(packet []byte) (Advert, bool) {
	if len(packet) < 20 || packet[0]>>4 != 4 || packet[9] != protocolVRRP {
		return Advert{}, false
	}
	header, total := int(packet[0]&15)*4, int(binary.BigEndian.Uint16(packet[2:]))
	if header < 20 || total > len(packet) || total < header+8 {
		return Advert{}, false
	}
	vrrp := packet[header:total]
	if version := vrrp[0] >> 4; vrrp[0]&15 != advertisement || version != 2 && version != 3 {
		return Advert{}, false
	}
	return Advert{From: netip.AddrFrom4([4]byte(packet[12:])), RouterID: vrrp[1], Priority: vrrp[2]}, true
}
