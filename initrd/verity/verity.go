// Package verity opens a dm-verity device: it reads the superblock that veritysetup's format has, writes the kernel's table
// line, and hands it to device mapper by ioctl. Start with [ReadSuperblock], [Superblock.Params] and [Open].
//
// Formats: https://gitlab.com/cryptsetup/cryptsetup/-/wikis/DMVerity, the kernel's
// Documentation/admin-guide/device-mapper/verity.rst and include/uapi/linux/dm-ioctl.h.
package verity

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Superblock is what the first bytes of a hash tree say.
type Superblock struct {
	UUID                 [16]byte
	Algorithm            string
	DataBlock, HashBlock uint32 // bytes
	DataBlocks           uint64
	Salt                 []byte
}

// superblockSize is what is used of the first 512 bytes.
const superblockSize = 80 + 8 + 256

// ReadSuperblock reads the superblock at the front of a hash tree.
func ReadSuperblock(r io.ReaderAt) (Superblock, error) {
	b := make([]byte, superblockSize)
	if _, err := r.ReadAt(b, 0); err != nil {
		return Superblock{}, fmt.Errorf("reading the hash tree: %w", err)
	}
	if string(b[:8]) != "verity\x00\x00" || binary.LittleEndian.Uint32(b[8:]) != 1 || binary.LittleEndian.Uint32(b[12:]) != 1 {
		return Superblock{}, errors.New("reading the hash tree: it has no superblock of version 1")
	}
	s := Superblock{
		UUID: [16]byte(b[16:32]), Algorithm: strings.TrimRight(string(b[32:64]), "\x00"),
		DataBlock: binary.LittleEndian.Uint32(b[64:]), HashBlock: binary.LittleEndian.Uint32(b[68:]), DataBlocks: binary.LittleEndian.Uint64(b[72:]),
	}
	salt := int(binary.LittleEndian.Uint16(b[80:]))
	if salt > 256 || s.DataBlock < 512 || s.HashBlock < 512 || s.DataBlocks == 0 || s.DataBlocks > 1<<40 || strings.ContainsAny(s.Algorithm, " \t\n\\") || s.Algorithm == "" {
		return Superblock{}, errors.New("reading the hash tree: its superblock makes no sense")
	}
	s.Salt = b[88 : 88+salt]
	return s, nil
}

// Sectors is the size of the verified device, in units of 512 bytes.
func (s Superblock) Sectors() uint64 { return s.DataBlocks * uint64(s.DataBlock) / 512 }

// Params is the kernel's table line. data and tree are devices as MAJOR:MINOR. A block that is not what was signed ends in a
// panic, so that nothing goes on with it and the boot loader can fall back.
func (s Superblock) Params(data, tree, rootHash string) string {
	salt := hex.EncodeToString(s.Salt)
	if salt == "" {
		salt = "-"
	}
	const superblocks = 1 // the tree begins behind it
	return fmt.Sprintf("1 %s %s %d %d %d %d %s %s %s 1 panic_on_corruption", data, tree, s.DataBlock, s.HashBlock, s.DataBlocks, superblocks, s.Algorithm, rootHash, salt)
}

// ID is the name that device mapper, and with it udev and cryptsetup, know such a device by.
func (s Superblock) ID(name string) string {
	return "CRYPT-VERITY-" + hex.EncodeToString(s.UUID[:]) + "-" + name
}
