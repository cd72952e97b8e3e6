package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func newStatusCmd(s streams) *cobra.Command {
	var o askOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [NODE...]",
		Short: "Show how far each node's formation is",
		Long: `Shows for each node, or each one named, the step it is at, what it waits for, since when, and its last error. Below the
table stand its notices: peers and callers that it turned away and why, certificate requests that it will not approve, a
journal that it could not read.

` + askHelp + `

Exits with 1 when a node does not answer.

` + exitCodeHelp,
		Example: "  slipway status -f cluster.yaml\n  slipway status n1 --address 127.0.0.1:17400 --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.nodes = args
			return runStatus(cmd.Context(), s, o, asJSON)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON: a list of status documents")
	return cmd
}

func runStatus(ctx context.Context, s streams, o askOptions, asJSON bool) error {
	asked, err := o.targets(s)
	if err != nil {
		return err
	}
	answers := askAll(ctx, asked)
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

func printStatus(s streams, replies []reply) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tSTEP\tSTATE\tSINCE\tWAITING FOR\tLAST ERROR")
	for _, r := range replies {
		state, since := string(r.State), r.Since.UTC().Format(time.RFC3339)
		if r.Error != "" {
			state, since = "no answer", "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Node, dash(r.Step), state, since, dash(r.WaitingFor), dash(cmp.Or(r.Error, r.LastError)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range replies {
		for _, n := range r.Notices {
			fmt.Fprintf(s.out, "%s: %s %s: %s\n", r.Node, n.Kind, n.Name, dash(n.Text))
		}
	}
	return nil
}
