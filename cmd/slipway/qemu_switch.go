package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"slipway/qemu/lan"
)

// newQEMUSwitchCmd is what `slipway qemu up` runs beside several nodes; nobody else needs it, so help does not list it.
func newQEMUSwitchCmd(_ streams, _ *qemuOptions) *cobra.Command {
	var sockets lan.Sockets
	cmd := &cobra.Command{
		Use:    "switch --uplink SOCKET SOCKET...",
		Short:  "Join the nodes and the user network that connect to sockets",
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			sockets.Nodes = args
			return runQEMUSwitch(cmd.Context(), sockets)
		},
	}
	cmd.Flags().StringVar(&sockets.Uplink, "uplink", "", "the socket of the user network, which gets only what is meant for it")
	return cmd
}

// runQEMUSwitch works until it is told to end, which is no failure.
func runQEMUSwitch(ctx context.Context, sockets lan.Sockets) error {
	if sockets.Uplink == "" || len(sockets.Nodes) == 0 {
		return usageError{errors.New("qemu switch: no sockets\nhint: it is run by slipway qemu up; name a socket of the user network by --uplink, and one a node")}
	}
	return lan.Serve(ctx, sockets)
}
