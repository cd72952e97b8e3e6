package status

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
	"unicode/utf8"
)

// Notice is what people should know although no step waits for it: a caller that was turned away, a peer that cannot be
// trusted, a certificate request that nobody approves.
type Notice struct {
	Kind string `json:"kind"` // caller, peer, certificate request ...: docs/looking-inside.md
	Name string `json:"name"` // of what it is about
	Text string `json:"text"`
}

// What strangers cause must not grow without bounds.
const (
	mostNotices = 16  // of one kind
	longestText = 300 // bytes
)

// Board holds the notices of a node. It may be used from several goroutines.
type Board struct {
	now func() time.Time

	mu    sync.Mutex
	kinds map[string]map[string]posted // by kind and name
}

type posted struct {
	text string
	ends time.Time // zero: until it is replaced
}

// NewBoard is an empty board.
func NewBoard(now func() time.Time) *Board {
	return &Board{now: now, kinds: map[string]map[string]posted{}}
}

// Replace makes texts, by name, the only notices of a kind.
func (b *Board) Replace(kind string, texts map[string]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kinds[kind] = map[string]posted{}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		b.put(kind, name, posted{text: texts[name]})
	}
}

// Put adds a notice that is forgotten after a time, unless it is put again.
func (b *Board) Put(n Notice, lasts time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire()
	b.put(n.Kind, n.Name, posted{n.Text, b.now().Add(lasts)})
}

// put keeps the first comers: whoever makes up names must not push others out, nor make the list new all the time.
func (b *Board) put(kind, name string, p posted) {
	of := b.kinds[kind]
	if of == nil {
		of = map[string]posted{}
		b.kinds[kind] = of
	}
	if _, known := of[name]; !known && len(of) >= mostNotices {
		name, p.text = "others", "there are more of them than are listed"
	}
	p.text = shorten(p.text)
	of[name] = p
}

func shorten(text string) string {
	if len(text) <= longestText {
		return text
	}
	end := longestText
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + " ..."
}

func (b *Board) expire() {
	now := b.now()
	for _, of := range b.kinds {
		maps.DeleteFunc(of, func(_ string, p posted) bool { return !p.ends.IsZero() && now.After(p.ends) })
	}
}

// List is what stands on the board, sorted by kind and name.
func (b *Board) List() []Notice {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire()
	var all []Notice
	for kind, of := range b.kinds {
		for name, p := range of {
			all = append(all, Notice{kind, name, p.text})
		}
	}
	slices.SortFunc(all, func(x, y Notice) int { return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name)) })
	return all
}
