package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"slipway/cluster"
	"slipway/imagebuild"
	"slipway/imagebuild/payload"
	"slipway/imagebuild/sandbox"
	"slipway/internal/durable"
)

type buildOptions struct {
	spec, out, cache, vendor string
	slipwayd                 string
	update                   []string
	locked                   bool
	dryRun, json, quiet      bool
	verbose                  bool
}

func newBuildCmd(s streams) *cobra.Command {
	var o buildOptions
	cmd := &cobra.Command{
		Use:   "build [--update [NAME ...]]",
		Short: "Build the node image of a cluster.yaml",
		Long: `Build makes the one disk image that all nodes of the cluster boot from: a verified, read-only root with the
distribution's packages, a new kernel and the Kubernetes programs, and an initrd that forms the disk on first boot.

It prints its plan, then one line a step. Every step is cached by its inputs, so a second run is quick. slipway.lock
beside the spec pins every package and payload: two builds from one lock give the same bytes. It also says which
slipway, Go, apt, dpkg and mmdebstrap made the image; --locked names those that differ before anything is compiled.

Builds with the same output folder, the same slipway.lock or the same cache wait for each other where they must, and say for
whom.

Packages stay what the lock says. A build that needs the package indexes all the same says how many security updates wait for
--update; one that has all in its lock does not read them, and cannot tell.

A payload that becomes other bytes than slipway.lock says, although its version is the same, ends the build until
--update names it.

` + exitCodeHelp,
		Example: "  slipway build -f cluster.yaml -o out/\n  slipway build -f cluster.yaml --dry-run\n  slipway build -f cluster.yaml -o out/ --locked --json\n  slipway build -f cluster.yaml --update haproxy etcd",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(o.update) > 0 {
				return nil
			}
			return noArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.update = updateNames(o.update, args)
			return runBuild(cmd.Context(), s, o)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.spec, "file", "f", "cluster.yaml", "the spec")
	f.StringVarP(&o.out, "output", "o", "out", "the folder to write to")
	f.StringVar(&o.cache, "cache", "", cacheHelp)
	f.StringVar(&o.vendor, "vendor", "", "folder to look for .deb files in and below it before the network")
	f.StringVar(&o.slipwayd, "slipwayd", "", "the daemon to put into the image (default: the one that slipway carries)")
	f.BoolVar(&o.locked, "locked", false, "refuse what slipway.lock does not say, and name what drifted")
	f.StringSliceVar(&o.update, "update", nil, "accept what slipway.lock does not say: new bytes of the payloads and today's versions of the packages named, or of all")
	f.Lookup("update").NoOptDefVal = imagebuild.All
	f.BoolVar(&o.dryRun, "dry-run", false, "print the plan and stop; with --locked, also name what has drifted")
	f.BoolVar(&o.json, "json", false, "print one JSON line at the end: what was made, or with --dry-run the plan")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "errors only")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "what the tools of each step print")
	return cmd
}

// updateNames takes the names from both ways of writing them: --update=haproxy,etcd and --update haproxy etcd.
func updateNames(flag, args []string) []string {
	if len(args) > 0 && slices.Equal(flag, []string{imagebuild.All}) {
		return args
	}
	return append(flag, args...)
}

func runBuild(ctx context.Context, s streams, o buildOptions) error {
	if o.locked && len(o.update) > 0 {
		return usageError{fmt.Errorf("--locked and --update contradict each other")}
	}
	loaded, err := s.load(o.spec)
	if err != nil {
		return err
	}
	cache, err := cacheDir(o.cache)
	if err != nil {
		return err
	}
	daemon, err := findProgram(daemonName, o.slipwayd, cache)
	if err != nil {
		return err
	}
	host, err := buildHost(ctx, o, daemon)
	if err != nil {
		return err
	}
	plan, err := imagebuild.NewPlan(loaded.Spec, host)
	if err != nil {
		return err
	}
	if o.dryRun {
		return dryRun(ctx, s, o, plan)
	}
	if !o.quiet {
		plan.Print(s.err)
	}
	opt, err := buildSetup(s, o, cache, loaded.Spec)
	if err != nil {
		return err
	}
	init, err := findProgram(initName, "", cache)
	if err != nil {
		return err
	}
	opt.Init = imagebuild.Program{Path: init.path, SHA256: init.sha256}
	opt.Place = func() error { return errors.Join(daemon.place(), init.place()) }
	opt.Payload.Environ = append(opt.Payload.Environ, host.GoSettings...)
	if opt.Tools, err = buildTools(ctx, plan); err != nil {
		return err
	}
	res, err := imagebuild.Build(ctx, plan, opt)
	if unknown, ok := errors.AsType[*imagebuild.UnknownFlagsError](err); ok {
		return loaded.RefuseFlags(unknown.Flags)
	}
	if err != nil {
		return err
	}
	printResult(s, o, res)
	return nil
}

