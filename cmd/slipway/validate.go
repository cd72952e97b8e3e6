package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

type validateOptions struct {
	spec string
	json bool
}

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
	cmd.Flags().BoolVar(&o.json, "json", false, "print one line of JSON")
	return cmd
}

// validity is a spec without a fault, for --json.
type validity struct {
	Valid      bool     `json:"valid"`
	Spec       string   `json:"spec"`
	Cluster    string   `json:"cluster"`
	Nodes      int      `json:"nodes"`
	Kubernetes string   `json:"kubernetes"`
	API        string   `json:"api"`
	Warnings   []string `json:"warnings"`
}

func runValidate(s streams, o validateOptions) error {
	loaded, err := s.load(o.spec)
	if err != nil {
		return err
	}
	warnings := []string{}
	for _, w := range loaded.Warnings { // load has shown them
		warnings = append(warnings, strings.TrimSuffix(fmt.Sprint(w), "\n"))
	}
	spec := loaded.Spec
	nodes := "1 node"
	if n := len(spec.Nodes); n != 1 {
		nodes = fmt.Sprintf("%d nodes", n)
	}
	host, port := spec.APIEndpoint()
	if o.json {
		s.reports(validity{
			Valid: true, Spec: o.spec, Cluster: spec.Cluster.Name, Nodes: len(spec.Nodes), Kubernetes: spec.Kubernetes.Version,
			API: "https://" + net.JoinHostPort(host, strconv.Itoa(port)), Warnings: warnings,
		})
		return nil
	}
	fmt.Fprintf(s.out, "%s is valid: cluster %q of %s, Kubernetes %s, API at https://%s\n",
		o.spec, spec.Cluster.Name, nodes, spec.Kubernetes.Version, net.JoinHostPort(host, strconv.Itoa(port)))
	return nil
}
