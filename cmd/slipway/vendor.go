package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"slipway/imagebuild"
	"slipway/imagebuild/payload"
	"slipway/imagebuild/vendored"
)

type vendorOptions struct {
	build buildOptions // what both verbs take: spec, cache, archives, slipwayd, locked, json, quiet
	out   string
	check string
}

func newVendorCmd(s streams) *cobra.Command {
	var o vendorOptions
	cmd := &cobra.Command{
		Use:   "vendor",
		Short: "Fill a folder with all that a build takes from the network, for where there is none",
		Long: `Fills a folder with the package archives that slipway.lock pins, the Go modules of all payloads, laid out as a module proxy,
with their checksums, downloads and files of payloads, the distribution's keys, and the name of the Go toolchain, which has to
be installed where the folder goes. vendor.json names every file with its digest; the digest of vendor.json, which is
printed, vouches for all of them.

The folder takes its place when it is whole: interrupted, the run leaves nothing. Run again, it copies only what is new, missing
or damaged, and leaves out what the lock does not need any more. Nothing is compiled; without a slipway.lock one is made. After a
build, the lock also pins the modules.

--check reads a folder again and names each file that is missing, damaged or not the folder's.
slipway build --dry-run --vendor says whether a folder fits a spec, its lock and this machine's Go.

` + exitCodeHelp + `
--check exits with 1 if it found something.`,
		Example: "  slipway vendor -f cluster.yaml -o vendor/\n  slipway vendor --check vendor/\n  slipway build -f cluster.yaml --vendor vendor/",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.check != "" {
				return runVendorCheck(cmd.Context(), s, o)
			}
			return runVendor(cmd.Context(), s, o)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.build.spec, "file", "f", "cluster.yaml", "the spec")
	f.StringVarP(&o.out, "output", "o", "vendor", "the folder to fill")
	f.StringVar(&o.check, "check", "", "read this folder again, and fill none")
	f.StringVar(&o.build.cache, "cache", "", cacheHelp)
	f.StringVar(&o.build.archives, "archives", "", archivesHelp)
	f.StringVar(&o.build.slipwayd, "slipwayd", "", slipwaydHelp)
	f.BoolVar(&o.build.locked, "locked", false, "refuse what slipway.lock does not say, and name what drifted")
	f.BoolVar(&o.build.json, "json", false, "print one JSON line at the end")
	f.BoolVarP(&o.build.quiet, "quiet", "q", false, "errors only")
	return cmd
}

func runVendor(ctx context.Context, s streams, o vendorOptions) error {
	loaded, err := s.load(o.build.spec)
	if err != nil {
		return err
	}
	cache, err := cacheDir(o.build.cache)
	if err != nil {
		return err
	}
	daemon, err := findProgram(daemonName, o.build.slipwayd, cache)
	if err != nil {
		return err
	}
	host, err := buildHost(ctx, o.build, daemon)
	if err != nil {
		return err
	}
	plan, err := imagebuild.NewPlan(loaded.Spec, host)
	if err != nil {
		return err
	}
	opt, err := buildSetup(s, o.build, cache, loaded.Spec)
	if err != nil {
		return err
	}
	opt.Payload.Environ = append(opt.Payload.Environ, host.GoSettings...)
	if opt.Tools, err = buildTools(ctx, plan); err != nil {
		return err
	}
	toolchain, err := findToolchain(ctx, host)
	if err != nil {
		return err
	}
	res, err := imagebuild.Vendor(ctx, plan, opt, o.out, toolchain)
	if err != nil {
		return err
	}
	if o.build.json {
		s.reports(res)
		return nil
	}
	fmt.Fprintf(s.out, "%s  %d files, %s, %d new, %d gone  sha256 %s\n", res.Dir, res.Files, size(res.Bytes), res.Copied, res.Removed, res.SHA256)
	return nil
}

func runVendorCheck(ctx context.Context, s streams, o vendorOptions) error {
	r, err := vendored.Check(ctx, o.check)
	if err != nil {
		return err
	}
	switch {
	case o.build.json:
		s.reports(r)
	case len(r.Problems) > 0:
		for _, p := range r.Problems {
			fmt.Fprintln(s.out, p)
		}
	default:
		fmt.Fprintf(s.out, "%s: whole, for %s, %s; %d files, %s  sha256 %s\n", r.Dir, r.Cluster, r.Go, r.Files, size(r.Bytes), r.SHA256)
	}
	if n := len(r.Problems); n > 0 {
		return fmt.Errorf("checking the vendor folder %q: %d problems\nhint: carry these files here again, or run slipway vendor again where there is a network: it replaces only what is missing or damaged", o.check, n)
	}
	return nil
}

// openVendor opens the folder of --vendor; nil without that flag.
func openVendor(o buildOptions) (*vendored.Folder, error) {
	if o.vendor == "" {
		return nil, nil
	}
	return vendored.Open(o.vendor)
}

// findToolchain names the Go toolchain of this machine; one that is not there has no name, and payloads may need none.
func findToolchain(ctx context.Context, host payload.Host) (vendored.Toolchain, error) {
	if host.Go == "" {
		return vendored.Toolchain{}, nil
	}
	t, err := vendored.FindToolchain(ctx, payload.Exec{}, os.Environ(), os.TempDir())
	if err == nil && t.Version != host.Go {
		err = errors.New("looking for the Go toolchain: two answers of one go: " + host.Go + " and " + t.Version)
	}
	return t, err
}
