package gpt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

const (
	alignment = 1 << 20   // bytes, of partitions
	minState  = 512 << 20 // bytes
	readOnly  = 1 << 60   // attribute of the Discoverable Partitions Specification
	emptyName = "_empty"  // of a slot that nothing was written to
)

// Change is one partition that the kernel must be told of.
type Change struct {
	Partition
	New bool // else it has grown
}

// Grow completes the table in memory: slot B and its hash tree as large as those of A, and state to the disk's end. With
// state made, the loader's partition gets a GUID of its own: all disks written from one image have the same one, by which
// the loader could not tell them apart at the next start. random gives 16 bytes. No change means a table that is complete.
func (t *Table) Grow(random func() []byte) ([]Change, error) {
	parts := t.Partitions()
	next := uint64(0) // sector behind all partitions
	var first, second = map[string]Partition{}, map[string]bool{}
	var state *Partition
	for i, p := range parts {
		next = max(next, p.Last+1)
		if _, ok := first[p.Type]; ok {
			second[p.Type] = true
		} else {
			first[p.Type] = p
		}
		if p.Type == TypeState && p.Name == StateName {
			state = &parts[i]
		}
	}
	t.moveEnd()
	var changes []Change
	for _, kind := range []string{TypeRoot, TypeVerity} {
		a, ok := first[kind]
		if !ok {
			return nil, errors.New("growing the partition table: it has no root and hash tree of slot A")
		}
		if second[kind] {
			continue
		}
		b := Partition{Type: kind, GUID: randomGUID(random()), Name: emptyName, First: t.align(next)}
		b.Last = b.First + a.Sectors() - 1
		next = b.Last + 1
		changes = append(changes, Change{b, true})
	}
	end := (t.lastUsable()+1)*uint64(t.Sector)/alignment*alignment/uint64(t.Sector) - 1
	switch {
	case state == nil:
		s := Partition{Type: TypeState, GUID: randomGUID(random()), Name: StateName, First: t.align(next), Last: end}
		if s.First+minState/uint64(t.Sector)-1 > end {
			needs := (s.First*uint64(t.Sector) + minState + alignment) >> 20
			return nil, fmt.Errorf("the disk has %d MiB and must have %d MiB at least, for both slots and state", int64(t.sectors)*t.Sector>>20, needs+1)
		}
		changes = append(changes, Change{s, true})
		if esp, ok := first[TypeESP]; ok {
			esp.GUID = randomGUID(random())
			t.put(esp)
		}
	case len(changes) == 0 && state.Last+1 == next && end > state.Last:
		state.Last = end
		changes = append(changes, Change{*state, false})
	}
	return t.apply(changes)
}

// apply numbers and writes what is new.
func (t *Table) apply(changes []Change) ([]Change, error) {
	for i := range changes {
		c := &changes[i]
		if c.New {
			if c.Number = t.free(); c.Number == 0 || c.Last > t.lastUsable() {
				return nil, errors.New("growing the partition table: there is no room for another partition")
			}
			clear(t.entry(c.Number))
			if c.Name == emptyName {
				binary.LittleEndian.PutUint64(t.entry(c.Number)[atAttributes:], readOnly)
			}
		}
		t.put(c.Partition)
	}
	return changes, nil
}

// free is the first number behind all that are in use, 0 if there is none.
func (t *Table) free() int {
	n := 1
	for _, p := range t.Partitions() {
		n = max(n, p.Number+1)
	}
	if n > len(t.entries)/t.size {
		return 0
	}
	return n
}

// moveEnd puts the end of what partitions may use where the disk ends now; an image is smaller than the disk that it is on.
func (t *Table) moveEnd() {
	table := uint64((int64(len(t.entries)) + t.Sector - 1) / t.Sector)
	binary.LittleEndian.PutUint64(t.header[atLastUsable:], t.sectors-2-table)
}

func (t *Table) lastUsable() uint64 { return t.u64(atLastUsable) }

// align rounds up to where a partition may begin.
func (t *Table) align(sector uint64) uint64 {
	n := uint64(alignment / t.Sector)
	return (sector + n - 1) / n * n
}

// randomGUID is version 4 of RFC 9562.
func randomGUID(b []byte) string {
	b = slices.Clone(b)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return FormatGUID(b)
}
