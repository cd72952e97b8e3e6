package vmdk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// good is a small file of each layout: two grain tables and three grains, one of them stored.
func good(t testing.TB) map[string][]byte {
	t.Helper()
	image := make([]byte, tableSpan*sector+align)
	r := seeded(3)
	patterned(r, image[:400])
	noise(r, image[5*grainSize:][:100])
	noise(r, image[tableSpan*sector:][:grainSize])
	front, _ := mustWrite(t, image)
	return map[string][]byte{"front": front, "back": backed(t, front)}
}

// span is a part of a file.
type span struct{ from, to int }

// stored lists the grains' compressed data: every other byte of a file has but one right value.
func stored(t testing.TB, file []byte) []span {
	t.Helper()
	var all []span
	h, err := decodeHeader(file)
	if err != nil {
		t.Fatal(err)
	}
	for at := int(h.Overhead) * sector; at < len(file); at += sector {
		m := decodeMarker(file[at:])
		switch {
		case m.Length != 0:
			end := at + markerSize + int(m.Length)
			all = append(all, span{at + markerSize, end})
			at = (end - 1) / sector * sector
		case m.Type != markEnd:
			at += int(m.Value) * sector
		}
	}
	return all
}

// dense says whether a byte is among those that all are tried: what is not zero, and its surroundings.
func dense(b []byte, i int) bool {
	from, to := max(0, i-2), min(len(b), i+3)
	return i%193 == 0 || len(bytes.Trim(b[from:to], "\x00")) > 0
}

func TestLintFindsEveryChangedByte(t *testing.T) {
	for layout, file := range good(t) {
		if found := lint(file); len(found) > 0 {
			t.Fatalf("%s: %s", layout, texts(found))
		}
		data := stored(t, file)
		if len(data) != 3 {
			t.Fatalf("%s: grains at %v", layout, data)
		}
		tried := 0
		for i := 0; i < len(file); i++ {
			if len(data) > 0 && i == data[0].from {
				i, data = data[0].to-1, data[1:]
				continue
			}
			if !dense(file, i) {
				continue
			}
			tried++
			b := bytes.Clone(file)
			b[i] ^= 1 << (i % 8)
			if len(lint(b)) == 0 {
				t.Errorf("%s: byte %d may be %#x instead of %#x", layout, i, b[i], file[i])
			}
			if tried%8 == 0 {
				_ = sweep(b)
			}
		}
		if tried < 500 {
			t.Errorf("%s: only %d bytes tried", layout, tried)
		}
	}
}

// allocated is the memory that f asks for, bytes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestLintFindsEveryFieldValue(t *testing.T) {
	for layout, file := range good(t) {
		for _, f := range headerFields[:len(headerFields)-1] {
			was := number(file[f.off : f.off+f.len])
			for _, v := range []uint64{0, 1, was - 1, was + 1, was << 1, was | 1<<31, 1 << 62, 1<<63 + 7, ^uint64(0)} {
				b := bytes.Clone(file)
				var all [8]byte
				binary.LittleEndian.PutUint64(all[:], v)
				if copy(b[f.off:], all[:f.len]); bytes.Equal(b, file) {
					continue
				}
				used := allocated(func() {
					if len(lint(b)) == 0 {
						t.Errorf("%s: %s may be %#x", layout, f.name, v)
					}
					_ = sweep(b)
				})
				if used > 4<<20 {
					t.Errorf("%s: %s of %#x takes %d bytes of memory", layout, f.name, v, used)
				}
			}
		}
	}
}

func TestLintFindsEveryTruncation(t *testing.T) {
	for layout, file := range good(t) {
		for n := 0; n < len(file); n += sector {
			for _, cut := range []int{n, n + 1, n + sector - 1} {
				if len(lint(file[:cut])) == 0 {
					t.Errorf("%s: %d of %d bytes are enough", layout, cut, len(file))
				}
			}
		}
		for name, more := range map[string][]byte{"a zero": {0}, "a sector of zeros": make([]byte, sector), "a sector": bytes.Repeat([]byte{1}, sector)} {
			if len(lint(append(bytes.Clone(file), more...))) == 0 {
				t.Errorf("%s: %s may follow", layout, name)
			}
		}
	}
}

// redescribed is a file with another descriptor.
func redescribed(file []byte, text string) []byte {
	b := bytes.Clone(file)
	area := b[sector : directoryStart*sector]
	clear(area)
	copy(area, text)
	return b
}

