package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"slipway/pack"
)

type verifyOptions struct {
	json bool
	raw  string
}

func newVerifyCmd(s streams) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Re-read a finished image, in any format, and check that its parts belong together",
		Long: `Takes raw, qcow2, VMDK and OVA files, by their content. Of an OVA it checks the archive, the manifest, the signature and
the descriptor; of a VMDK or qcow2 every table and block; and of the disk in each of them both partition tables, the
EFI system partition, the unified kernel image, the hash tree against the root hash on the kernel command line, the
partition UUIDs, and what the root file system holds: its kernel's modules, no identity, no passwords, no private
keys and no seeds, also in the copy of /var that a first boot begins with. A debug image is named as one. It needs no
privileges and changes nothing. Every finding is one line with its offset: in the file, or on the disk inside if the
line begins with "disk". VMDK and OVA files of other programs have findings, as they are held to ours. After a hundred
findings in one part it reads no further there, whatever the file says of its size.

Exit codes: 0 nothing found; 1 findings; 2 wrong input; 130 interrupted.`,
		Example: "  slipway verify out/single.raw\n  slipway verify out/single.ova --raw out/single.raw",
		Args:    verifyArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return runVerify(cmd.Context(), s, o, args[0]) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print one line of JSON instead")
	cmd.Flags().StringVar(&o.raw, "raw", "", "a raw image that the disk in FILE must be equal to")
	return cmd
}

func verifyArgs(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{errors.New("verify takes one file: slipway verify out/single.raw")}
	}
	return nil
}

func runVerify(ctx context.Context, s streams, o verifyOptions, path string) error {
	f, size, err := pack.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	report, err := pack.Verify(ctx, f, size)
	if err != nil {
		return fmt.Errorf("reading %q: %w", path, err)
	}
	if o.raw != "" {
		raw, err := pack.OpenDisk(ctx, o.raw)
		if err != nil {
			return err
		}
		defer raw.Close()
		if err := report.Compare(ctx, f, size, raw); err != nil {
			return err
		}
	}
	if o.json {
		s.reports(report)
	} else {
		printReport(s, path, report)
	}
	if n := len(report.Findings); n > 0 {
		return fmt.Errorf("verifying %q: %d findings", path, n)
	}
	return nil
}

func printReport(s streams, path string, r *pack.Report) {
	for _, f := range r.Findings {
		fmt.Fprintln(s.out, f)
	}
	if len(r.Findings) == 0 {
		for _, line := range r.Partitions {
			fmt.Fprintln(s.out, line)
		}
		if r.Machine != "" {
			fmt.Fprintf(s.out, "machine %q, signed by %s\n", r.Machine, cmp.Or(r.Signer, "nobody"))
		}
		if r.Debug {
			fmt.Fprintf(s.out, "%s: a debug image: a person can get into its nodes; never for production\n", path)
		}
		fmt.Fprintf(s.out, "%s: whole %s; kernel %s, root hash %s, %d files\n", path, r.Format, r.Kernel, r.RootHash, r.RootFiles)
	}
}
