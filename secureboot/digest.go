package secureboot

import (
	"crypto/sha256"
	"fmt"
)

// digest is a program's: of all of it but the checksum, the place of the signatures and the signatures, in whole groups of 8 bytes.
func (l layout) digest(b []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(b[:l.checksum])
	h.Write(b[l.checksum+4 : l.directory])
	h.Write(b[l.directory+8 : l.table])
	h.Write(make([]byte, (8-l.table%8)%8))
	return [sha256.Size]byte(h.Sum(nil))
}

// guarded calls into go-uefi, which has panicked on malformed input before, and makes an error of a panic.
func guarded(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it is malformed: %v", p)
		}
	}()
	return call()
}
