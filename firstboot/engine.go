package firstboot

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"slipway/firstboot/journal"
	"slipway/firstboot/status"
)

// Engine runs the steps, for ever: first until all are done, then again and again to see whether they still are.
// A step waits for those that it names in After and for nothing else: steps whose order allows it run at the same time, so
// that one that takes long, or asks a machine that does not answer, keeps no other one waiting.
type Engine struct {
	Node    string
	Steps   []Step
	Clock   Clock
	Journal *journal.Store
	Report  func(status.Document) // never called twice at the same time
	Notices func() []status.Notice

	mu       sync.Mutex // over all below
	began    time.Time
	progress map[string]*progress
	ended    chan struct{} // a try has ended since somebody last looked
}

// progress is what the engine knows of a step; it is gone with the process, observation brings it back.
type progress struct {
	seen, done bool
	doubt      bool // was done, and the last look failed
	trying     bool
	working    bool
	tries      int // failed ones in a row
	polls      int // waiting ones in a row
	late       int // those in a row that took longer than they may
	waiting    string
	err        error
	next       time.Time
}

// Run works until the context ends and returns its error, once every step has noticed.
func (e *Engine) Run(ctx context.Context) error {
	var tries sync.WaitGroup
	defer tries.Wait()
	for ctx.Err() == nil {
		for s := e.next(); s != nil; s = e.next() {
			tries.Go(func() { e.try(ctx, *s) })
		}
		e.rest(ctx)
	}
	return ctx.Err()
}

// Pass gives every step whose turn it is one try, one after the other: Run for a world whose time stands still meanwhile. The
// only error is the context's.
func (e *Engine) Pass(ctx context.Context) error {
	for s := e.next(); s != nil && ctx.Err() == nil; s = e.next() {
		e.try(ctx, *s)
	}
	return ctx.Err()
}

// next takes the first step whose turn it is.
func (e *Engine) next() *Step {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.begin()
	now := e.Clock.Now()
	for i, s := range e.Steps {
		if p := e.progress[s.Name]; !p.trying && e.ready(s) && !now.Before(p.next) {
			p.trying = true
			return &e.Steps[i]
		}
	}
	return nil
}

func (e *Engine) begin() {
	if e.progress != nil {
		return
	}
	e.began = e.Clock.Now()
	e.progress, e.ended = map[string]*progress{}, make(chan struct{}, 1)
	for _, s := range e.Steps {
		e.progress[s.Name] = &progress{}
	}
}

// rest is until the next step's turn, or until a try ends, after which it may be any step's turn.
func (e *Engine) rest(ctx context.Context) {
	ctx, wake := context.WithCancel(ctx)
	defer wake()
	go func() {
		select {
		case <-e.ended:
			wake()
		case <-ctx.Done():
		}
	}()
	_ = e.Clock.Sleep(ctx, e.pause()) // woken or not, Run looks again
}

// ready says whether all that the step comes after is done.
func (e *Engine) ready(s Step) bool {
	for _, name := range s.After {
		if p, has := e.progress[name]; has && !p.done {
			return false
		}
	}
	return true
}

// Serving says whether every step was done when last looked at.
func (e *Engine) Serving() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.serving()
}

func (e *Engine) serving() bool {
	for _, s := range e.Steps {
		if p := e.progress[s.Name]; p == nil || !p.done {
			return false
		}
	}
	return true
}

// try observes, acts if it must, and takes down what came of it.
func (e *Engine) try(parent context.Context, s Step) {
	ctx, cancel := context.WithTimeout(parent, e.limit(s))
	defer cancel()
	found, err := s.Observe(ctx)
	if err == nil && found.act {
		e.change(func() {
			p := e.progress[s.Name]
			p.done, p.working = false, p.tries == 0
		})
		found, err = e.act(ctx, s, found)
	}
	if err == nil && found.done {
		err = e.record(s)
	}
	e.change(func() {
		p := e.progress[s.Name]
		p.trying, p.working = false, false
		if p.late++; ctx.Err() == nil {
			p.late = 0
		}
		if parent.Err() == nil {
			now := e.Clock.Now()
			p.settle(found, err, now, e.beat(s, now))
		}
	})
	select {
	case e.ended <- struct{}{}:
	default: // it is known already
	}
}

