package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"
)

// streams is what a verb may talk to: stdout carries results, stderr everything for people.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, err io.Writer) int {
	s := streams{in: in, out: out, err: err}
	root := newRootCmd(s)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(err)
	return report(s, root.ExecuteContext(ctx))
}

func newRootCmd(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "slipway",
		Short:         "Immutable Kubernetes node images that form a cluster by themselves",
		Long:          "Slipway builds one immutable node image and one Ignition config per node from a cluster.yaml.\nSwitch the nodes on in any order: they form the cluster by themselves.\n\n" + exitCodeHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	for _, verb := range []func(streams) *cobra.Command{
		// one line a verb, in the order a user meets them
		newInitCmd,
		newValidateCmd,
		newSchemaCmd,
		newBuildCmd,
		newPackCmd,
		newVerifyCmd,
		newPKICmd,
		newIgnitionCmd,
		newRenderCmd,
		newKubeconfigCmd,
		newQEMUCmd,
		newVSphereCmd,
		newStatusCmd,
		newWaitCmd,
	} {
		root.AddCommand(verb(s))
	}
	return root
}
