package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newWaitCmd(s streams) *cobra.Command {
	var o askOptions
	var timeout time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "wait [NODE...]",
		Short: "Wait until every node serves",
		Long: `Waits until every node of the spec, or every one named, says that it serves, and tells meanwhile what each waits for
whenever that changes.

` + askHelp + `

Exits with 1 when the time is up, and says what was still waited for.

` + exitCodeHelp,
		Example: "  slipway wait -f cluster.yaml --timeout 10m\n  slipway wait --address 127.0.0.1:17400",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.nodes = args
			return runWait(cmd.Context(), s, o, timeout, asJSON)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "how long to wait")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON at the end: a list of status documents")
	return cmd
}

// waitPause is the time between two questions.
const waitPause = time.Second

func runWait(parent context.Context, s streams, o askOptions, timeout time.Duration, asJSON bool) error {
	if timeout <= 0 {
		return usageError{fmt.Errorf("reading --timeout: %s is no time to wait", timeout)}
	}
	nodes, err := o.targets(s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(parent, timeout)
	defer cancel()
	told := map[string]string{}
	for {
		replies := askAll(ctx, nodes)
		left := tell(s, replies, told)
		if parent.Err() != nil {
			return parent.Err()
		}
		if left == 0 && asJSON {
			s.reports(replies)
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			if parent.Err() != nil {
				return parent.Err()
			}
			return timeUp(timeout, nodes, told)
		case <-time.After(waitPause):
		}
	}
}

// tell prints what has changed since it was told last, and counts the nodes that do not serve yet. An answer that was
// cut off by the end of the wait is no news.
func tell(s streams, replies []reply, told map[string]string) (left int) {
	for _, r := range replies {
		if !r.Serving {
			left++
		}
		news := describe(r)
		if told[r.Node] == news || told[r.Node] != "" && r.cutOff {
			continue
		}
		told[r.Node] = news
		fmt.Fprintf(s.err, "%s: %s\n", r.Node, news)
	}
	return left
}

// describe says in one line how a node is doing.
func describe(r reply) string {
	switch {
	case r.Error != "":
		return "no answer yet: " + dash(r.Error)
	case r.Serving:
		return "serving"
	}
	text := fmt.Sprintf("%s %s", cmp.Or(r.Step, "start"), r.State)
	if r.WaitingFor != "" {
		text += ", waiting for " + dash(r.WaitingFor)
	}
	if r.LastError != "" {
		text += ": " + dash(r.LastError)
	}
	return text
}

func timeUp(timeout time.Duration, nodes []target, told map[string]string) error {
	text := fmt.Sprintf("waiting for the cluster: not serving after %s", timeout)
	for _, n := range nodes {
		if told[n.name] != "serving" {
			text += "\n" + n.name + ": " + told[n.name]
		}
	}
	return errors.New(text)
}
