package main

import (
	"fmt"
	"net"
	"strconv"

	"github.com/spf13/cobra"
)

type validateOptions struct{ spec string }

func newValidateCmd(s streams) *cobra.Command {
	var o validateOptions
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check a cluster.yaml and the Butane files it names",
		Long: `Reads the spec strictly and reports everything that is wrong at once, each problem with file, line and column, and what
would be allowed. Warnings tell what works but deserves a look; they do not change the exit code. Nothing is written.

` + exitCodeHelp,
		Example: "  slipway validate -f cluster.yaml",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return runValidate(s, o) },
	}
	cmd.Flags().StringVarP(&o.spec, "file", "f", "cluster.yaml", "the spec")
	return cmd
}

func runValidate(s streams, o validateOptions) error {
	loaded, err := s.load(o.spec)
	if err != nil {
		return err
	}
	spec := loaded.Spec
	nodes := "1 node"
	if n := len(spec.Nodes); n != 1 {
		nodes = fmt.Sprintf("%d nodes", n)
	}
	host, port := spec.APIEndpoint()
	fmt.Fprintf(s.out, "%s is valid: cluster %q of %s, Kubernetes %s, API at https://%s\n",
		o.spec, spec.Cluster.Name, nodes, spec.Kubernetes.Version, net.JoinHostPort(host, strconv.Itoa(port)))
	return nil
}
