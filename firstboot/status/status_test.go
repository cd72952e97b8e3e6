package status

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
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

// stopped is a console that takes nothing until it is let go.
type stopped struct {
	release chan struct{}
	bytes.Buffer
}

func (s *stopped) Write(line []byte) (int, error) {
	<-s.release
	return s.Buffer.Write(line)
}

// TestStoppedConsole: whoever reports never waits, another console gets every line, and the stopped one the newest lines
// once it is let go.
func TestStoppedConsole(t *testing.T) {
	serial, screen := &stopped{release: make(chan struct{})}, &bytes.Buffer{}
	slow, quick := NewLines(serial, nil), NewLines(screen, nil)
	r := NewReporter("n1", io.MultiWriter(slow, quick), time.Now)
	const changes = 10 * waitingLines
	for i := range changes {
		if err := r.Report(Document{Node: "n1", Step: "etcd", State: Waiting, WaitingFor: fmt.Sprint("try ", i)}); err != nil {
			t.Fatal(err)
		}
		for quick.waits() > 0 {
			time.Sleep(time.Millisecond)
		}
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if err := slow.Close(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("closing a stopped console: %v", err)
	}
	close(serial.release)
	for _, l := range []*Lines{slow, quick} {
		if err := l.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(screen.String(), "\n"); n != changes {
		t.Errorf("the other console got %d lines of %d", n, changes)
	}
	last := fmt.Sprint("try ", changes-1)
	if n := strings.Count(serial.String(), "\n"); n > waitingLines+1 || !strings.Contains(serial.String(), last) {
		t.Errorf("%d lines came at last, with %q among them: %v", n, last, strings.Contains(serial.String(), last))
	}
	if n, err := slow.Write([]byte("late\n")); n != 5 || err != nil {
		t.Errorf("after the end: %d, %v", n, err)
	}
}

// waits is how many lines are queued.
func (l *Lines) waits() int { return len(l.queue) }

// broken fails until it is mended.
type broken struct{ errs []error }

func (b *broken) Write(line []byte) (int, error) {
	err := b.errs[0]
	b.errs = b.errs[1:]
	return len(line), err
}

// TestFailingConsole: one word for a series of failures.
func TestFailingConsole(t *testing.T) {
	gone := errors.New("gone")
	var heard []error
	l := NewLines(&broken{[]error{gone, gone, nil, gone}}, func(err error) { heard = append(heard, err) })
	for range 4 {
		l.Write([]byte("x\n"))
	}
	if err := l.Close(context.Background()); err != nil || len(heard) != 2 {
		t.Errorf("heard %v, %v", heard, err)
	}
}

// TestBoard: bounded in number and length, sorted, and forgotten after a while.
func TestBoard(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	b := NewBoard(func() time.Time { return now })
	for i := range 1000 {
		b.Put(Notice{"caller", fmt.Sprintf("10.0.%d.%d", i/256, i%256), strings.Repeat("ä", 1000)}, time.Minute)
	}
	b.Replace("journal", map[string]string{"journal": "unreadable"})
	all := b.List()
	if len(all) != mostNotices+2 || all[len(all)-1] != (Notice{"journal", "journal", "unreadable"}) || all[len(all)-2].Name != "others" {
		t.Errorf("%d notices, at the end %+v", len(all), all[len(all)-2:])
	}
	for _, n := range all {
		if len(n.Text) > longestText+4 || !utf8.ValidString(n.Text) {
			t.Errorf("%q", n.Text)
		}
	}
	now = now.Add(2 * time.Minute)
	if all := b.List(); len(all) != 1 {
		t.Errorf("after a while: %+v", all)
	}
	b.Replace("journal", nil)
	if all := b.List(); len(all) != 0 {
		t.Errorf("replaced by nothing: %+v", all)
	}
}
