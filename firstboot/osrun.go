package firstboot

import (
	"bytes"
	"context"
	"fmt"
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
