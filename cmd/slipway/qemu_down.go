package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"slipway/qemu"
)

func newQEMUDownCmd(s streams, shared *qemuOptions) *cobra.Command {
	var req qemu.DownRequest
	cmd := &cobra.Command{
		Use:   "down [NODE...]",
		Short: "Switch nodes off",
		Long: `Switches the named nodes off, or all: their power buttons are pressed, and who has not powered off in time is cut.
Disks stay for the next up, unless --delete is given.

` + exitCodeHelp,
		Example: "  slipway qemu down\n  slipway qemu down --hard n1    # a power cut\n  slipway qemu down --delete",
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Nodes = args
			return runQEMUDown(cmd.Context(), s, *shared, req)
		},
	}
	cmd.Flags().BoolVar(&req.Hard, "hard", false, "cut the power at once")
	cmd.Flags().BoolVar(&req.Delete, "delete", false, "also delete the disks and logs")
	cmd.Flags().DurationVar(&req.Timeout, "timeout", 2*time.Minute, "how long a node may take to power off by itself")
	return cmd
}

func runQEMUDown(ctx context.Context, s streams, o qemuOptions, req qemu.DownRequest) error {
	m, err := o.manager(s)
	if err != nil {
		return err
	}
	reports, err := m.Down(ctx, req)
	for _, r := range reports {
		fmt.Fprintf(s.out, "%s: %s\n", r.Node, r.Did)
	}
	return err
}