func TestLintFindsEveryLine(t *testing.T) {
	file := good(t)["front"]
	area, _, _ := bytes.Cut(file[sector:directoryStart*sector], []byte{0})
	lines := strings.SplitAfter(string(area), "\n")
	lines = lines[:len(lines)-1]
	if len(lint(redescribed(file, strings.Join(lines, "")))) != 0 || len(lines) != 21 {
		t.Fatalf("the same %d lines are found", len(lines))
	}
	for i, line := range lines {
		next := lines[(i+1)%len(lines)]
		for name, with := range map[string]string{
			"nothing": "", "itself twice": line + line, "the next": next + line, "CR": strings.TrimSuffix(line, "\n") + "\r\n",
			"upper case": strings.ToUpper(line), "a space before": " " + line, "a space after": strings.TrimSuffix(line, "\n") + " \n",
			"no end": strings.TrimSuffix(line, "\n"), "another digit": strings.NewReplacer("0", "1", "1", "2", "5", "6").Replace(line),
		} {
			text := strings.Join(lines[:i], "") + with + strings.Join(lines[i+1:], "")
			if text != string(area) && len(lint(redescribed(file, text))) == 0 {
				t.Errorf("line %d may be %s: %q", i+1, name, with)
			}
		}
	}
}

// edit is a mutant that is made by more than one byte.
type edit struct {
	name, want string
	make       func(front []byte) []byte
}

// place is where the front table says that a grain is, bytes.
func place(file []byte, grain int) int {
	return int(entry(file[(directoryStart+1)*sector:], grain)) * sector
}

func setPlace(file []byte, grain, at int) {
	binary.LittleEndian.PutUint32(file[(directoryStart+1)*sector+4*grain:], uint32(at/sector))
}

// edits of the front layout, whose three grains are 0, 5 and 512.
func edits() []edit {
	grain5 := func(file []byte) []byte { return file[place(file, 5):place(file, tableEntries)] }
	return []edit{
		{"grains swapped", "not ascending", func(file []byte) []byte {
			at := place(file, 0)
			first, second := bytes.Clone(file[at:place(file, 5)]), bytes.Clone(grain5(file))
			copy(file[at:], append(bytes.Clone(second), first...))
			setPlace(file, 5, at)
			setPlace(file, 0, at+len(second))
			return file
		}},
		{"grain twice", "not ascending", func(file []byte) []byte {
			end := len(file) - sector
			return append(append(file[:end:end], grain5(file)...), make([]byte, sector)...)
		}},
		{"grain without entry", "entry of grain 5 is 0", func(file []byte) []byte {
			setPlace(file, 5, 0)
			return file
		}},
		{"entry without grain", "entry of grain 6 is", func(file []byte) []byte {
			setPlace(file, 6, place(file, 5))
			return file
		}},
		{"entry behind the disk", "entry of grain 1023 is 31, want 0", func(file []byte) []byte {
			setPlace(file, 2*tableEntries-1, 31*sector)
			return file
		}},
		{"grain left out", `line 4 is "CID=`, func(file []byte) []byte {
			gone := bytes.Clone(grain5(file))
			at, last := place(file, 5), place(file, tableEntries)
			setPlace(file, 5, 0)
			setPlace(file, tableEntries, last-len(gone))
			return append(file[:at:at], file[at+len(gone):]...)
		}},
		{"grain moved", `line 4 is "CID=`, func(file []byte) []byte {
			at := place(file, 5)
			setPlace(file, 5, 0)
			setPlace(file, 6, at)
			binary.LittleEndian.PutUint64(file[at:], 6*grainSectors)
			return file
		}},
		{"grain of zeros", "is all zero", func(file []byte) []byte { return withGrain(file, make([]byte, grainSize)) }},
		{"short grain", "inflates to 100 bytes, not 64 KiB", func(file []byte) []byte { return withGrain(file, make([]byte, 100)) }},
		{"long grain", "there is more than a grain", func(file []byte) []byte { return withGrain(file, make([]byte, grainSize+1)) }},
		{"rest after a grain", "4 bytes follow its zlib stream", func(file []byte) []byte {
			at := place(file, 5)
			n := binary.LittleEndian.Uint32(file[at+8:])
			binary.LittleEndian.PutUint32(file[at+8:], n+4)
			return file
		}},
		{"footer at the front", "marker of type 3 among the grains", func(file []byte) []byte {
			end := len(file) - sector
			return append(append(file[:end:end], mark(1, markFooter)...), make([]byte, sector)...)
		}},
		{"unknown marker", "marker of type 9", func(file []byte) []byte {
			end := len(file) - sector
			return append(append(file[:end:end], mark(0, 9)...), make([]byte, sector)...)
		}},
		{"no end marker", "there is no end marker", func(file []byte) []byte { return file[:len(file)-sector] }},
	}
}

