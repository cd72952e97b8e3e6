// Package finding is what checkers of files report: where something is wrong and what, no more of it than a person
// reads. Start with List. What is checked, and whether a finding ends the reading, is the checker's own.
package finding

import (
	"cmp"
	"fmt"
	"slices"
)

// Finding is one thing that is wrong.
type Finding struct {
	Offset int64  `json:"offset"`         // bytes from the start of the file or, if there is one, of the part
	Part   string `json:"part,omitempty"` // of the file, as its checker names it; "" for the whole of it
	Text   string `json:"text"`
	Damage bool   `json:"-"` // the file does not say for certain where its content is: any amount may be read for it
}

// String is the finding in one line.
func (f Finding) String() string {
	if f.Part == "" {
		return fmt.Sprintf("byte %d: %s", f.Offset, f.Text)
	}
	return fmt.Sprintf("%s at byte %d: %s", f.Part, f.Offset, f.Text)
}

// List keeps the first findings and counts the others, so that a hostile file takes no memory.
type List struct {
	Most int // how many are kept

	kept []Finding
	more int
}

// Add notes a finding at an offset.
func (l *List) Add(offset int64, format string, args ...any) {
	l.Note(Finding{Offset: offset}, format, args...)
}

// Note notes f with a text, which is made only if it is kept.
func (l *List) Note(f Finding, format string, args ...any) {
	if l.Full() {
		l.more++
		return
	}
	f.Text = fmt.Sprintf(format, args...)
	l.kept = append(l.kept, f)
}

// Full says that further findings are only counted: a checker may end there.
func (l *List) Full() bool { return len(l.kept) >= l.Most }

// Count is how many there were.
func (l *List) Count() int { return len(l.kept) + l.more }

// Sorted is what is kept, in order of offset, and never nil. If there may be more, a last finding at end says so.
func (l *List) Sorted(end int64) []Finding {
	out := append([]Finding{}, l.kept...)
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.Offset, b.Offset) })
	if l.Full() {
		out = append(out, Finding{Offset: end, Text: fmt.Sprintf("only the first %d findings are shown", l.Most)})
	}
	return out
}
