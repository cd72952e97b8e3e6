package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"slipway/ova/vsphere"
)

type vsphereImportOptions struct {
	*vsphereOptions
	spec, method    string
	replace, dryRun bool
}

func newVSphereImportCmd(s streams, shared *vsphereOptions) *cobra.Command {
	o := vsphereImportOptions{vsphereOptions: shared}
	cmd := &cobra.Command{
		Use:   "import [OVA]",
		Short: "Make a template of an OVA",
		Long: `Sends the OVA (default: out/<cluster>.ova) to the content library, with the SHA-256 of every file for vCenter to check, and
makes a template of it. With --method nfc it is sent straight to an ESXi host, which this computer must reach then.

An image that is there already is not sent again. Item and template are made under another name and get their own when
they are whole: with --replace those of another image are there until then. An upload that fails or is interrupted leaves
nothing behind; what a killed one left is dropped, or used, by the next. What vCenter warns of in the package is shown.

` + vsphereHelp + `

` + exitCodeHelp,
		Example: "  slipway vsphere import out/demo.ova\n  slipway vsphere import --replace --method nfc",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runVSphereImport(cmd.Context(), s, o, args)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.spec, "file", "f", "cluster.yaml", "the spec")
	f.StringVar(&o.method, "method", string(vsphere.ByLibrary), "library, or nfc")
	f.BoolVar(&o.replace, "replace", false, "drop template and item of another image when the new ones are whole")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the plan and stop")
	return cmd
}

func runVSphereImport(ctx context.Context, s streams, o vsphereImportOptions, args []string) error {
	method := vsphere.Method(o.method)
	if method != vsphere.ByLibrary && method != vsphere.ByNFC {
		return usageError{fmt.Errorf("reading --method: %q is none of library, nfc", o.method)}
	}
	loaded, err := s.load(o.spec)
	if err != nil {
		return err
	}
	spec := loaded.Spec
	name := filepath.Join("out", spec.Cluster.Name+".ova")
	if len(args) > 0 {
		name = args[0]
	}
	file, err := os.Open(name)
	if err != nil {
		return usageError{fmt.Errorf("opening the image: %w\nhint: build it first, with ova under image.outputs: slipway build", err)}
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("opening the image: %w", err)
	}
	img, err := vsphere.OpenImage(file, info.Size())
	if err != nil {
		return usageError{fmt.Errorf("%q: %w", name, err)}
	}
	want := vsphere.Import{
		Cluster: spec.Cluster.ID, Place: vspherePlace(spec), Network: spec.VSphere.Network, Library: spec.VSphere.Library,
		Name: spec.VSphere.Template, Image: img, Method: method, Replace: o.replace, Secure: spec.VSphere.SecureBoot, Linked: spec.VSphere.LinkedClones,
	}
	return o.withVCenter(ctx, s, func(c *vsphere.Client) error { return o.importImage(ctx, s, c, want) })
}

func (o vsphereImportOptions) importImage(ctx context.Context, s streams, c *vsphere.Client, want vsphere.Import) error {
	p, carryOut, err := c.Prepare(ctx, want)
	if err != nil {
		return err
	}
	if o.dryRun && !o.json {
		fmt.Fprint(s.out, p)
		return nil
	}
	if !o.dryRun {
		err = carryOut(ctx)
	}
	switch {
	case err != nil: // what was made is gone again, or the error names it
		return err
	case o.json:
		r := vsphereReport{Template: want.Name, Image: "sha256:" + want.Image.Digest, DryRun: o.dryRun, Changes: p.Changes()}
		s.reports(r.of(p))
		return nil
	case !p.Changes():
		fmt.Fprintf(s.out, "%s: the template is of this image already, nothing was changed\n", want.Name)
		return nil
	}
	fmt.Fprintf(s.out, "%s: template of image sha256:%s\n", want.Name, want.Image.Digest)
	return nil
}
