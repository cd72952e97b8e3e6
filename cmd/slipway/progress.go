package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// Rules of what people see while slipway works: everything goes to stderr; a terminal gets one moving line for the
// step at hand, anything else gets one plain line a step, and one as each part that takes minutes starts and ends, but
// nothing that moves; --quiet gets errors only.

// newProgress picks the form that fits the stream.
func newProgress(s streams, quiet bool, now func() time.Time) *progress {
	p := &progress{w: s.err, now: now, quiet: quiet}
	if f, ok := s.err.(*os.File); ok {
		p.tty = term.IsTerminal(int(f.Fd()))
	}
	return p
}

// progress prints steps. It fits imagebuild.Progress.
type progress struct {
	w     io.Writer
	now   func() time.Time
	quiet bool
	tty   bool

	mu    sync.Mutex
	step  string
	start time.Time
	part  time.Time // when the part at hand started
	drawn time.Time
}

// Begin names the step at hand.
func (p *progress) Begin(step string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step, p.start = step, p.now()
	p.redraw("")
}

// Bytes moves the bar of the step at hand, on a terminal, ten times a second at most.
func (p *progress) Bytes(done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.tty || total <= 0 || p.now().Sub(p.drawn) < 100*time.Millisecond {
		return
	}
	const width = 24
	full := int(width * done / total)
	p.redraw(fmt.Sprintf("[%s%s] %3d%% of %s", strings.Repeat("#", full), strings.Repeat(".", width-full), 100*done/total, size(total)))
}

// Note shows a detail of the step at hand on a terminal.
func (p *progress) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now().Sub(p.drawn) >= 100*time.Millisecond {
		p.redraw(text)
	}
}

// Start names a part of the step that may take minutes.
func (p *progress) Start(part string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.part = p.now()
	if !p.quiet && !p.tty {
		fmt.Fprintf(p.w, "  %s ...\n", part)
	}
	p.redraw(part)
}

// Finish says how long the part took.
func (p *progress) Finish(part string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.quiet {
		fmt.Fprintf(p.w, "%s  %s: %.1f s\n", p.clear(), part, p.now().Sub(p.part).Seconds())
	}
	p.redraw("")
}

// Line says what a person should know and keep, above the moving line.
func (p *progress) Line(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.quiet {
		return
	}
	fmt.Fprintf(p.w, "%s  %s\n", p.clear(), text)
	p.redraw("")
}

// End says that the step is done, and how long it took.
func (p *progress) End(step, detail string, cached bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.quiet {
		return
	}
	took := fmt.Sprintf("%6.1f s", p.now().Sub(p.start).Seconds())
	if cached {
		took = "  cached"
	}
	fmt.Fprintf(p.w, "%s%-12s %s  %s\n", p.clear(), step, took, detail)
	p.step = ""
}

func (p *progress) redraw(text string) {
	if p.quiet || !p.tty {
		return
	}
	p.drawn = p.now()
	if limit := 60; len(text) > limit {
		text = text[:limit]
	}
	fmt.Fprintf(p.w, "%s%-12s %s", p.clear(), p.step, text)
}

func (p *progress) clear() string {
	if p.tty {
		return "\r\x1b[K"
	}
	return ""
}

// size prints bytes for a person.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
