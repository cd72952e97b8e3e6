package firstboot

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"slipway/firstboot/kube"
)

// listing answers with a list of one request, and calls then when that one was read, before the list ends.
type listing struct {
	csr  *kube.CSR // nil: none
	then func()
}

func (l listing) Client(Identity) (Fetcher, error) { return l, nil }

func (l listing) Do(*http.Request) (*http.Response, error) {
	var item []byte
	if l.csr != nil {
		item, _ = json.Marshal(l.csr)
	}
	body := io.MultiReader(strings.NewReader(`{"items":[`+string(item)), hook(l.then), strings.NewReader(`],"metadata":{"resourceVersion":"1"}}`))
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(body)}, nil
}

// hook is a reader of nothing.
type hook func()

func (h hook) Read([]byte) (int, error) {
	h()
	return 0, io.EOF
}

// TestRefusedWhileListing: what the server refuses while another goroutine lists the requests is not forgotten when that
// list, in which it was still good, is taken over. A list that no longer has it ends it.
func TestRefusedWhileListing(t *testing.T) {
	cfg := single(t)
	csr := servingCSR("rejected", cfg.Self())
	w := newWorld(t, cfg)
	n := newMachine(Host{Clock: fakeClock{w}}, cfg, nil, "", w.out, nil, w.peers, t.Logf)
	for _, c := range []struct {
		list       listing
		good, kept int
	}{
		{listing{csr, func() { n.refuse(*csr, serverRefusal{errors.New("422")}) }}, 1, 1},
		{listing{csr, func() {}}, 0, 1},
		{listing{nil, func() {}}, 0, 0},
	} {
		n.Clients = c.list
		_, good, _, err := n.requests(t.Context())
		if err != nil || len(good) != c.good || len(n.refused.texts()) != c.kept {
			t.Errorf("good %v, refused %v, %v; want %d and %d", good, n.refused.texts(), err, c.good, c.kept)
		}
	}
}
