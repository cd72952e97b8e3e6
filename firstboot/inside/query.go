package inside

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// LogQuery asks for lines of the journal.
type LogQuery struct {
	Unit   string // systemd's name, without an ending it is a service; empty: every unit
	Kernel bool   // the kernel's messages instead of a unit's
	Since  string // a duration back from the node's now, like 10m, or a moment as RFC 3339; empty: from the beginning
	Boot   string // 0 for this boot, -1 for the one before, ...; empty: all
	Lines  int    // the last so many; 0: all
	Follow bool   // go on with what comes
}

// DefaultLines is how many lines are given to who does not say.
const DefaultLines = 1000

const mostLines = 1_000_000

var (
	// unitShape is systemd's set of characters (systemd.unit(5)) without the patterns that journalctl would expand, and does not
	// begin like an option.
	unitShape = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9:_.@\\-]{0,199}$`)
	bootShape = regexp.MustCompile(`^(0|-[1-9][0-9]{0,2})$`)
	// unitEndings are systemd's kinds of units that log.
	unitEndings = regexp.MustCompile(`\.(service|socket|mount|automount|swap|timer|path|target|slice|scope|device)$`)
)

// Values are the query as it goes over the wire.
func (q LogQuery) Values() url.Values {
	v := url.Values{}
	for key, text := range map[string]string{"unit": q.Unit, "since": q.Since, "boot": q.Boot} {
		if text != "" {
			v.Set(key, text)
		}
	}
	if q.Lines != 0 {
		v.Set("lines", strconv.Itoa(q.Lines))
	}
	if q.Follow {
		v.Set("follow", "1")
	}
	return v
}

// ParseLogQuery reads what Values made; Kernel is the caller's to set.
func ParseLogQuery(v url.Values) (LogQuery, error) {
	q := LogQuery{Unit: v.Get("unit"), Since: v.Get("since"), Boot: v.Get("boot"), Follow: v.Get("follow") == "1"}
	if text := v.Get("lines"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return q, fmt.Errorf("%w: %q is no number of lines", ErrQuery, text)
		}
		q.Lines = n
	}
	return q, q.Check()
}

// Check says what is wrong with a query.
func (q LogQuery) Check() error {
	switch {
	case q.Unit != "" && !unitShape.MatchString(q.Unit):
		return fmt.Errorf("%w: %q is no name of a unit", ErrQuery, q.Unit)
	case q.Unit != "" && q.Kernel:
		return fmt.Errorf("%w: the kernel is no unit", ErrQuery)
	case q.Boot != "" && !bootShape.MatchString(q.Boot):
		return fmt.Errorf("%w: %q is no boot: 0 is this one, -1 the one before", ErrQuery, q.Boot)
	case q.Lines < 0 || q.Lines > mostLines:
		return fmt.Errorf("%w: %d lines are not between 0, which is all, and %d", ErrQuery, q.Lines, mostLines)
	}
	_, err := q.since(time.Time{})
	return err
}

// since is the moment that the query begins at, zero for the beginning.
func (q LogQuery) since(now time.Time) (time.Time, error) {
	if q.Since == "" {
		return time.Time{}, nil
	}
	if back, err := time.ParseDuration(q.Since); err == nil && back > 0 {
		return now.Add(-back), nil
	}
	at, err := time.Parse(time.RFC3339, q.Since)
	if err != nil {
		return at, fmt.Errorf("%w: %q is neither a time back, like 10m, nor a moment like 2026-06-01T12:00:00Z", ErrQuery, q.Since)
	}
	return at, nil
}

// UnitName is a unit with its ending: a service if there is none.
func UnitName(name string) string {
	if unitEndings.MatchString(name) {
		return name
	}
	return name + ".service"
}

// args are journalctl's. Times are UTC, so that nodes compare; the node's name is left out, since it was asked by name. The short
// form shows what is not printable as such, so that a log cannot write to the terminal of who reads it.
func (q LogQuery) args(now time.Time) []string {
	args := []string{"--no-pager", "--quiet", "--utc", "--no-hostname", "--output=short-iso"}
	if q.Unit != "" {
		args = append(args, "--unit="+UnitName(q.Unit))
	}
	if q.Kernel {
		args = append(args, "--dmesg")
	}
	if q.Kernel || q.Boot != "" {
		args = append(args, "--boot="+cmp.Or(q.Boot, "0"))
	}
	if at, err := q.since(now); err == nil && !at.IsZero() {
		args = append(args, fmt.Sprintf("--since=@%d", at.Unix()))
	}
	switch {
	case q.Lines > 0:
		args = append(args, fmt.Sprintf("--lines=%d", q.Lines))
	case q.Follow:
		args = append(args, "--lines=all")
	}
	if q.Follow {
		args = append(args, "--follow")
	}
	return args
}

// Logs gives lines of the journal. A unit must be known to systemd: of one that is not nothing will ever come.
func (n *Node) Logs(ctx context.Context, q LogQuery) (Stream, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	if q.Unit != "" {
		if err := n.known(ctx, UnitName(q.Unit)); err != nil {
			return nil, err
		}
	}
	return n.redacted("journalctl", q.args(n.Now())...), nil
}

// Kernel gives the kernel's own buffer, or, of another boot, what the journal has of it.
func (n *Node) Kernel(ctx context.Context, q LogQuery) (Stream, error) {
	q.Kernel = true
	if q.Boot != "" || q.Since != "" || q.Lines != 0 {
		return n.Logs(ctx, q)
	}
	if err := q.Check(); err != nil {
		return nil, err
	}
	args := []string{"--nopager", "--color=never", "--time-format=iso"}
	if q.Follow {
		args = append(args, "--follow")
	}
	return n.redacted("dmesg", args...), nil
}

// redacted is the output of a program, but for key material.
func (n *Node) redacted(name string, args ...string) Stream {
	return func(ctx context.Context, to io.Writer) error {
		out := n.redactor(to)
		err := n.Streams.Stream(ctx, out, name, args...)
		if err != nil {
			return err
		}
		return out.Close()
	}
}

// known refuses a unit that systemd does not have.
func (n *Node) known(ctx context.Context, unit string) error {
	out, err := n.Run.Run(ctx, "systemctl", "show", "--property=LoadState", "--", unit)
	if err != nil {
		return fmt.Errorf("asking for %s: %w", unit, err)
	}
	if strings.TrimSpace(out) == "LoadState=not-found" {
		return fmt.Errorf("%w: there is no unit %s\nhint: `slipway services` lists those that there are", ErrMissing, unit)
	}
	return nil
}
