package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newStatusCmd(s streams) *cobra.Command {
	var o askOptions
	var asJSON, watch bool
	cmd := &cobra.Command{
		Use:   "status [NODE...]",
		Short: "Show how far each node's formation is, and how the cluster does",
		Long: `Shows for each node, or each one named, its roles, the step it is at, what and whom it waits for, since when, and its last error;
for etcd nodes and control planes the member (voter, leader, learner), the size of its database, where it is in raft's log, and whether
the API server is ready; who holds the VIP; which certificate is the first to need a new config, and which were not renewed in time.
Below stand notices: peers and callers that a node turned away and why, certificate requests that it will not approve, a journal that
it could not read.

With --watch it goes on: on a terminal as a screen of its own (q ends it), elsewhere as a line for each change.

` + askHelp + `

All nodes are asked at once, and each has 4 s. What --json prints is described in docs/looking-inside.md.

Exits with 1 when a node does not answer.

` + exitCodeHelp,
		Example: "  slipway status -f cluster.yaml\n  slipway status --watch\n  slipway status n1 --address 127.0.0.1:17400 --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.nodes = args
			if watch && asJSON {
				return usageError{errors.New("reading the command line: --watch has no end, and --json is one document at the end\nhint: call slipway status --json as often as you like")}
			}
			if watch {
				return runWatch(cmd.Context(), s, o)
			}
			return runStatus(cmd.Context(), s, o, asJSON)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON: a list of status documents")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on showing it")
	return cmd
}

func runStatus(ctx context.Context, s streams, o askOptions, asJSON bool) error {
	asked, err := o.targets(s)
	if err != nil {
		return err
	}
	answers := lookAll(ctx, asked)
	if err := ctx.Err(); err != nil {
		return err
	}
	if asJSON {
		s.reports(answers)
	} else if err := printStatus(s, answers); err != nil {
		return fmt.Errorf("writing status: %w", err)
	}
	var silent []string
	for _, a := range answers {
		if a.Error != "" {
			silent = append(silent, a.Node)
		}
	}
	if len(silent) > 0 {
		return fmt.Errorf("asking nodes: no answer from %s", strings.Join(silent, ", "))
	}
	return nil
}

// watchPause is the time between two looks.
const watchPause = 2 * time.Second

// runWatch shows the nodes until it is interrupted or, on a terminal, told to end.
func runWatch(ctx context.Context, s streams, o askOptions) error {
	nodes, err := o.targets(s)
	if err != nil {
		return err
	}
	if t, ok := terminalOf(s); ok {
		return newDashboard(t, nodes).run(ctx)
	}
	told := map[string]string{}
	for {
		tell(lookAll(ctx, nodes), told, describeAll, func(node, news string) {
			fmt.Fprintf(s.out, "%s %s: %s\n", time.Now().UTC().Format(time.RFC3339), node, news)
		})
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(watchPause):
		}
	}
}

// printStatus writes what there is to say, without ages: the same state prints the same.
func printStatus(s streams, replies []reply) error {
	for _, l := range view(replies).lines(time.Now(), func(t time.Time) string { return t.UTC().Format(time.RFC3339) }) {
		if _, err := fmt.Fprintln(s.out, l.text); err != nil {
			return err
		}
	}
	return nil
}
