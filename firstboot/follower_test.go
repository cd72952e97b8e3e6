package firstboot

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slipway/firstboot/kube"
	"slipway/node"
)

// watched is an API server that has the items of one kind, counts who lists them, and tells of changes while they are sent to it. The
// watch ends with an empty one.
type watched struct {
	items   atomic.Value // string
	lists   atomic.Int32
	watches atomic.Int32
	denied  atomic.Bool // whatever is to be written
	changes chan string
}

func (w *watched) Client(Identity) (Fetcher, error) { return w, nil }

func (w *watched) Do(r *http.Request) (*http.Response, error) {
	answer := func(code int, body io.Reader) (*http.Response, error) {
		return &http.Response{StatusCode: code, Status: http.StatusText(code), Body: io.NopCloser(body)}, nil
	}
	switch {
	case r.URL.Query().Get("watch") == "true":
		w.watches.Add(1)
		return answer(http.StatusOK, w.told(r.Context()))
	case r.Method == http.MethodGet:
		w.lists.Add(1)
		return answer(http.StatusOK, strings.NewReader(`{"items":[`+w.items.Load().(string)+`],"metadata":{"resourceVersion":"1"}}`))
	case w.denied.Load():
		return answer(http.StatusServiceUnavailable, strings.NewReader(`{"message":"not now"}`))
	}
	return answer(http.StatusOK, strings.NewReader("{}"))
}

// told is the body of a watch.
func (w *watched) told(ctx context.Context) io.Reader {
	r, to := io.Pipe()
	go func() {
		for {
			select {
			case <-ctx.Done():
				to.CloseWithError(ctx.Err())
				return
			case text := <-w.changes:
				if text == "" {
					to.Close()
					return
				}
				io.WriteString(to, text)
			}
		}
	}()
	return r
}

// change is an event of a watch about an object.
func change(t *testing.T, kind string, v any) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"type": kind, "object": v})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// following is a machine whose API server is api, with a watch of its own.
func following(t *testing.T, cfg *node.Config, api *watched, watch func(*machine, context.Context)) *machine {
	t.Helper()
	api.changes = make(chan string)
	n := newMachine(Host{Clients: api, Clock: WallClock(time.Now)}, cfg, nil, "", newWorld(t, cfg).out, nil, fakePeers{}, t.Logf)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		watch(n, ctx)
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return n
}

// listsFor counts the lists that a step reads to find what it finds, once that is as it should be: what a watch tells takes a moment.
func listsFor(t *testing.T, api *watched, observe func(context.Context) (Finding, error), done bool) int32 {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		before := api.lists.Load()
		found, err := observe(t.Context())
		if err == nil && found.done == done {
			return api.lists.Load() - before
		}
		if time.Now().After(end) {
			t.Fatalf("found %+v, %v", found, err)
		}
	}
}

// TestNodesFollowed: while a watch of nodes stands, the labels step lists them when one lacks something or is gone, or the roster has
// changed, and else never.
func TestNodesFollowed(t *testing.T) {
	cfg := single(t)
	whole := object{Metadata: kube.Metadata{Name: "n1", Labels: inventoryLabels(cfg.Self())}, Spec: nodeSpec{PodCIDR: podsOf(cfg.Self())}}
	bare := object{Metadata: kube.Metadata{Name: "n1"}}
	text := func(o object) string { data, _ := json.Marshal(o); return string(data) }
	api := &watched{}
	api.items.Store(text(whole))
	n := following(t, cfg, api, (*machine).watchNodes)
	for api.watches.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	quiet := func(when string) {
		t.Helper()
		listsFor(t, api, n.observeLabels, true)
		if got := listsFor(t, api, n.observeLabels, true); got != 0 {
			t.Errorf("%s: listed %d times though nothing has changed", when, got)
		}
	}
	quiet("once the watch stands")
	api.changes <- change(t, "MODIFIED", whole)
	api.changes <- change(t, "ADDED", object{Metadata: kube.Metadata{Name: "stranger"}})
	quiet("after heartbeats")
	api.items.Store(text(bare))
	api.changes <- change(t, "MODIFIED", bare)
	if got := listsFor(t, api, n.observeLabels, false); got != 1 {
		t.Errorf("listed %d times for a node that lost its labels", got)
	}
	api.items.Store(text(whole))
	quiet("after it was labelled")
	api.items.Store("")
	api.changes <- change(t, "DELETED", whole)
	if got := listsFor(t, api, n.observeLabels, false); got != 1 {
		t.Errorf("listed %d times for a node that is gone", got)
	}
	api.items.Store(text(whole))
	quiet("after it came back")
	if _, due := n.registered.due(n.roster.Version() + 1); !due {
		t.Error("nothing is due after the roster has changed")
	}
	api.changes <- ""
	for listsFor(t, api, n.observeLabels, true) == 0 {
		time.Sleep(time.Millisecond) // the watch has ended, and nobody knows it yet
	}
	if got := listsFor(t, api, n.observeLabels, true); got != 1 {
		t.Errorf("listed %d times without a watch", got)
	}
}

// TestRequestsFollowed: a request is approved when the watch tells of it, and the step lists nothing beside it but after an approval that
// failed. A refusal ends with its request.
func TestRequestsFollowed(t *testing.T) {
	cfg := single(t)
	api := &watched{}
	api.items.Store("")
	n := following(t, cfg, api, (*machine).watchRequests)
	for api.watches.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	listsFor(t, api, n.observeApprove, true)
	refused, failing := servingCSR("refused", cfg.Self()), servingCSR("failing", cfg.Self())
	refused.Spec.Usages = nil
	api.changes <- change(t, "ADDED", servingCSR("good", cfg.Self()))
	api.changes <- change(t, "ADDED", refused)
	for len(n.refused.texts()) == 0 {
		time.Sleep(time.Millisecond)
	}
	if got := listsFor(t, api, n.observeApprove, true); got != 0 {
		t.Errorf("listed %d times though the watch has told of all", got)
	}
	api.changes <- change(t, "DELETED", refused)
	for len(n.refused.texts()) > 0 {
		time.Sleep(time.Millisecond)
	}
	api.denied.Store(true)
	text, _ := json.Marshal(failing)
	api.items.Store(string(text))
	api.changes <- change(t, "ADDED", failing)
	if got := listsFor(t, api, n.observeApprove, false); got != 1 {
		t.Errorf("listed %d times after an approval that failed", got)
	}
}
