package status

import (
	"io"
	"sync"
	"time"
)

// Reporter keeps the latest document and writes one line when it changes. It may be used from several goroutines.
type Reporter struct {
	out io.Writer
	now func() time.Time

	mu   sync.Mutex
	last Document
}

// NewReporter starts with the document of a node about which nothing is known yet. Lines are written while others wait
// for the document: out must be quick whatever the console does, as Lines is.
func NewReporter(node string, out io.Writer, now func() time.Time) *Reporter {
	return &Reporter{out: out, now: now, last: Document{Node: node, State: Pending, Since: now()}}
}

// Latest is the document as last reported.
func (r *Reporter) Latest() Document {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// Report takes over d. Since is filled in here. A console that cannot be written to must not stop a formation, so the
// error is the caller's to log.
func (r *Reporter) Report(d Document) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d.Since = r.last.Since
	if d.Step != r.last.Step || d.State != r.last.State {
		d.Since = r.now()
	}
	changed := !d.same(r.last)
	r.last = d
	if !changed {
		return nil
	}
	line, err := d.Line()
	if err != nil {
		return err
	}
	_, err = io.WriteString(r.out, line+"\n")
	return err
}
