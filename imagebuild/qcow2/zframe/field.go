package zframe

// Modes of a field's codes, 3.1.1.3.2.1.
const (
	predefinedMode = 0
	rleMode        = 1
	ownMode        = 2
)

// field is one of the three numbers that make a sequence, for all sequences of a block.
type field struct {
	codes  [mostSeqs]uint8
	counts [mostSymbols]uint32 // how often each code is used
	use    *table              // what they are encoded with

	given      distribution // the predefined one
	predefined table
	most       uint8 // log of the largest table of its own
	own        table
	single     table // for one code alone
}

func newField(most uint8, given distribution) field {
	f := field{most: most, given: given}
	f.predefined.build(given)
	return f
}

func (f *field) set(i int, code uint8) {
	f.codes[i] = code
	f.counts[code&(mostSymbols-1)]++
}

// choose takes the table with which the n codes and its description are shortest, and appends the description.
func (f *field) choose(dst []byte, n int) (out []byte, mode byte) {
	last := mostSymbols - 1
	for f.counts[last] == 0 {
		last--
	}
	if f.counts[last] == uint32(n) {
		f.use = &f.single
		return append(dst, byte(last)), rleMode
	}
	counts := f.counts[:last+1]
	var shares [mostSymbols]int16
	d := distribution{shares[:last+1], logFor(n, uint8(last), f.most)}
	d.normalize(counts, n)
	out = d.describe(dst)
	if d.cost(counts)+8*(len(out)-len(dst)) >= f.given.cost(counts) {
		f.use = &f.predefined
		return dst, predefinedMode
	}
	f.own.build(d)
	f.use = &f.own
	return out, ownMode
}
