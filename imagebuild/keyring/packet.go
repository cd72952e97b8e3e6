package keyring

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
)

var errCut = errors.New("it ends in the middle of a packet, or is none")

// packet takes the first packet off: RFC 9580, section 4.2. Keys have no packets of partial or unknown length.
func packet(data []byte) (tag byte, body, rest []byte, err error) {
	if len(data) < 2 || data[0]&0x80 == 0 {
		return 0, nil, nil, errCut
	}
	var length, head int
	if data[0]&0x40 != 0 {
		tag = data[0] & 0x3f
		length, head = newLength(data[1:])
	} else {
		tag = data[0] >> 2 & 0x0f
		length, head = oldLength(data[0]&3, data[1:])
	}
	data = data[1:]
	if head == 0 || length < 0 || length > len(data)-head {
		return 0, nil, nil, errCut
	}
	return tag, data[head : head+length], data[head+length:], nil
}

// newLength returns the length of a body and that of the length itself; 0 if there is none.
func newLength(b []byte) (length, head int) {
	switch first := int(b[0]); {
	case first < 192:
		return first, 1
	case first < 224 && len(b) >= 2:
		return (first-192)<<8 + int(b[1]) + 192, 2
	case first == 255 && len(b) >= 5:
		return int(binary.BigEndian.Uint32(b[1:])), 5
	}
	return 0, 0
}

func oldLength(kind byte, b []byte) (length, head int) {
	switch {
	case kind == 0:
		return int(b[0]), 1
	case kind == 1 && len(b) >= 2:
		return int(binary.BigEndian.Uint16(b)), 2
	case kind == 2 && len(b) >= 4:
		return int(binary.BigEndian.Uint32(b)), 4
	}
	return 0, 0
}

const (
	armorBegin = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
	armorEnd   = "-----END PGP PUBLIC KEY BLOCK-----"
)

// dearmor reads all blocks of a file. The checksum after a block says nothing that a fingerprint does not.
func dearmor(data []byte) ([]byte, error) {
	var out []byte
	for {
		_, block, found := bytes.Cut(data, []byte(armorBegin))
		if !found {
			return out, nil
		}
		block, data, found = bytes.Cut(block, []byte(armorEnd))
		if !found {
			return nil, errors.New("its armor has no end")
		}
		var text strings.Builder
		for line := range strings.Lines(string(block)) {
			line = strings.TrimSpace(line)
			if !strings.Contains(line, ":") && !strings.HasPrefix(line, "=") { // neither a header nor the checksum
				text.WriteString(line)
			}
		}
		part, err := base64.StdEncoding.DecodeString(text.String())
		if err != nil {
			return nil, errors.New("its armor is damaged")
		}
		out = append(out, part...)
	}
}
