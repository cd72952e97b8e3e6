package esp

import (
	"encoding/binary"
	"unicode/utf16"
)

const (
	entrySize    = 32
	attrLabel    = 0x08
	attrFolder   = 0x10
	attrArchive  = 0x20
	attrLong     = 0x0f
	unitsPerLong = 13   // UTF-16 units in one long-name entry
	lastLong     = 0x40 // marks the last piece, which comes first
)

// stamp is the one time of all entries.
type stamp struct{ date, clock uint16 }

// entry returns one short directory entry.
func (t stamp) entry(name [11]byte, attr byte, first, size uint32) []byte {
	b := make([]byte, entrySize)
	copy(b, name[:])
	b[11] = attr
	le := binary.LittleEndian
	le.PutUint16(b[14:], t.clock) // created
	le.PutUint16(b[16:], t.date)
	le.PutUint16(b[18:], t.date)            // read
	le.PutUint16(b[20:], uint16(first>>16)) // high half of the first cluster
	le.PutUint16(b[22:], t.clock)           // written
	le.PutUint16(b[24:], t.date)
	le.PutUint16(b[26:], uint16(first))
	le.PutUint32(b[28:], size)
	return b
}

func (t stamp) labelEntry(s string) []byte { return t.entry(label(s), attrLabel, 0, 0) }

func dotName(s string) [11]byte { return label(s) }

// shortSum is the checksum that ties long-name entries to their short entry.
func shortSum(short [11]byte) (sum byte) {
	for _, c := range short {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}

// longEntries returns the long-name entries of name in disk order, none if the short name says it all.
func longEntries(name string, short [11]byte) [][]byte {
	if exact, ok := exactShort(name); ok && exact == short {
		return nil
	}
	units := utf16.Encode([]rune(name))
	count := (len(units) + unitsPerLong - 1) / unitsPerLong
	if len(units)%unitsPerLong != 0 {
		units = append(units, 0)
	}
	for len(units) < count*unitsPerLong {
		units = append(units, 0xffff)
	}
	out := make([][]byte, count)
	for i := range out {
		out[count-1-i] = longEntry(units[i*unitsPerLong:(i+1)*unitsPerLong], i+1, i == count-1, shortSum(short))
	}
	return out
}

func longEntry(units []uint16, number int, last bool, sum byte) []byte {
	b := make([]byte, entrySize)
	b[0] = byte(number)
	if last {
		b[0] |= lastLong
	}
	b[11], b[13] = attrLong, sum
	for i, at := range unitOffsets() {
		binary.LittleEndian.PutUint16(b[at:], units[i])
	}
	return b
}

// unitOffsets returns where the units of a long-name entry lie.
func unitOffsets() [unitsPerLong]int {
	return [unitsPerLong]int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}
}

func longBytes(name string, short [11]byte) []byte {
	var b []byte
	for _, e := range longEntries(name, short) {
		b = append(b, e...)
	}
	return b
}
