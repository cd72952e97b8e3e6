package secureboot

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// GUID is one as UEFI writes it: its first three numbers are little-endian.
type GUID [16]byte

// parseGUID reads the usual text of one.
func parseGUID(text string) (g GUID) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || copy(g[:], b) != len(g) {
		panic("no GUID: " + text) // all of them stand in this package
	}
	return g.swapped()
}

func (g GUID) swapped() GUID {
	binary.LittleEndian.PutUint32(g[0:], binary.BigEndian.Uint32(g[0:]))
	binary.LittleEndian.PutUint16(g[4:], binary.BigEndian.Uint16(g[4:]))
	binary.LittleEndian.PutUint16(g[6:], binary.BigEndian.Uint16(g[6:]))
	return g
}

// OwnerOf is the GUID under which a cluster's keys stand in a firmware's lists: derived from its id, as version 8 of RFC 9562.
func OwnerOf(cluster string) GUID {
	sum := sha256.Sum256([]byte("slipway secure boot owner " + cluster))
	var g GUID
	copy(g[:], sum[:])
	g[6], g[8] = g[6]&0x0f|0x80, g[8]&0x3f|0x80
	return g.swapped()
}

// String is the usual text.
func (g GUID) String() string {
	b := hex.EncodeToString(guidBytes(g.swapped()))
	return strings.Join([]string{b[:8], b[8:12], b[12:16], b[16:20], b[20:]}, "-")
}
