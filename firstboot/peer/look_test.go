package peer

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/firstboot/inside"
	"slipway/node"
)

// fakeInside gives streams that the test makes.
type fakeInside struct{ stream inside.Stream }

func (fakeInside) Health(context.Context) inside.Health {
	return inside.Health{VIP: &inside.VIP{Address: "10.0.0.10", Held: true}}
}

func (fakeInside) Services(context.Context) ([]inside.Service, error) {
	return []inside.Service{{Unit: "etcd.service"}}, nil
}

func (f fakeInside) Logs(_ context.Context, q inside.LogQuery) (inside.Stream, error) {
	if q.Unit == "gone" {
		return nil, fmt.Errorf("%w: there is no unit gone.service", inside.ErrMissing)
	}
	if f.stream != nil {
		return f.stream, nil
	}
	return says(fmt.Sprintf("%+v", q)), nil
}

func (f fakeInside) Kernel(context.Context, inside.LogQuery) (inside.Stream, error) {
	return says("kernel"), nil
}

func (f fakeInside) Support() inside.Stream { return says("tar") }

func says(text string) inside.Stream {
	return func(_ context.Context, to io.Writer) error {
		_, err := io.WriteString(to, text)
		return err
	}
}

// insideLab is a lab whose node can be looked into, and the operator.
func insideLab(t *testing.T, stream inside.Stream, bounds Bounds) (lab, *Client) {
	t.Helper()
	l := newLabWith(t, Clock{Now: time.Now}, func(o *ServerOptions) { o.Inside, o.Bounds = fakeInside{stream}, bounds })
	return l, l.client(l.n1, l.operator)
}

// looks are all that the operator may ask.
func looks(c *Client) map[string]error {
	ctx := context.Background()
	_, health := c.Health(ctx)
	_, services := c.Services(ctx)
	return map[string]error{
		"health": health, "services": services, "logs": c.Logs(ctx, inside.LogQuery{}, io.Discard),
		"dmesg": c.Kernel(ctx, inside.LogQuery{}, io.Discard), "support": c.Support(ctx, io.Discard),
	}
}

