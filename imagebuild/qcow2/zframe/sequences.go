package zframe

// mostStream is more than the bits of all sequences of an input take, in bytes. A sequence stands for minMatch bytes or
// more and takes 26 bits of states, 16 of its offset and, for its lengths, fewer than the bytes it stands for.
const mostStream = 2 * MaxInput

// coder writes the sequences section, 3.1.1.3.2. No statistics stay from one block to the next.
type coder struct {
	lengths lengthCodes
	ll      field // length of literals
	of      field // offset
	ml      field // length of match
	stream  [mostStream]byte
}

func newCoder() coder {
	return coder{
		lengths: newLengthCodes(),
		ll:      newField(9, distribution{literalShares[:], 6}),
		of:      newField(8, distribution{offsetShares[:], 5}),
		ml:      newField(9, distribution{matchShares[:], 6}),
	}
}

// appendSequences appends the section's beginning, and returns the bitstream that goes behind it. That is good until the
// next call.
func (c *coder) appendSequences(dst []byte, all []sequence) (out, stream []byte) {
	n := len(all)
	if n < 128 {
		dst = append(dst, byte(n))
	} else {
		dst = append(dst, byte(n>>8+128), byte(n)) // for less than 0x7F00, as mostSeqs is
	}
	if n == 0 {
		return dst, nil
	}
	c.count(all)
	modes := len(dst)
	dst = append(dst, 0)
	dst, ll := c.ll.choose(dst, n)
	dst, of := c.of.choose(dst, n)
	dst, ml := c.ml.choose(dst, n)
	dst[modes] = ll<<6 | of<<4 | ml<<2
	return dst, c.write(all)
}

// count finds the codes of all sequences, and how often each is used.
func (c *coder) count(all []sequence) {
	clear(c.ll.counts[:])
	clear(c.of.counts[:])
	clear(c.ml.counts[:])
	for i, q := range all {
		c.ll.set(i, c.lengths.literal(q.literals))
		c.of.set(i, offsetCode(q.offset))
		c.ml.set(i, c.lengths.match(q.match))
	}
}

// write writes the bitstream, 3.1.1.3.2.1.2. It is read from its end: the last sequence comes first.
func (c *coder) write(all []sequence) []byte {
	i := len(all) - 1
	out := c.stream[:]
	at := 0
	ll, of, ml := c.ll.use, c.of.use, c.ml.use
	lc, oc, mc := c.ll.codes[i], c.of.codes[i], c.ml.codes[i]
	l, o, m := ll.first(lc), of.first(oc), ml.first(mc)
	var b bits
	for {
		// There are up to 33 bits: 26 of states, and 7 from before. The lengths' are 30 at most, the offset's 16.
		b = b.add(uint64(all[i].literals), uint(literalBits[lc&(mostSymbols-1)]))
		b = b.add(uint64(all[i].match), uint(matchBits[mc&(mostSymbols-1)]))
		if b.n >= 64-16 {
			b, at = b.flush(out, at)
		}
		b, at = b.add(uint64(all[i].offset), uint(oc)).flush(out, at)
		if i == 0 {
			break
		}
		i--
		lc, oc, mc = c.ll.codes[i], c.of.codes[i], c.ml.codes[i]
		b, o = of.encode(b, o, oc)
		b, m = ml.encode(b, m, mc)
		b, l = ll.encode(b, l, lc)
	}
	b = ml.end(b, m)
	b = of.end(b, o)
	b = ll.end(b, l)
	b, at = b.flush(out, at)
	return out[:b.close(out, at)]
}