// withGrain puts a grain that inflates to raw at the end, as grain 513.
func withGrain(file, raw []byte) []byte {
	end := len(file) - sector
	g := appendStored(make([]byte, markerSize), raw)
	putMarker(g, (tableEntries+1)*grainSectors, len(g)-markerSize)
	g = append(g, make([]byte, -len(g)&(sector-1)+sector)...)
	setPlace(file, tableEntries+1, end)
	return append(file[:end:end], g...)
}

func TestLintFindsEdits(t *testing.T) {
	for _, e := range edits() {
		b := e.make(bytes.Clone(good(t)["front"]))
		if found := texts(lint(b)); !strings.Contains(found, e.want) {
			t.Errorf("%s: no %q in:\n%s", e.name, e.want, found)
		}
		_ = sweep(b)
	}
}

// TestLintFindsEditsAtTheBack is about what only the layout with markers can do wrong.
func TestLintFindsEditsAtTheBack(t *testing.T) {
	file := good(t)["back"]
	tail := 2*sector + sector + 2*sector // directory with marker, footer's marker, footer, end
	cut := len(file) - tail
	table := (1 + tableSectors) * sector // a table with its marker
	for name, c := range map[string]struct {
		want string
		file []byte
	}{
		"no table":        {"grain table 1 is missing here", splice(file, cut-table, cut, nil)},
		"table twice":     {"grain table without a grain", splice(file, cut, cut, file[cut-table:cut])},
		"directory twice": {"marker of type 2 after one of type 2", splice(file, cut, cut, file[cut:cut+2*sector])},
		"no directory":    {"directory offset", splice(file, cut, cut+2*sector, nil)},
		"no footer":       {"the end comes before the footer", splice(file, cut+2*sector, cut+4*sector, nil)},
		"long table":      {"marker of type 1: 5 sectors, want 4", splice(file, cut-table, cut-table+1, []byte{5})},
		"footer's places": {"footer: overhead is 0x81, want 0x80", splice(file, cut+3*sector+64, cut+3*sector+65, []byte{0x81})},
		"room":            {"room between descriptor and grains is not zero", splice(file, 100*sector, 100*sector+1, []byte{1})},
	} {
		if found := texts(lint(c.file)); !strings.Contains(found, c.want) {
			t.Errorf("%s: no %q in:\n%s", name, c.want, found)
		}
	}
}

func splice(b []byte, from, to int, with []byte) []byte {
	return append(append(bytes.Clone(b[:from]), with...), b[to:]...)
}

func TestLintSaysWhere(t *testing.T) {
	file := good(t)["front"]
	grain5 := place(file, 5)
	for at, want := range map[int]string{
		8:                         "byte 8: header: flags is 0x30000, want 0x30001",
		300:                       "byte 300: header: padding is not zero: 0x01",
		sector + 2000:             fmt.Sprintf("byte %d: padding of the descriptor is not zero: 0x01", sector+2000),
		directoryStart * sector:   fmt.Sprintf("byte %d: grain directory: entry 0 is 23, want 22", directoryStart*sector),
		22*sector + 4*5:           fmt.Sprintf("byte %d: grain table: entry of grain 5 is %d, want %d", 22*sector+20, grain5/sector^1, grain5/sector),
		grain5:                    fmt.Sprintf("byte %d: grain: sector %d of the disk is no place for a grain", grain5, 5*grainSectors+1),
		place(file, 512) - 1:      fmt.Sprintf("byte %d: padding of a grain is not zero: 0x01", place(file, 512)-1),
		place(file, 512) + 14 + 5: fmt.Sprintf("byte %d: grain: inflating: zlib: invalid checksum", place(file, 512)+12),
		len(file) - 1:             fmt.Sprintf("byte %d: end marker is not zero: 0x01", len(file)-1),
	} {
		b := bytes.Clone(file)
		b[at] ^= 1
		if found := lint(b); !strings.Contains(texts(found), want) {
			t.Errorf("no %q in:\n%s", want, texts(found))
		}
	}
}

func TestLintGivesUp(t *testing.T) {
	file := good(t)["front"]
	for i := directoryStart * sector; i < 30*sector; i++ {
		file[i] = 0xee
	}
	found := lint(file)
	if len(found) != maxFindings+1 || found[maxFindings].Text != "only the first 100 findings are shown" {
		t.Errorf("%d findings, the last: %v", len(found), found[len(found)-1])
	}
}