// dryRun shows the plan, and with --locked refuses what a build would refuse before it begins.
func dryRun(ctx context.Context, s streams, o buildOptions, plan *imagebuild.Plan) error {
	if o.locked {
		tools, err := buildTools(ctx, plan)
		if err != nil {
			return err
		}
		if err := imagebuild.Drift(plan, lockPath(o.spec), tools); err != nil {
			return err
		}
	}
	if o.json {
		s.reports(plan.Summary())
		return nil
	}
	plan.Print(s.out)
	return nil
}

// lockPath is where the lock of a spec lies.
func lockPath(spec string) string { return filepath.Join(filepath.Dir(spec), imagebuild.LockName) }

// buildHost finds what the plan needs to know of this machine.
func buildHost(ctx context.Context, o buildOptions, d ownProgram) (payload.Host, error) {
	host, err := payload.Probe(ctx, payload.Exec{}, os.Environ(), os.TempDir())
	if err != nil {
		return host, err
	}
	host.SpecDir, host.Slipwayd, host.SlipwaydSHA256 = filepath.Dir(o.spec), d.path, d.sha256
	return host, nil
}

// buildTools finds what will make the image, this very program first.
func buildTools(ctx context.Context, plan *imagebuild.Plan) (imagebuild.Tools, error) {
	sum, err := durable.Digest("/proc/self/exe")
	if err != nil {
		return nil, fmt.Errorf("reading this program for its digest: %w", err)
	}
	return imagebuild.FindTools(ctx, plan, buildVersion()+" sha256:"+sum)
}

// buildSetup turns flags and the environment into the builder's options.
func buildSetup(s streams, o buildOptions, cache string, spec *cluster.Spec) (imagebuild.Options, error) {
	epoch := time.Now().Unix()
	if text := os.Getenv("SOURCE_DATE_EPOCH"); text != "" {
		var err error
		if epoch, err = strconv.ParseInt(text, 10, 64); err != nil {
			return imagebuild.Options{}, usageError{fmt.Errorf("reading SOURCE_DATE_EPOCH %q: want seconds since 1970", text)}
		}
	}
	client := httpClient()
	opt := imagebuild.Options{
		Out: o.out, Cache: cache, LockPath: lockPath(o.spec),
		Locked: o.locked, Update: o.update, Vendor: o.vendor, Epoch: epoch, Now: time.Now, Client: client,
		Sandbox:  newSandbox(),
		Payload:  payload.Env{Run: payload.Exec{}, Fetch: payload.HTTP{Client: client}, Environ: os.Environ()},
		Packers:  packers(spec),
		Progress: newProgress(s, o.quiet, time.Now),
	}
	if o.verbose {
		opt.Log = func(string) io.Writer { return s.err }
	}
	return opt, nil
}

func newSandbox() *sandbox.Sandbox {
	return sandbox.New(os.Geteuid(), []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"})
}

const cacheHelp = "folder for results of steps, programs and package archives, each removed when no build used it for two weeks; see slipway cache (default: slipway in the user's cache folder)"

func cacheDir(flag string) (string, error) {
	if flag == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", usageError{fmt.Errorf("looking for the cache folder: %w\nhint: name one with --cache", err)}
		}
		flag = filepath.Join(base, "slipway")
	}
	return filepath.Abs(flag)
}

// httpClient has limits on silence, none on the length of a download.
func httpClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	t.ResponseHeaderTimeout = 30 * time.Second
	t.MaxIdleConnsPerHost = 8
	return &http.Client{Transport: t}
}

func printResult(s streams, o buildOptions, res *imagebuild.Result) {
	if o.json {
		s.reports(res)
		return
	}
	for _, a := range res.Artefacts {
		fmt.Fprintf(s.out, "%s  %s  sha256 %s\n", a.Path, size(a.Size), a.SHA256)
	}
}
