package disk

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// GUID is a GUID in the order of its text form; [GUID.onDisk] gives the order that GPT stores.
type GUID [16]byte

// ParseGUID reads the form 8-4-4-4-12.
func ParseGUID(s string) (GUID, error) {
	var g GUID
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != len(g) {
		return g, fmt.Errorf("parsing GUID %q: not 32 hexadecimal digits", s)
	}
	copy(g[:], b)
	if !strings.EqualFold(g.String(), s) {
		return g, fmt.Errorf("parsing GUID %q: dashes are not at 8-4-4-4-12", s)
	}
	return g, nil
}

// DeriveGUID returns the GUID that seed and name always give: never random, so that builds repeat. It is marked as
// version 8 (RFC 9562: made in a way of one's own).
func DeriveGUID(seed, name string) GUID {
	sum := sha256.Sum256([]byte(seed + "\x00" + name))
	g := GUID(sum[:16])
	g[6] = g[6]&0x0f | 0x80
	g[8] = g[8]&0x3f | 0x80
	return g
}

// VerityGUIDs returns the partition GUIDs by which systemd-veritysetup-generator finds the root file system and its
// hash tree: the two halves of the root hash.
func VerityGUIDs(rootHash [32]byte) (root, tree GUID) {
	return GUID(rootHash[:16]), GUID(rootHash[16:])
}

// String returns the form 8-4-4-4-12 in lower case.
func (g GUID) String() string {
	h := hex.EncodeToString(g[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// onDisk swaps between text order and GPT's order, where the first three groups are little-endian.
func (g GUID) onDisk() GUID {
	return GUID{g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]}
}
