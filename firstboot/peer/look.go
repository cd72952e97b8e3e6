package peer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"slipway/firstboot/inside"
)

// Insider is what the operator, and nobody else, may look at.
type Insider interface {
	Health(context.Context) inside.Health
	Services(context.Context) ([]inside.Service, error)
	Logs(context.Context, inside.LogQuery) (inside.Stream, error)
	Kernel(context.Context, inside.LogQuery) (inside.Stream, error)
	Support() inside.Stream
}

// What one stream, and all of them, may cost a node.
const (
	mostStreams    = 8        // at a time
	mostStreamed   = 64 << 20 // bytes of one
	streamRate     = 8 << 20  // bytes a second of one
	streamTime     = 2 * time.Minute
	followTime     = time.Hour
	streamPatience = 10 * time.Second // with a caller that takes nothing
	lookTime       = Timeout - 500*time.Millisecond
)

// endTrailer says how a stream ended: endWhole, or why there is no more. A stream without it was cut off.
const (
	endTrailer = "Slipway-End"
	endWhole   = "whole"
)

// operator lets nobody but the operator in.
func (s *Server) operator(answer func(http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return s.handle(rule{}, func(w http.ResponseWriter, r *http.Request, caller Caller) {
		if !caller.Operator {
			s.refused(r.RemoteAddr, fmt.Errorf("%q asked for %s, which is the operator's", caller.Name, r.URL.Path))
			http.Error(w, "this is for the operator's certificate alone", http.StatusForbidden)
			return
		}
		answer(w, r)
	})
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), lookTime)
	defer cancel()
	reply(w, s.o.Inside.Health(ctx))
}

func (s *Server) services(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), lookTime)
	defer cancel()
	all, err := s.o.Inside.Services(ctx)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	reply(w, all)
}

// lines answers a query for lines that open opens.
func (s *Server) lines(open func(context.Context, inside.LogQuery) (inside.Stream, error)) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		q, err := inside.ParseLogQuery(r.URL.Query())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		limit := streamTime
		if q.Follow {
			limit = followTime
		}
		s.stream(w, r, limit, func(ctx context.Context) (inside.Stream, error) { return open(ctx, q) })
	}
}

func (s *Server) support(w http.ResponseWriter, r *http.Request) {
	s.stream(w, r, streamTime, func(context.Context) (inside.Stream, error) { return s.o.Inside.Support(), nil })
}

// stream passes on what open opens, within the bounds.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, limit time.Duration, open func(context.Context) (inside.Stream, error)) {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		http.Error(w, fmt.Sprintf("%d streams are open already", mostStreams), http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), limit, fmt.Errorf("a stream ends after %s", limit))
	defer cancel()
	from, err := open(ctx)
	if err != nil {
		http.Error(w, err.Error(), codeOf(err))
		return
	}
	b := newBounded(ctx, w, s.o.Bounds, s.o.Clock.Now)
	defer b.cancel(nil) // ends whatever still writes
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Trailer", endTrailer)
	if err := b.control.Flush(); err != nil {
		return
	}
	err = from(b.ctx, b)
	w.Header().Set(endTrailer, b.end(err))
	b.patience()
}

func codeOf(err error) int {
	switch {
	case errors.Is(err, inside.ErrQuery):
		return http.StatusBadRequest
	case errors.Is(err, inside.ErrMissing):
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

// Bounds of a stream; zero stands for the constants above.
type Bounds struct {
	Bytes    int64
	Rate     int64         // bytes a second
	Patience time.Duration // with a caller that takes nothing
}

// bounded is what a stream is written to. The server's own bounds in time, which are for short answers, are lifted for it;
// instead each write has one, so that a caller that takes nothing holds nothing.
type bounded struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	to      io.Writer
	control *http.ResponseController
	left    int64
	rate    int64
	wait    time.Duration // for one write
	now     func() time.Time
}

func newBounded(ctx context.Context, w http.ResponseWriter, o Bounds, now func() time.Time) *bounded {
	ctx, cancel := context.WithCancelCause(ctx)
	b := &bounded{ctx: ctx, cancel: cancel, to: w, control: http.NewResponseController(w), now: now}
	b.left, b.rate, b.wait = cmp.Or(o.Bytes, mostStreamed), cmp.Or(o.Rate, streamRate), cmp.Or(o.Patience, streamPatience)
	b.control.SetReadDeadline(time.Time{}) // else the caller would seem to be gone when it comes
	b.patience()
	return b
}

// patience gives the caller its time for the next write.
func (b *bounded) patience() { b.control.SetWriteDeadline(b.now().Add(b.wait)) }

// Write passes on at once, and not faster than the rate. What fails ends the context, and so the program that is read from.
func (b *bounded) Write(p []byte) (int, error) {
	if err := context.Cause(b.ctx); err != nil {
		return 0, err
	}
	full := int64(len(p)) > b.left
	if full {
		p = p[:b.left]
	}
	b.patience()
	n, err := b.to.Write(p)
	if err == nil {
		err = b.control.Flush()
	}
	b.left -= int64(n)
	if err == nil && full {
		err = errors.New("it was too long, and the rest is left out")
	}
	if err != nil {
		b.cancel(err)
		return n, err
	}
	return n, b.pause(n)
}

// pause takes the time that so many bytes may take.
func (b *bounded) pause(n int) error {
	t := time.NewTimer(time.Duration(n) * time.Second / time.Duration(b.rate))
	defer t.Stop()
	select {
	case <-b.ctx.Done():
		return context.Cause(b.ctx)
	case <-t.C:
		return nil
	}
}

// end tells how the stream ended, on one line.
func (b *bounded) end(err error) string {
	if cause := context.Cause(b.ctx); cause != nil {
		err = cause
	}
	if err == nil {
		return endWhole
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
