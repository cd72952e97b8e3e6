package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"slipway/ova/vsphere"
)

type vsphereDestroyOptions struct {
	*vsphereOptions
	spec        string
	yes, dryRun bool
}

func newVSphereDestroyCmd(s streams, shared *vsphereOptions) *cobra.Command {
	o := vsphereDestroyOptions{vsphereOptions: shared}
	cmd := &cobra.Command{
		Use:   "destroy [NODE...]",
		Short: "Delete the machines that deploy made, with their disks",
		Long: `Cuts the power of the machines of this cluster, or of the nodes named, and deletes them with their disks. Only what deploy
made and marked is touched; one of ours that was renamed or moved is named, and stops it. The port group, the pool and the
datastore need not be there any longer. The template stays: other clusters may be cloned from it.

` + vsphereHelp + `

` + exitCodeHelp,
		Example: "  slipway vsphere destroy --dry-run\n  slipway vsphere destroy --yes\n  slipway vsphere destroy --yes n3 && slipway vsphere deploy",
		RunE: func(cmd *cobra.Command, args []string) error {
			return runVSphereDestroy(cmd.Context(), s, o, args)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.spec, "file", "f", "cluster.yaml", "the spec")
	f.BoolVar(&o.yes, "yes", false, "really do it")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the plan and stop")
	return cmd
}

func runVSphereDestroy(ctx context.Context, s streams, o vsphereDestroyOptions, nodes []string) error {
	if !o.yes && !o.dryRun {
		return usageError{errors.New("destroying: the disks are lost for good\nhint: look with --dry-run, then say --yes")}
	}
	loaded, err := s.load(o.spec)
	if err != nil {
		return err
	}
	for _, name := range nodes {
		if _, err := pickNode(loaded.Spec, name); err != nil {
			return err
		}
	}
	want := vsphereCluster(loaded.Spec)
	return o.withVCenter(ctx, s, func(c *vsphere.Client) error {
		have, err := c.Observe(ctx, want)
		if err != nil {
			return err
		}
		p, err := vsphere.NewDestroyPlan(want, have, nodes...)
		if err != nil {
			return err
		}
		if !p.Changes() && !o.dryRun && !o.json {
			fmt.Fprintln(s.out, "there is nothing of this cluster, nothing was changed")
		}
		return o.carryOut(s, p, o.dryRun, func(told func(vsphere.Action)) error { return c.Destroy(ctx, want, have, p, told) })
	})
}
