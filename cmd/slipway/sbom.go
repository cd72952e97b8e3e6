package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"slipway/imagebuild/sbom"
	"slipway/imagebuild/verify"
	"slipway/internal/durable"
	"slipway/pack"
)

// The formats of a bill of materials.
const (
	spdxJSON      = "spdx-json"
	cycloneDXJSON = "cyclonedx-json"
)

type sbomOptions struct{ format, out string }

func newSBOMCmd(s streams) *cobra.Command {
	var o sbomOptions
	cmd := &cobra.Command{
		Use:   "sbom IMAGE",
		Short: "Print what an image is made of: its bill of materials, as SPDX or CycloneDX",
		Long: `Every image carries its bill of materials, which was written when it was built, in ` + sbom.Path + `; build also
puts it beside the image, as NAME` + sbom.Suffix + `. It has the packages of the root with their licences, the Go programs and every
module in them, the container images, and what the loader and the boot file are made of. IMAGE is a raw, qcow2, VMDK or
OVA file, known by its content, or the SPDX file itself. SPDX is printed as it is in the image, byte for byte; CycloneDX is
made of it. A licence that nobody states in a way that a program can read is NOASSERTION: all of Go modules are.

` + exitCodeHelp,
		Example: "  slipway sbom out/single.raw\n  slipway sbom out/single.ova --format cyclonedx-json -o single.cdx.json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("sbom takes one image: slipway sbom out/single.raw")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runSBOM(cmd.Context(), s, o, args[0]) },
	}
	cmd.Flags().StringVar(&o.format, "format", spdxJSON, spdxJSON+" (2.3) or "+cycloneDXJSON+" (1.6)")
	cmd.Flags().StringVarP(&o.out, "output", "o", "-", "the file to write")
	return cmd
}

func runSBOM(ctx context.Context, s streams, o sbomOptions, file string) error {
	if o.format != spdxJSON && o.format != cycloneDXJSON {
		return usageError{fmt.Errorf("reading --format: %q is neither %s nor %s", o.format, spdxJSON, cycloneDXJSON)}
	}
	in, err := openImage(ctx, file)
	if err != nil {
		return err
	}
	defer in.Close()
	text, err := in.billText()
	if err != nil {
		return err
	}
	bill, err := sbom.Read(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if o.format == cycloneDXJSON {
		if text, err = bill.CycloneDX(); err != nil {
			return err
		}
	}
	if o.out == "-" {
		_, err = s.out.Write(text)
		return err
	}
	if err := inTheWay(filepath.Dir(o.out), []outFile{{name: filepath.Base(o.out)}}); err != nil {
		return err
	}
	if err := durable.Write(o.out, text, 0o644); err != nil {
		return fmt.Errorf("writing the bill of materials: %w", err)
	}
	return nil
}

// image is a file that is looked into: a disk with one of our images, or its bill of materials alone.
type image struct {
	io.Closer
	file string
	bill []byte        // of a file that is one
	disk *verify.Image // nil then
}

// openImage tells the two apart by the first byte.
func openImage(ctx context.Context, file string) (*image, error) {
	f, size, err := pack.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var head [1]byte
	if n, _ := f.ReadAt(head[:], 0); n == 1 && head[0] == '{' {
		if size > sbom.MaxSize {
			return nil, usageError{fmt.Errorf("reading %q: a bill of materials of %d bytes is larger than %d", file, size, sbom.MaxSize)}
		}
		text, err := os.ReadFile(file)
		return &image{Closer: io.NopCloser(nil), file: file, bill: text}, err
	}
	disk, err := pack.OpenDisk(ctx, file)
	if err != nil {
		return nil, err
	}
	found, err := verify.Open(disk, disk.Size())
	if err != nil {
		disk.Close()
		return nil, stopped(ctx, usageError{fmt.Errorf("reading %q: %w", file, err)})
	}
	return &image{Closer: disk, file: file, disk: found}, nil
}

// stopped is the reason when reading ended because it was interrupted.
func stopped(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (i *image) billText() ([]byte, error) {
	if i.disk == nil {
		return i.bill, nil
	}
	_, text, err := verify.Bill(i.disk.Root())
	if err == nil && text == nil {
		err = usageError{errors.New("it has none\nhint: slipways of old did not write one: build the image again")}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the bill of materials of %q: %w", i.file, err)
	}
	return text, nil
}
