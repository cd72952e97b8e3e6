package ova

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Header is a tar header as it lies in the archive.
type Header struct {
	Name, Prefix string
	Mode         int64
	UID, GID     int64
	Size         int64
	Binary       bool  // the size is GNU's base-256 number
	Time         int64 // seconds since 1970
	Type         byte  // '0' for a file
	Link         string
	Magic        string // magic and version, 8 bytes
	Owner, Group string
	Sum          bool // the checksum is right
}

// Magic and version of the two kinds of header.
const (
	magicUSTAR = "ustar\x0000"
	magicGNU   = "ustar  \x00"
	magicAt    = 257
)

// field is one part of a header block.
type field struct {
	name       string
	start, end int
}

// fields is the layout of a header block; what follows is padding.
func fields() []field {
	return []field{
		{"name", 0, 100}, {"mode", 100, 108}, {"uid", 108, 116}, {"gid", 116, 124}, {"size", 124, 136}, {"mtime", 136, 148},
		{"checksum", 148, 156}, {"type", 156, 157}, {"link name", 157, 257}, {"magic", 257, 265}, {"owner", 265, 297},
		{"group", 297, 329}, {"device", 329, 345}, {"prefix", 345, 500}, {"padding", 500, blockSize},
	}
}

// fieldAt names the field that byte i of a header lies in.
func fieldAt(i int) string {
	for _, f := range fields() {
		if i < f.end {
			return f.name
		}
	}
	return "padding"
}

// parseHeader decodes one block of 512 bytes. Only a size that makes no sense is an error: nothing after it can be found.
func parseHeader(b []byte) (Header, error) {
	h := Header{
		Name: text(b[0:100]), Type: b[156], Link: text(b[157:257]), Magic: string(b[magicAt:265]),
		Owner: text(b[265:297]), Group: text(b[297:329]), Prefix: text(b[345:500]),
	}
	if !strings.HasPrefix(h.Magic, "ustar") {
		return h, errors.New("there is no tar header")
	}
	var err error
	if h.Size, h.Binary, err = number(b[124:136]); err != nil {
		return h, fmt.Errorf("size of %q: %w", h.Name, err)
	}
	for _, n := range []struct {
		to   *int64
		from []byte
	}{{&h.Mode, b[100:108]}, {&h.UID, b[108:116]}, {&h.GID, b[116:124]}, {&h.Time, b[136:148]}} {
		if *n.to, _, err = number(n.from); err != nil {
			*n.to = -1 // no valid one
		}
	}
	want, _, err := number(b[148:156])
	h.Sum = err == nil && want == checksum(b)
	return h, nil
}

// checksum adds up the bytes of a header, with the checksum itself taken as spaces.
func checksum(b []byte) int64 {
	var sum int64
	for i, c := range b {
		if i >= 148 && i < 156 {
			c = ' '
		}
		sum += int64(c)
	}
	return sum
}

func text(b []byte) string {
	before, _, _ := bytes.Cut(b, []byte{0})
	return string(before)
}

// number is an octal number, or a binary one of GNU tar whose first bit is set.
func number(b []byte) (n int64, binary bool, err error) {
	if b[0]&0x80 == 0 {
		digits := strings.Trim(string(b), " \x00")
		n, err := strconv.ParseInt(digits, 8, 64)
		if err != nil || n < 0 {
			return 0, false, fmt.Errorf("%q is no octal number", digits)
		}
		return n, false, nil
	}
	for i, c := range b {
		if i == 0 {
			c &= 0x7f
		}
		if n > math.MaxInt64>>8 {
			return 0, true, fmt.Errorf("binary number 0x%x is out of range", b)
		}
		n = n<<8 | int64(c)
	}
	return n, true, nil
}
