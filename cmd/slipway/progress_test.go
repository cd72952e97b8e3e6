package main

import (
	"strings"
	"testing"
	"time"
)

// What a build of two payloads, one of them cached, prints.
func work(p *progress) {
	now := time.Unix(0, 0)
	p.now = func() time.Time { return now }
	p.Begin("payloads")
	p.Start("etcd v3.6.16")
	for range 1000 {
		p.Note("etcd: compiling go.etcd.io/etcd")
		p.Bytes(1, 2)
		now = now.Add(90 * time.Millisecond)
	}
	p.Finish("etcd v3.6.16")
	p.Line("slipway.lock: go: locked go1.26.0, now go1.26.1")
	p.End("payloads", "2", false)
}

func TestProgressWithoutTerminal(t *testing.T) {
	var out strings.Builder
	p := &progress{w: &out}
	work(p)
	want := "  etcd v3.6.16 ...\n  etcd v3.6.16: 90.0 s\n  slipway.lock: go: locked go1.26.0, now go1.26.1\npayloads       90.0 s  2\n"
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
	out.Reset()
	p.quiet = true
	if work(p); out.String() != "" {
		t.Errorf("--quiet: got\n%s", out.String())
	}
}

// A terminal keeps what is done and what a person should know; the rest is written over.
func TestProgressOnTerminal(t *testing.T) {
	var out strings.Builder
	work(&progress{w: &out, tty: true})
	var kept []string
	for line := range strings.Lines(out.String()) {
		kept = append(kept, line[strings.LastIndex(line, "\x1b[K")+3:])
	}
	want := "  etcd v3.6.16: 90.0 s\n  slipway.lock: go: locked go1.26.0, now go1.26.1\npayloads       90.0 s  2\n"
	if got := strings.Join(kept, ""); got != want {
		t.Errorf("got\n%s", got)
	}
}
