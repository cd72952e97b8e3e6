package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

// terminal is where a dashboard is shown. Without an input there are no keys.
type terminal struct {
	in, out *os.File
	colour  bool
}

// terminalOf gives the terminal that a verb talks to, if it is one that can be drawn on.
func terminalOf(s streams) (terminal, bool) {
	out, ok := s.out.(*os.File)
	if !ok || !term.IsTerminal(int(out.Fd())) || os.Getenv("TERM") == "dumb" {
		return terminal{}, false
	}
	t := terminal{out: out, colour: os.Getenv("NO_COLOR") == ""} // https://no-color.org
	if in, ok := s.in.(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		t.in = in
	}
	return t, true
}

// Sequences of ECMA-48 and xterm that every terminal of today knows.
const (
	otherScreen, ownScreen = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l" // with and without a cursor
	topLeft                = "\x1b[H"
	restOfLine             = "\x1b[K"
	restOfScreen           = "\x1b[J"
)

// open takes the terminal: another screen, and keys as they are pressed. restore gives it back as it was.
func (t terminal) open() (restore func(), err error) {
	var before *term.State
	if t.in != nil {
		if before, err = term.MakeRaw(int(t.in.Fd())); err != nil {
			return nil, fmt.Errorf("taking the terminal: %w", err)
		}
	}
	io.WriteString(t.out, otherScreen) // a terminal that is gone ends the process by its hang-up
	return func() {
		io.WriteString(t.out, ownScreen)
		if before != nil {
			term.Restore(int(t.in.Fd()), before)
		}
	}, nil
}

// size is the terminal's, in characters.
func (t terminal) size() (width, height int) {
	width, height, err := term.GetSize(int(t.out.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}

// keys gives what is pressed. Its reader ends with the process.
func (t terminal) keys() <-chan byte {
	pressed := make(chan byte)
	if t.in == nil {
		return pressed
	}
	go func() {
		defer close(pressed)
		buf := make([]byte, 1)
		for {
			if _, err := t.in.Read(buf); err != nil {
				return
			}
			pressed <- buf[0]
		}
	}()
	return pressed
}

// dashboard shows the nodes on a screen of its own, until q.
type dashboard struct {
	terminal terminal
	nodes    []target
	last     view // nil before the first answer
}

func newDashboard(t terminal, nodes []target) *dashboard {
	return &dashboard{terminal: t, nodes: nodes}
}

// run draws what is new, when it is new: answers, and the size of the window.
func (d *dashboard) run(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	restore, err := d.terminal.open()
	if err != nil {
		return err
	}
	defer restore()
	answers, pressed := d.ask(ctx), d.terminal.keys()
	for {
		d.draw(time.Now())
		select {
		case d.last = <-answers:
		case <-resized:
		case key, open := <-pressed:
			if !open || isEnd(key) {
				return nil
			}
		case <-parent.Done():
			return parent.Err()
		}
	}
}

// isEnd says whether a key is q, Ctrl-C or Ctrl-D.
func isEnd(key byte) bool { return key == 'q' || key == 'Q' || key == 3 || key == 4 }

// ask asks all nodes again and again.
func (d *dashboard) ask(ctx context.Context) <-chan view {
	answers := make(chan view)
	go func() {
		for {
			v := view(lookAll(ctx, d.nodes))
			select {
			case answers <- v:
			case <-ctx.Done():
				return
			}
			select {
			case <-time.After(watchPause):
			case <-ctx.Done():
				return
			}
		}
	}()
	return answers
}

func (d *dashboard) draw(now time.Time) {
	width, height := d.terminal.size()
	var b strings.Builder
	b.WriteString(topLeft)
	for i, l := range screen(d.last, len(d.nodes), now, width, height) {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(d.terminal.paint(l) + restOfLine)
	}
	b.WriteString(restOfScreen)
	io.WriteString(d.terminal.out, b.String())
}

// paint colours a line by its mood.
func (t terminal) paint(l line) string {
	code := map[mood]string{heading: "1", waits: "33", wrong: "31"}[l.mood]
	if !t.colour || code == "" {
		return l.text
	}
	return "\x1b[" + code + "m" + l.text + "\x1b[0m"
}

// screen is the dashboard in so many columns and rows. When there are too many rows, nodes that do not serve come first.
func screen(v view, nodes int, now time.Time, width, height int) []line {
	title := line{fmt.Sprintf("%d of %d nodes serve   %s   q ends", v.serving(), nodes, now.UTC().Format(time.TimeOnly+"Z")), heading}
	if v == nil {
		title.text = fmt.Sprintf("asking %d nodes ...   q ends", nodes)
		return []line{crop(title, width)}
	}
	age := func(t time.Time) string { return ago(now, t) }
	body := v.lines(now, age)
	if len(body)+2 > height {
		v = slices.Clone(v)
		slices.SortStableFunc(v, func(a, b reply) int { return order(a) - order(b) })
		body = v.lines(now, age)
	}
	all := append([]line{title, {}}, body...)
	if len(all) > height {
		left := len(all) - height + 1
		all = append(all[:max(0, height-1)], line{fmt.Sprintf("... %d lines more: enlarge the window, or name nodes", left), heading})
	}
	for i := range all {
		all[i] = crop(all[i], width)
	}
	return all
}

// order puts what needs somebody first.
func order(r reply) int {
	switch {
	case r.Error != "":
		return 0
	case !r.Serving:
		return 1
	}
	return 2
}

// crop cuts a line to a width.
func crop(l line, width int) line {
	if text := []rune(l.text); len(text) > width {
		l.text = string(text[:max(0, width-1)]) + "…"
	}
	return l
}

// ago says how far a moment is from now, either way, in two units at most.
func ago(now, at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	d := now.Sub(at)
	if d < 0 {
		return "in " + spell(-d)
	}
	return spell(d)
}

func spell(d time.Duration) string {
	switch s := int(d.Seconds()); {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 24*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	case s < 100*24*3600:
		return fmt.Sprintf("%dd%02dh", s/24/3600, s/3600%24)
	default:
		return fmt.Sprintf("%dd", s/24/3600)
	}
}
