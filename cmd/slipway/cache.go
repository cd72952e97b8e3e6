package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"slipway/imagebuild"
)

type cacheOptions struct {
	cache string
	json  bool
	days  int
}

func newCacheCmd(s streams) *cobra.Command {
	var o cacheOptions
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Show or empty the cache that builds share",
		Long: `Builds keep results of steps, compiled programs and package archives in one folder, so that the next build is quick. Each
build removes what none used for two weeks. Nothing there is needed for good: what is missing is made again.

` + exitCodeHelp,
		Example: "  slipway cache du\n  slipway cache prune\n  slipway cache prune --days 0",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("cache: say what to do, see slipway cache --help")}
		},
	}
	cmd.PersistentFlags().StringVar(&o.cache, "cache", "", "the folder (default: slipway in the user's cache folder)")
	cmd.PersistentFlags().BoolVar(&o.json, "json", false, "print one line of JSON instead")
	prune := &cobra.Command{
		Use:   "prune",
		Short: "Remove what no build used for some days",
		Long: `Removes results, programs and archives that no build used for --days, and what interrupted builds left. It does not work
while a build does: then it ends with code 4.

` + exitCodeHelp,
		Example: "  slipway cache prune --days 3\n  slipway cache prune --days 0   # all of it",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runCachePrune(cmd.Context(), s, o) },
	}
	prune.Flags().IntVar(&o.days, "days", int(imagebuild.KeepUnused/(24*time.Hour)), "keep what was used in this many days; 0 keeps nothing")
	cmd.AddCommand(prune, &cobra.Command{
		Use:     "du",
		Short:   "Show what takes how much room, and when it was used",
		Long:    "Shows the room that results of each step, programs and archives take on the disk, and the last time that a build used one.\n\n" + exitCodeHelp,
		Example: "  slipway cache du --json",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runCacheUsage(cmd.Context(), s, o) },
	})
	return cmd
}

func (o cacheOptions) store() (imagebuild.Store, error) {
	dir, err := cacheDir(o.cache)
	return imagebuild.Store{Dir: dir, Sandbox: newSandbox(), Now: time.Now}, err
}

func runCacheUsage(ctx context.Context, s streams, o cacheOptions) error {
	store, err := o.store()
	if err != nil {
		return err
	}
	parts, err := store.Usage(ctx)
	if err != nil {
		return err
	}
	return printCache(s, o, store.Dir, "holds", parts)
}

func runCachePrune(ctx context.Context, s streams, o cacheOptions) error {
	if o.days < 0 {
		return usageError{fmt.Errorf("--days %d: want 0 or more", o.days)}
	}
	store, err := o.store()
	if err != nil {
		return err
	}
	parts, err := store.Prune(ctx, time.Duration(o.days)*24*time.Hour)
	if err != nil {
		return err
	}
	return printCache(s, o, store.Dir, "lost", parts)
}

// cacheReport is what both verbs print as JSON.
type cacheReport struct {
	Folder string                 `json:"folder"`
	Parts  []imagebuild.CachePart `json:"parts"`
	Bytes  int64                  `json:"bytes"`
}

// printCache says what the cache holds, or lost.
func printCache(s streams, o cacheOptions, dir, verb string, parts []imagebuild.CachePart) error {
	report := cacheReport{Folder: dir, Parts: append([]imagebuild.CachePart{}, parts...)}
	entries := 0
	for _, p := range parts {
		report.Bytes += p.Bytes
		entries += p.Entries
	}
	if o.json {
		s.reports(report)
		return nil
	}
	for _, p := range parts {
		fmt.Fprintf(s.out, "%-10s %5d  %10s  last used %s\n", p.Stage, p.Entries, size(p.Bytes), p.Used.Format(time.DateOnly))
	}
	fmt.Fprintf(s.out, "%s %s %d entries, %s\n", dir, verb, entries, size(report.Bytes))
	return nil
}
