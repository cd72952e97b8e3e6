package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

//go:embed init.yaml
var initSpec []byte

type initOptions struct{ output string }

func newInitCmd(s streams) *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a commented cluster.yaml to start from",
		Long: `Writes a cluster.yaml for one node, with every other key as a comment. A file that exists is never overwritten.

` + exitCodeHelp,
		Example: "  slipway init\n  slipway init -o -",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return runInit(s, o) },
	}
	cmd.Flags().StringVarP(&o.output, "output", "o", "cluster.yaml", "the file to write; - for standard output")
	return cmd
}

func runInit(s streams, o initOptions) error {
	if o.output == "-" {
		if _, err := s.out.Write(initSpec); err != nil {
			return fmt.Errorf("writing spec: %w", err)
		}
		return nil
	}
	f, err := os.OpenFile(o.output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return usageError{fmt.Errorf("%q exists already, nothing was written\nhint: name another file with -o", o.output)}
	}
	if err != nil {
		return fmt.Errorf("creating spec: %w", err)
	}
	if _, err := f.Write(initSpec); err != nil {
		return errors.Join(fmt.Errorf("writing spec: %w", err), f.Close(), os.Remove(o.output))
	}
	if err := f.Close(); err != nil {
		return errors.Join(fmt.Errorf("writing spec: %w", err), os.Remove(o.output))
	}
	fmt.Fprintf(s.out, "wrote %s: edit it, then run `slipway validate -f %s`\n", o.output, o.output)
	return nil
}