// limit is how long a try may take: twice as long after each that took too long, up to eight times the step's own. A machine on a host
// that is busy, as when a whole site is switched on, would else begin the same work again and again and never end it.
func (e *Engine) limit(s Step) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return s.limit() << min(e.progress[s.Name].late, 3)
}

// change alters what is known, and tells it.
func (e *Engine) change(how func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	how()
	e.publish()
}

// act acts and verifies.
func (e *Engine) act(ctx context.Context, s Step, found Finding) (Finding, error) {
	act, again := s.Act, found.again
	if found.do != nil {
		act = found.do
	}
	if err := act(ctx); err != nil {
		return found, err
	}
	found, err := s.Observe(ctx)
	if err == nil && found.act && (again || found.again) {
		return Wait(found.waiting), nil
	}
	if err == nil && found.act {
		err = fmt.Errorf("still waiting for %s after doing what should bring it", found.waiting)
	}
	return found, err
}

// record journals the first time that a step is done.
func (e *Engine) record(s Step) error {
	if e.Journal.Get().Has(s.Name) {
		return nil
	}
	at := e.Clock.Now().UTC().Truncate(time.Second)
	return e.Journal.Update(func(j *journal.Journal) {
		j.Steps = append(j.Steps, journal.Entry{Step: s.Name, At: at})
	})
}

// beat is when a step that is done is looked at again: at one of the moments, as far apart as the step says, that began with the engine.
// Steps that look in the same moment share what they ask systemd for, and engines of other nodes have moments of their own.
func (e *Engine) beat(s Step, now time.Time) time.Time {
	return now.Add(s.recheck() - now.Sub(e.began)%s.recheck())
}

// settle takes down what was found; again is when to look again if that is well.
func (p *progress) settle(found Finding, err error, now, again time.Time) {
	p.seen = true
	if err != nil && p.done && !p.doubt { // one failed look is not yet a failure: look again soon
		p.doubt, p.next = true, now.Add(time.Second)
		return
	}
	p.doubt, p.err, p.waiting = false, err, found.waiting
	p.done = err == nil && found.done
	switch {
	case p.done:
		p.tries, p.polls, p.next = 0, 0, again
	case err != nil:
		p.tries++
		p.next = now.Add(backoff(p.tries))
	default:
		p.polls++
		p.next = now.Add(poll(p.polls))
	}
}

// backoff doubles from one second to ten.
func backoff(tries int) time.Duration {
	return min(time.Second<<min(tries-1, 10), 10*time.Second)
}

// poll is how long to wait before looking again: often in the beginning, when formation is quick.
func poll(polls int) time.Duration {
	switch {
	case polls <= 20:
		return 500 * time.Millisecond
	case polls <= 120:
		return time.Second
	}
	return 5 * time.Second
}

// pause is the time until the next step's turn.
func (e *Engine) pause() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.Clock.Now()
	pause := defaultRecheck
	for _, s := range e.Steps {
		if p := e.progress[s.Name]; !p.trying && e.ready(s) {
			pause = min(pause, p.next.Sub(now))
		}
	}
	return max(pause, 50*time.Millisecond)
}

// publish reports where things stand.
func (e *Engine) publish() {
	serving := e.serving()
	d := status.Document{Node: e.Node, Serving: serving, Notices: e.Notices()}
	if serving {
		d.Step, d.State = e.Steps[len(e.Steps)-1].Name, status.Serving
	}
	for _, s := range e.Steps {
		p := e.progress[s.Name]
		state := p.state()
		d.Steps = append(d.Steps, status.Step{Name: s.Name, State: state})
		if d.Step == "" && !p.done {
			d.Step, d.State, d.WaitingFor, d.LastError = s.Name, state, p.waiting, errorText(p.err)
			if !p.working {
				d.NextRetry = p.next.UTC()
			}
		}
	}
	d.Formed = e.Journal.Get().Formed
	e.Report(d)
}

func (p *progress) state() status.State {
	switch {
	case p.working:
		return status.Working
	case p.done:
		return status.Done
	case p.err != nil:
		return status.Failed
	case p.seen:
		return status.Waiting
	}
	return status.Pending
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return err.Error() + " (took too long)"
	}
	return err.Error()
}
