package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"
)

func newDmesgCmd(s streams) *cobra.Command {
	var o linesOptions
	cmd := &cobra.Command{
		Use:   "dmesg NODE",
		Short: "Show the messages of a node's kernel",
		Long: `Shows what the node's kernel has said since it started, from the kernel's own buffer; with --since, --boot or --lines what the
journal has of it, which reaches further back.

` + lookHelp + `

-f is --follow here: the spec is --file alone.

` + exitCodeHelp,
		Example: "  slipway dmesg cp1\n  slipway dmesg cp1 -f\n  slipway dmesg cp1 --boot -1",
		Args:    wantsNode,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDmesg(cmd.Context(), s, o, args[0])
		},
	}
	o.addFlags(cmd)
	return cmd
}

func runDmesg(ctx context.Context, s streams, o linesOptions, name string) error {
	return o.show(ctx, s, name, func(t target, to io.Writer) error { return t.client.Kernel(ctx, o.query, to) })
}
