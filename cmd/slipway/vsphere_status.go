package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"slipway/ova/vsphere"
)

func newVSphereStatusCmd(s streams, shared *vsphereOptions) *cobra.Command {
	o := vsphereDeployOptions{vsphereOptions: shared}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the nodes' machines and what differs from the spec",
		Long: `Shows for each node its machine, whether it is on and ours, whether its config is still in vCenter or scrubbed, and where the
machine differs from the spec. How far the node's formation is says slipway status.

` + vsphereHelp + `

` + exitCodeHelp,
		Example: "  slipway vsphere status\n  slipway vsphere status --json",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runVSphereStatus(cmd.Context(), s, o) },
	}
	o.clusterOptions.addFlags(cmd)
	cmd.Flags().StringVar(&o.configURL, "config-url", "", "as for deploy")
	return cmd
}

func runVSphereStatus(ctx context.Context, s streams, o vsphereDeployOptions) error {
	want, err := o.wanted(s, false)
	if err != nil {
		return err
	}
	return o.withVCenter(ctx, s, func(c *vsphere.Client) error {
		have, err := c.Observe(ctx, want)
		if err != nil {
			return err
		}
		rows := vsphere.Status(want, have)
		if o.json {
			s.reports(rows)
			return nil
		}
		if err := printMachines(s, rows); err != nil {
			return fmt.Errorf("writing status: %w", err)
		}
		return nil
	})
}

func printMachines(s streams, rows []vsphere.Row) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tVM\tPOWER\tMARKED\tGUESTINFO\tDIFFERS")
	for _, r := range rows {
		marked := "-"
		switch {
		case r.Ours && r.Tagged:
			marked = "yes"
		case r.Ours:
			marked = "untagged"
		case r.Power != "absent":
			marked = "not ours"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", cmp.Or(r.Node, "-"), r.VM, r.Power, marked, r.Guestinfo, dash(strings.Join(r.Differs, "; ")))
	}
	return w.Flush()
}
