package finding

import (
	"slices"
	"testing"
)

func TestList(t *testing.T) {
	l := List{Most: 3}
	if got := l.Sorted(9); got == nil || len(got) != 0 {
		t.Errorf("nothing wrong: %#v", got)
	}
	l.Add(7, "last %s", "one")
	l.Note(Finding{Offset: 1, Part: "gpt", Damage: true}, "first")
	if l.Full() || l.Count() != 2 {
		t.Errorf("full %v after %d", l.Full(), l.Count())
	}
	want := []Finding{{1, "gpt", "first", true}, {7, "", "last one", false}}
	if got := l.Sorted(9); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for range 1000 {
		l.Add(3, "again")
	}
	got := l.Sorted(9)
	if len(got) != 4 || l.Count() != 1002 || got[3] != (Finding{Offset: 9, Text: "only the first 3 findings are shown"}) {
		t.Errorf("%d counted, got %v", l.Count(), got)
	}
}

func TestString(t *testing.T) {
	for want, f := range map[string]Finding{
		"byte 3: torn":        {Offset: 3, Text: "torn"},
		"gpt at byte 3: torn": {Offset: 3, Part: "gpt", Text: "torn"},
	} {
		if got := f.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
