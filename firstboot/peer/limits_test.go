package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestHTTP1: HTTP/2 would let one connection ask for many things at once.
func TestHTTP1(t *testing.T) {
	l := newLab(t, Clock{Now: time.Now})
	conn, err := tls.Dial("tcp", l.addr, &tls.Config{RootCAs: l.ca.pool(), ServerName: "n1", Certificates: []tls.Certificate{l.caller}, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
		t.Errorf("spoke %q", got)
	}
}

// TestConnectionCap: one address can hold so many connections open and no more, and gets its places back.
func TestConnectionCap(t *testing.T) {
	l := newLab(t, Clock{Now: time.Now})
	var held []net.Conn
	for range maxPerAddress {
		held = append(held, hold(t, l.addr))
	}
	extra := hold(t, l.addr)
	extra.SetReadDeadline(time.Now().Add(Timeout / 2))
	if _, err := extra.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("one connection too many: %v", err)
	}
	if d, err := l.client(l.n1, l.caller).Status(context.Background()); err == nil {
		t.Errorf("served beside them: %+v", d)
	}
	for _, c := range held {
		c.Close()
	}
	for end := time.Now().Add(2 * Timeout); ; time.Sleep(50 * time.Millisecond) {
		_, err := l.client(l.n1, l.caller).Status(context.Background())
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not served after they went: %v", err)
		}
	}
}

func hold(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestRequestRate: a caller that asks without end is slowed down, and another one is not by that.
func TestRequestRate(t *testing.T) {
	start := time.Now()
	l := newLab(t, Clock{Now: func() time.Time { return start }}) // so that nothing is refilled
	eager, patient := l.client(l.n1, l.caller), l.client(l.n1, l.operator)
	for i := range requestBurst {
		if _, err := eager.Status(context.Background()); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	if _, err := eager.Status(context.Background()); err == nil || !strings.Contains(err.Error(), "429") {
		t.Errorf("one request too many: %v", err)
	}
	if _, err := patient.Status(context.Background()); err != nil {
		t.Errorf("another caller: %v", err)
	}
}

// TestRates: a burst, then so many a second; a clock that jumps back stops nobody for long, and strangers are not
// remembered without bounds.
func TestRates(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	r := newRates(func() time.Time { return now }, 2, 3)
	takes := func(key string) (n int) {
		for r.take(key) {
			n++
		}
		return n
	}
	for _, step := range []struct {
		later time.Duration
		want  int
	}{{0, 3}, {time.Second, 2}, {-time.Hour, 0}, {time.Second, 2}, {time.Hour, 3}} {
		now = now.Add(step.later)
		if got := takes("a"); got != step.want {
			t.Errorf("%s later: %d, want %d", step.later, got, step.want)
		}
	}
	for i := range 3 * maxBuckets {
		takes(fmt.Sprint("stranger ", i))
	}
	if len(r.buckets) > maxBuckets+1 {
		t.Errorf("%d are remembered", len(r.buckets))
	}
	if got := takes("one more"); got != 0 {
		t.Errorf("one more stranger got %d", got)
	}
	now = now.Add(time.Minute)
	if got := takes("later"); got != 3 {
		t.Errorf("after a quiet minute: %d", got)
	}
}
