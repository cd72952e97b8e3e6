package firstboot

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path"
	"strings"
	"time"
)

// Exec is the real Runner.
type Exec struct{}

// Run starts the program without a shell. Of standard error the last kilobyte is kept.
func (e Exec) Run(ctx context.Context, name string, args ...string) (string, error) {
	return e.Feed(ctx, "", name, args...)
}

// Feed is Run for a program that reads its standard input.
func (Exec) Feed(ctx context.Context, input, name string, args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	if input != "" {
		cmd.Stdin = strings.NewReader(input)
	}
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return out.String(), fmt.Errorf("running %s: %w%s", path.Base(name), err, tail(errs.String()))
	}
	return out.String(), nil
}

// Stream passes the program's standard output on as it comes, until its end or the context's. Who takes nothing any more has to
// end the context: a program that is silent does not notice.
func (Exec) Stream(ctx context.Context, to io.Writer, name string, args ...string) error {
	errs := &lastBytes{}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = to, errs
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("running %s: %w%s", path.Base(name), err, tail(string(*errs)))
	}
	return nil
}

// lastBytes keeps the last kilobytes of what is written to it.
type lastBytes []byte

// Write takes everything.
func (l *lastBytes) Write(p []byte) (int, error) {
	*l = append(*l, p...)
	*l = (*l)[max(0, len(*l)-4096):]
	return len(p), nil
}

func tail(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return ""
	}
	return ": " + text[max(0, len(text)-1024):]
}

// WallClock is the real Clock; what tells the time comes in as a value.
type WallClock func() time.Time

// Now is the time.
func (c WallClock) Now() time.Time { return c() }

// Sleep waits for d.
func (c WallClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
