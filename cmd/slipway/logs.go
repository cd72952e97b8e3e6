package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"slipway/firstboot/inside"
)

// lookHelp is said by every verb that looks into a node.
const lookHelp = `The node is asked at its peer API with the operator's certificate, as for slipway status; it answers also while the cluster
has not formed or the API server is down. Nothing on the node is changed, and keys and tokens are left out of what it sends.`

// linesOptions are the flags of the verbs that show lines.
type linesOptions struct {
	askOptions
	query inside.LogQuery
}

// addFlags leaves -f to --follow.
func (o *linesOptions) addFlags(cmd *cobra.Command) {
	o.addFlagsAs(cmd, "")
	f := cmd.Flags()
	f.BoolVarP(&o.query.Follow, "follow", "f", false, "go on with what comes, for an hour at most")
	f.StringVar(&o.query.Since, "since", "", "only what is newer: a time back by the node's clock, like 10m, or a moment like 2026-06-01T12:00:00Z")
	f.StringVar(&o.query.Boot, "boot", "", "only of one boot: 0 is this one, -1 the one before")
	f.IntVarP(&o.query.Lines, "lines", "n", 0, "the last so many lines; 0 for all, up to 64 MiB")
}

func newLogsCmd(s streams) *cobra.Command {
	var o linesOptions
	cmd := &cobra.Command{
		Use:   "logs NODE [UNIT]",
		Short: "Show a node's journal, or that of one unit",
		Long: fmt.Sprintf(`Shows the last %d lines of a node's journal, or of one unit: etcd stands for etcd.service. With --since it shows all that is newer.
Times are UTC. slipway services lists the units.

%s

-f is --follow here: the spec is --file alone.

%s`, inside.DefaultLines, lookHelp, exitCodeHelp),
		Example: "  slipway logs cp1 etcd\n  slipway logs cp1 kubelet -f\n  slipway logs cp1 --since 10m --boot 0",
		Args:    func(_ *cobra.Command, args []string) error { return nodeAndUnit(args) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				o.query.Unit = args[1]
			}
			if !cmd.Flags().Changed("lines") && o.query.Since == "" {
				o.query.Lines = inside.DefaultLines
			}
			return runLogs(cmd.Context(), s, o, args[0])
		},
	}
	o.addFlags(cmd)
	return cmd
}

// nodeAndUnit wants a node, and a unit perhaps.
func nodeAndUnit(args []string) error {
	for _, arg := range args {
		if strings.HasSuffix(arg, ".yaml") || strings.HasSuffix(arg, ".yml") {
			return usageError{fmt.Errorf("reading the command line: %q is no node or unit\nhint: -f is --follow here, name the spec with --file", arg)}
		}
	}
	if len(args) == 0 || len(args) > 2 {
		return usageError{fmt.Errorf("reading the command line: logs wants a node, and a unit if you like, not %d words", len(args))}
	}
	return nil
}

func runLogs(ctx context.Context, s streams, o linesOptions, name string) error {
	return o.show(ctx, s, name, func(t target, to io.Writer) error { return t.client.Logs(ctx, o.query, to) })
}

// show asks one node for lines and prints them.
func (o *linesOptions) show(ctx context.Context, s streams, name string, ask func(target, io.Writer) error) error {
	if err := o.query.Check(); err != nil {
		return usageError{err}
	}
	t, err := o.one(s, name)
	if err != nil {
		return err
	}
	err = ask(t, s.out)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// wantsNode makes anything but one node a wrong command line.
func wantsNode(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{fmt.Errorf("reading the command line: %s wants one node, not %d", cmd.Name(), len(args))}
	}
	return nil
}
