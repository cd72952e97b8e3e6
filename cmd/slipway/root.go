package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"slipway/cluster"
)

// streams is what a verb may talk to: stdout carries results, stderr everything for people.
type streams struct {
	in       io.Reader
	out, err io.Writer
	warned   map[cluster.Problem]bool // what was said of the spec already
	doc      *document                // what --json prints in the end
}

// load reads the spec for a verb and shows its warnings, each once however often a verb comes back to it.
func (s streams) load(path string) (*cluster.Loaded, error) {
	loaded, err := cluster.Load(path)
	if err != nil {
		return nil, err
	}
	for _, w := range loaded.Warnings {
		if !s.warned[w] {
			s.warned[w] = true
			fmt.Fprint(s.err, w)
		}
	}
	return loaded, nil
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, err io.Writer) int {
	s := streams{in: in, out: out, err: err, warned: map[cluster.Problem]bool{}, doc: &document{}}
	root := newRootCmd(s)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(err)
	failed := root.ExecuteContext(ctx)
	if s.doc.reported != nil || failed != nil && wantsJSON(args) {
		failed = errors.Join(failed, s.doc.print(out, failed))
	}
	return report(s, failed)
}

// wantsJSON looks at the words themselves: of a command line that is wrong no flag may have been read.
func wantsJSON(args []string) bool {
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	return slices.Contains(args, "--json") || slices.Contains(args, "--json=true")
}

func newRootCmd(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:     "slipway",
		Short:   "Immutable Kubernetes node images that form a cluster by themselves",
		Long:    "Slipway builds one immutable node image and one Ignition config per node from a cluster.yaml.\nSwitch the nodes on in any order: they form the cluster by themselves.\n\n" + exitCodeHelp,
		Version: buildVersion(),

		SuggestionsMinimumDistance: 2,

		Args:          knownVerb,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
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
		newCacheCmd,
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
		newReplaceCmd,
		newLogsCmd,
		newDmesgCmd,
		newServicesCmd,
		newSupportCmd,
		newManCmd,
	} {
		root.AddCommand(verb(s))
	}
	return root
}

// knownVerb is asked about words that are no verb.
func knownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see slipway --help"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageError{fmt.Errorf("there is no verb %q\nhint: %s", args[0], hint)}
}

// version is set by the linker when a release is made.
var version string

// buildVersion is the release's, or else what the Go toolchain knows of the source.
func buildVersion() string {
	if version != "" {
		return version
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		return b.Main.Version
	}
	return "unknown"
}
