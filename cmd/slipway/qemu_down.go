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
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "down [NODE...]",
		Short: "Switch nodes off",
		Long: `Switches the named nodes off, or all: their power buttons are pressed, and who has not powered off in time is cut.
Disks stay for the next up, unless --delete is given.

` + exitCodeHelp,
		Example: "  slipway qemu down\n  slipway qemu down --hard n1    # a power cut\n  slipway qemu down --delete",
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Nodes = args
			return runQEMUDown(cmd.Context(), s, *shared, req, asJSON)
		},
	}
	cmd.Flags().BoolVar(&req.Hard, "hard", false, "cut the power at once")
	cmd.Flags().BoolVar(&req.Delete, "delete", false, "also delete the disks and logs")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON: a list of what was done")
	cmd.Flags().DurationVar(&req.Timeout, "timeout", 2*time.Minute, "how long a node may take to power off by itself")
	return cmd
}

func runQEMUDown(ctx context.Context, s streams, o qemuOptions, req qemu.DownRequest, asJSON bool) error {
	m, err := o.manager(s)
	if err != nil {
		return err
	}
	reports, err := m.Down(ctx, req)
	if asJSON {
		reportDone(s, reports)
		return err
	}
	for _, r := range reports {
		fmt.Fprintf(s.out, "%s: %s\n", r.Node, r.Did)
	}
	return err
}

// done is what happened to a machine, for --json.
type done struct {
	Node  string     `json:"node"`
	Did   string     `json:"did"`
	Ports qemu.Ports `json:"ports"`
	Accel qemu.Accel `json:"accel,omitempty"`
	Note  string     `json:"note,omitempty"`
}

func reportDone(s streams, reports []qemu.Report) {
	var all []done
	for _, r := range reports {
		all = append(all, done(r))
	}
	s.reports(all)
}
