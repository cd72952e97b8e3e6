package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"slipway/firstboot/inside"
)

func newServicesCmd(s streams) *cobra.Command {
	var o askOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "services NODE",
		Short: "Show a node's units: state, since when, restarts, memory",
		Long: `Shows the systemd units that Slipway starts on the node, and every other one that failed.

` + lookHelp + `

` + exitCodeHelp,
		Example: "  slipway services cp1\n  slipway services cp1 --json | jq '.services[] | select(.active == \"failed\")'",
		Args:    wantsNode,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runServices(cmd.Context(), s, o, args[0], asJSON)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON: the node and its services")
	return cmd
}

// nodeServices is what --json prints.
type nodeServices struct {
	Node     string           `json:"node"`
	Services []inside.Service `json:"services"`
}

func runServices(ctx context.Context, s streams, o askOptions, name string, asJSON bool) error {
	t, err := o.one(s, name)
	if err != nil {
		return err
	}
	all, err := t.client.Services(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	if asJSON {
		s.reports(nodeServices{name, all})
		return nil
	}
	if err := printServices(s, all); err != nil {
		return fmt.Errorf("writing services: %w", err)
	}
	return nil
}

func printServices(s streams, all []inside.Service) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "UNIT\tSTATE\tSINCE\tRESTARTS\tMEMORY\tRESULT")
	for _, u := range all {
		state, since, memory := u.Active+" ("+u.Sub+")", "-", "-"
		if u.Load != "loaded" {
			state = u.Load
		}
		if !u.Since.IsZero() {
			since = u.Since.UTC().Format(time.RFC3339)
		}
		if u.Memory > 0 {
			memory = size(u.Memory)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", u.Unit, state, since, u.Restarts, memory, dash(u.Result))
	}
	return w.Flush()
}
