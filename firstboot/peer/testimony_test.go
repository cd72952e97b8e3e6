package peer

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"
)

// badTestimonies are refused: by the node that is told them, and in what a node attests.
var badTestimonies = map[string]string{
	"":                   "parsing",
	"{":                  "parsing",
	"{}{}":               "after the document",
	`{"x":1}`:            "unknown field",
	`{"instance":"abc"}`: `"abc" is no instance`,
	`{"started":{"a/b":["` + instanceA + `"]}}`:                                     `"a/b" is no node's name`,
	`{"started":{"n1":["ABC"]}}`:                                                    `"ABC" is no instance of "n1"`,
	`{"started":{"n1":["` + strings.Repeat(instanceA+`","`, mostInstances) + `"]}}`: "the most are 8",
	`{"started":{` + manyNodes(mostNodes+1) + `}}`:                                  "the most are 32",
}

func manyNodes(n int) string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf(`"n%d":[]`, i))
	}
	return strings.Join(names, ",")
}

// TestTestimony: what a caller says is read strictly, and not at all if it is long.
func TestTestimony(t *testing.T) {
	l := newLab(t, Clock{Now: time.Now})
	c := l.client(l.n1, l.caller)
	bad := maps.Clone(badTestimonies)
	bad[strings.Repeat(" ", maxTestimony)+"{}"] = "too large"
	for text, want := range bad {
		_, err := c.do(context.Background(), http.MethodPost, attestPath+"?nonce="+strings.Repeat("ab", 16), []byte(text))
		if err == nil || !strings.Contains(err.Error(), "400") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
	if _, err := c.do(context.Background(), http.MethodGet, attestPath+"?nonce="+strings.Repeat("ab", 16), nil); err == nil || !strings.Contains(err.Error(), "405") {
		t.Errorf("GET: %v", err)
	}
}

// FuzzTestimony: what is accepted is within its bounds, and read back as the same.
func FuzzTestimony(f *testing.F) {
	for text := range badTestimonies {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"instance":"` + instanceA + `","started":{"n1":["` + instanceB + `"]},"formed":true}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ParseTestimony(data)
		if err != nil {
			return
		}
		text, err := json.Marshal(got)
		if err != nil || len(text) > maxTestimony {
			t.Fatalf("%d bytes, %v", len(text), err)
		}
		again, err := ParseTestimony(text)
		if err != nil || again.Instance != got.Instance || again.Formed != got.Formed || len(again.Started) != len(got.Started) {
			t.Errorf("%+v read back as %+v, %v", got, again, err)
		}
	})
}
