package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"slipway/imagebuild/diff"
	"slipway/imagebuild/sbom"
)

type diffOptions struct{ json, all bool }

func newDiffCmd(s streams) *cobra.Command {
	var o diffOptions
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Show what changed between two images: packages, programs, files, kernel, size",
		Long: `A and B are raw, qcow2, VMDK or OVA files, known by their content, or the bills of materials of such images
(NAME` + sbom.Suffix + `, which build puts beside them). Of images everything is compared, of files by their SHA-256, also in two
formats; that takes some seconds, and nothing when the root hashes are equal. With a bill on one side there are packages,
programs, modules and digests of the boot file's parts. It believes what it reads: verify says whether an image is whole.

In the lists + is only in B, - only in A, and ~ is in both.

` + exitCodeHelp,
		Example: "  slipway diff old/single.raw out/single.raw\n  slipway diff old/single" + sbom.Suffix + " out/single.raw --json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError{errors.New("diff takes two images: slipway diff old/single.raw out/single.raw")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runDiff(cmd.Context(), s, o, args[0], args[1]) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print one line of JSON, with all that differs")
	cmd.Flags().BoolVar(&o.all, "all", false, fmt.Sprintf("print lists in full: without it they end after %d lines", mostDiffLines))
	return cmd
}

func runDiff(ctx context.Context, s streams, o diffOptions, fileA, fileB string) error {
	var sides []diff.Side
	for _, file := range []string{fileA, fileB} {
		in, err := openImage(ctx, file)
		if err != nil {
			return err
		}
		defer in.Close()
		side, err := in.side()
		if err != nil {
			return stopped(ctx, err)
		}
		sides = append(sides, side)
	}
	report, err := diff.Compare(sides[0], sides[1])
	if err != nil {
		return stopped(ctx, err)
	}
	if o.json {
		s.reports(report)
	} else {
		printDiff(s.out, report, o.all)
	}
	if !report.Equal {
		return differError{fileA, fileB}
	}
	return nil
}

func (i *image) side() (diff.Side, error) {
	if i.disk != nil {
		return diff.FromImage(i.file, i.disk)
	}
	bill, err := sbom.Read(i.bill)
	if err != nil {
		return diff.Side{}, fmt.Errorf("%s: %w", i.file, err)
	}
	return diff.FromBill(i.file, bill), nil
}

// differError is no failure, and still not 0: a script wants to know.
type differError struct{ a, b string }

func (e differError) Error() string { return fmt.Sprintf("%q and %q differ", e.a, e.b) }

// ExitCode is that of images that differ.
func (differError) ExitCode() int { return exitDiffer }
