package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"slipway/imagebuild/verify"
)

type verifyOptions struct{ json bool }

func newVerifyCmd(s streams) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Re-read a finished raw image and check that its parts belong together",
		Long: `Checks both partition tables, the EFI system partition, the unified kernel image, the hash tree against the root hash on
the kernel command line, the partition UUIDs, and what the root file system holds: its kernel's modules, no identity, no
passwords and no private keys. It needs no privileges and changes nothing. Every finding is one line with its offset.

Exit codes: 0 nothing found; 1 findings; 2 wrong input; 130 interrupted.`,
		Example: "  slipway verify out/single.raw",
		Args:    verifyArgs,
		RunE:    func(_ *cobra.Command, args []string) error { return runVerify(s, o, args[0]) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print one line of JSON instead")
	return cmd
}

func verifyArgs(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{errors.New("verify takes one file: slipway verify out/single.raw")}
	}
	return nil
}

func runVerify(s streams, o verifyOptions, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return usageError{fmt.Errorf("verifying an image: %w", err)}
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("verifying an image: %w", err)
	}
	if !st.Mode().IsRegular() {
		return usageError{fmt.Errorf("verifying an image: %q is no regular file", path)}
	}
	report, err := verify.Raw(f, st.Size())
	if err != nil {
		return usageError{fmt.Errorf("%q is no raw disk image: %w", path, err)}
	}
	if err := printReport(s, o, path, report); err != nil {
		return err
	}
	if n := len(report.Findings); n > 0 {
		return fmt.Errorf("verifying %q: %d findings", path, n)
	}
	return nil
}

func printReport(s streams, o verifyOptions, path string, r *verify.Report) error {
	if o.json {
		return json.NewEncoder(s.out).Encode(r)
	}
	for _, f := range r.Findings {
		fmt.Fprintln(s.out, f)
	}
	if len(r.Findings) == 0 {
		for _, line := range r.Partitions {
			fmt.Fprintln(s.out, line)
		}
		fmt.Fprintf(s.out, "%s: whole; kernel %s, root hash %s, %d files\n", path, r.Kernel, r.RootHash, r.RootFiles)
	}
	return nil
}