// TestLook: the operator sees what there is.
func TestLook(t *testing.T) {
	_, c := insideLab(t, nil, Bounds{})
	for what, err := range looks(c) {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if h, err := c.Health(t.Context()); err != nil || !h.VIP.Held {
		t.Errorf("%+v, %v", h, err)
	}
	if s, err := c.Services(t.Context()); err != nil || s[0].Unit != "etcd.service" {
		t.Errorf("%+v, %v", s, err)
	}
	q := inside.LogQuery{Unit: "etcd", Since: "5m", Boot: "-1", Lines: 7, Follow: true}
	var out strings.Builder
	if err := c.Logs(t.Context(), q, &out); err != nil || out.String() != fmt.Sprintf("%+v", q) {
		t.Errorf("asked %s, %v", out.String(), err)
	}
}

// TestLookIsTheOperators: another node is refused, whatever it asks, and so is everybody by a node that shows nothing.
func TestLookIsTheOperators(t *testing.T) {
	l, _ := insideLab(t, nil, Bounds{})
	for what, err := range looks(l.client(l.n1, l.caller)) {
		if r, ok := errors.AsType[*Refusal](err); !ok || r.Code != http.StatusForbidden {
			t.Errorf("%s: another node got %v", what, err)
		}
		if heard := <-l.turned; !strings.Contains(heard, `"n2" asked for /v1/`) {
			t.Errorf("%s: the server told %q", what, heard)
		}
	}
	otherKey, _ := l.ca.issue(t, node.OperatorName)
	for what, err := range looks(l.client(l.n1, otherKey)) {
		if err == nil || !strings.Contains(err.Error(), "turned this node away") {
			t.Errorf("%s: another operator got %v", what, err)
		}
	}
	bare := newLab(t, Clock{Now: time.Now})
	for what, err := range looks(bare.client(bare.n1, bare.operator)) {
		if r, ok := errors.AsType[*Refusal](err); !ok || r.Code != http.StatusNotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestBadLooks: what is wrong with a question comes back before anything is read.
func TestBadLooks(t *testing.T) {
	_, c := insideLab(t, nil, Bounds{})
	for want, q := range map[string]inside.LogQuery{
		`400 Bad Request: bad question: "--all" is no name of a unit`:              {Unit: "--all"},
		`404 Not Found: not on this node: there is no unit gone.service`:           {Unit: "gone"},
		`400 Bad Request: bad question: "1" is no boot: 0 is this one, -1 the one`: {Boot: "1"},
	} {
		if err := c.Logs(t.Context(), q, io.Discard); err == nil || !strings.HasPrefix(err.Error(), `asking "n1" for its journal: `+want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestStreamEnds: of what is too long, fails, or is cut off, the caller has the beginning and knows that it is not whole.
func TestStreamEnds(t *testing.T) {
	for want, c := range map[string]struct {
		stream inside.Stream
		got    string
	}{
		"the answer is not whole: it was too long, and the rest is left out": {says("0123456789abcdef"), "0123456789"},
		"the answer is not whole: running journalctl: exit status 1 again": {func(_ context.Context, to io.Writer) error {
			io.WriteString(to, "half")
			return errors.New("running journalctl:\nexit status 1\r\nagain")
		}, "half"},
		"unexpected EOF": {func(_ context.Context, to io.Writer) error {
			io.WriteString(to, "half")
			panic(http.ErrAbortHandler)
		}, "half"},
	} {
		_, client := insideLab(t, c.stream, Bounds{Bytes: 10})
		var out strings.Builder
		err := client.Logs(t.Context(), inside.LogQuery{}, &out)
		if err == nil || !strings.HasSuffix(err.Error(), want) || out.String() != c.got {
			t.Errorf("got %q, %v, want %q, %s", out.String(), err, c.got, want)
		}
	}
}

// TestFollow: a line comes as soon as it is there, also after the time in which short answers have to be given, and the
// program ends when the caller hangs up.
func TestFollow(t *testing.T) {
	lines, ended := make(chan string), make(chan error, 1)
	_, c := insideLab(t, func(ctx context.Context, to io.Writer) error {
		for {
			select {
			case line := <-lines:
				io.WriteString(to, line)
			case <-ctx.Done():
				ended <- context.Cause(ctx)
				return ctx.Err()
			}
		}
	}, Bounds{})
	ctx, hangUp := context.WithCancel(t.Context())
	from, to := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- c.Logs(ctx, inside.LogQuery{Follow: true}, to) }()
	for _, pause := range []time.Duration{0, Timeout + time.Second} {
		time.Sleep(pause)
		lines <- "line\n"
		buf := make([]byte, 16)
		if n, err := from.Read(buf); err != nil || string(buf[:n]) != "line\n" {
			t.Fatalf("after %s: %q, %v", pause, buf[:n], err)
		}
	}
	hangUp()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("hung up: %v", err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the program goes on")
	}
}

// TestStreamCap: so many at a time, and a place is free again when one ends.
func TestStreamCap(t *testing.T) {
	began := make(chan struct{}, mostStreams)
	l, c := insideLab(t, func(ctx context.Context, _ io.Writer) error {
		began <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}, Bounds{})
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	var open sync.WaitGroup
	for range mostStreams {
		open.Go(func() { l.client(l.n1, l.operator).Logs(ctx, inside.LogQuery{Follow: true}, io.Discard) })
	}
	for range mostStreams {
		<-began
	}
	err := c.Kernel(t.Context(), inside.LogQuery{}, io.Discard)
	if r, ok := errors.AsType[*Refusal](err); !ok || r.Code != http.StatusServiceUnavailable {
		t.Errorf("one stream too many: %v", err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("the status beside them: %v", err)
	}
	hangUp()
	open.Wait()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if err = c.Kernel(t.Context(), inside.LogQuery{}, io.Discard); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after they ended: %v", err)
		}
	}
}

// TestStreamRate: a stream takes the time that its bytes may take.
func TestStreamRate(t *testing.T) {
	_, c := insideLab(t, says(strings.Repeat("x", 10_000)), Bounds{Rate: 20_000})
	began := time.Now()
	var out bytes.Buffer
	if err := c.Logs(t.Context(), inside.LogQuery{}, &out); err != nil || out.Len() != 10_000 {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("half a second's bytes took %s", took)
	}
}

// TestDeafCaller: one that asks and takes nothing holds its place no longer than its patience.
func TestDeafCaller(t *testing.T) {
	const patience = 300 * time.Millisecond
	ended := make(chan error, 1)
	l, _ := insideLab(t, func(ctx context.Context, to io.Writer) error {
		for {
			if _, err := to.Write(make([]byte, 1<<20)); err != nil {
				ended <- err
				return err
			}
		}
	}, Bounds{Patience: patience})
	conn, err := tls.Dial("tcp", l.addr, &tls.Config{RootCAs: l.ca.pool(), ServerName: "n1", Certificates: []tls.Certificate{l.operator}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.NetConn().(*net.TCPConn).SetReadBuffer(4096)
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: n1\r\n%s: %s\r\n\r\n", logsPath, clusterHeader, token(demo))
	select {
	case err := <-ended:
		if n, ok := errors.AsType[net.Error](err); !ok || !n.Timeout() {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it is still written to")
	}
}
