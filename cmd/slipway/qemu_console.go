package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"slipway/qemu"
)

func newQEMUConsoleCmd(s streams, shared *qemuOptions) *cobra.Command {
	var follow, attach bool
	cmd := &cobra.Command{
		Use:   "console [NODE]",
		Short: "Show a node's serial console",
		Long: `Prints what the node has written to its serial console; with --follow also what it will write until it is switched
off. --attach joins this terminal to the line; only a debug image answers there. Ctrl-] detaches.

` + exitCodeHelp,
		Example: "  slipway qemu console --follow n1",
		RunE: func(cmd *cobra.Command, args []string) error {
			if follow && attach {
				return usageError{errors.New("reading flags: --follow and --attach exclude each other")}
			}
			m, err := shared.manager(s)
			if err != nil {
				return err
			}
			node, err := oneNode(m, args)
			if err != nil {
				return err
			}
			if attach {
				return runQEMUAttach(cmd.Context(), s, m, node)
			}
			return m.PrintSerial(cmd.Context(), node, s.out, follow)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "F", false, "go on with what it writes until it is switched off")
	cmd.Flags().BoolVar(&attach, "attach", false, "type into the console, too")
	return cmd
}

// runQEMUAttach gives the node every key as it is typed when stdin is a terminal.
func runQEMUAttach(ctx context.Context, s streams, m qemu.Manager, node string) error {
	if f, ok := s.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		old, err := term.MakeRaw(int(f.Fd()))
		if err != nil {
			return fmt.Errorf("switching the terminal: %w", err)
		}
		defer term.Restore(int(f.Fd()), old)
		fmt.Fprintf(s.err, "slipway: attached to %q; Ctrl-] detaches\r\n", node)
	}
	return m.Attach(ctx, node, s.in, s.out)
}
