package status

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestReporter: one line a change; a retry that changes nothing is silent, and Since stays.
func TestReporter(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	r := NewReporter("n1", &out, func() time.Time { return now })
	waiting := Document{Node: "n1", Step: "etcd", State: Waiting, WaitingFor: "cp2"}
	for _, d := range []Document{waiting, waiting, {Node: "n1", Step: "etcd", State: Failed, LastError: "bad"}} {
		now = now.Add(time.Second)
		d.NextRetry = now
		if err := r.Report(d); err != nil {
			t.Fatal(err)
		}
	}
	want := `slipway-status: {"node":"n1","step":"etcd","state":"waiting","waitingFor":"cp2","since":"2026-06-01T00:00:01Z","nextRetry":"2026-06-01T00:00:01Z","formed":false,"serving":false}
slipway-status: {"node":"n1","step":"etcd","state":"failed","since":"2026-06-01T00:00:03Z","lastError":"bad","nextRetry":"2026-06-01T00:00:03Z","formed":false,"serving":false}
`
	if out.String() != want {
		t.Errorf("lines:\n%swant:\n%s", out.String(), want)
	}
	if r.Latest().LastError != "bad" {
		t.Errorf("latest %+v", r.Latest())
	}
}

func TestParseLine(t *testing.T) {
	d := Document{Node: "n1", Step: "etcd", State: Waiting, Steps: []Step{{"etcd", Waiting}}}
	line, err := d.Line()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{line, "[   12.3] " + line + "\r\n"} {
		got, ok := ParseLine(text)
		if !ok || !got.same(d) {
			t.Errorf("%q read as %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "systemd[1]: hello", Prefix, Prefix + "{", Prefix + "{}", strings.ToUpper(line)} {
		if got, ok := ParseLine(text); ok {
			t.Errorf("%q read as %+v", text, got)
		}
	}
}
