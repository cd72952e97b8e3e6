package kmod

import (
	"bytes"
	"errors"
	"io"
)

const (
	longestWord = 128
	tailSize    = 4
)

// marker finds words in a binary: need[word] becomes true for every word that ends where a C string, or a piece of a
// path in one, ends. The start does not matter because linkers let "rp_filter" be the end of "arp_filter".
type marker struct {
	need  map[string]bool
	short []string                    // words below tailSize bytes
	tails map[[tailSize]byte][]string // the others by their last bytes
}

func (m *marker) index() {
	m.tails = map[[tailSize]byte][]string{}
	for w := range m.need {
		if len(w) < tailSize {
			m.short = append(m.short, w)
			continue
		}
		tail := [tailSize]byte([]byte(w[len(w)-tailSize:]))
		m.tails[tail] = append(m.tails[tail], w)
	}
}

// read marks what is in r.
func (m *marker) read(r io.Reader) error {
	m.index()
	buf := make([]byte, 1<<20)
	kept := 0 // bytes at the front of buf that are an unfinished string
	for {
		n, err := r.Read(buf[kept:])
		rest := m.strings(buf[:kept+n])
		rest = rest[max(0, len(rest)-longestWord):]
		kept = copy(buf, rest)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// strings looks at every finished string of b and returns the unfinished rest.
func (m *marker) strings(b []byte) []byte {
	start := 0
	for i, c := range b {
		if c != 0 && c != '/' {
			continue
		}
		if i > start {
			m.end(b[start:i])
		}
		start = i + 1
	}
	return b[start:]
}

// end marks the words that s ends with.
func (m *marker) end(s []byte) {
	for _, w := range m.short {
		if len(s) >= len(w) && string(s[len(s)-len(w):]) == w {
			m.need[w] = true
		}
	}
	if len(s) < tailSize {
		return
	}
	for _, w := range m.tails[[tailSize]byte(s[len(s)-tailSize:])] {
		if bytes.HasSuffix(s, []byte(w)) {
			m.need[w] = true
		}
	}
}
