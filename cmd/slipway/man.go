package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newManCmd writes what `make release` packs; nobody else needs it, so help does not list it.
func newManCmd(streams) *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write a man page a verb into a folder, which must exist",
		Hidden: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("man wants one folder, not %d", len(args))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runMan(cmd.Root(), args[0]) },
	}
}

func runMan(root *cobra.Command, dir string) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return usageError{fmt.Errorf("writing man pages: %q is no folder", dir)}
	}
	root.DisableAutoGenTag = true // it holds the day; the header's date comes from SOURCE_DATE_EPOCH
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "Slipway", Manual: "Slipway"}, dir); err != nil {
		return fmt.Errorf("writing man pages: %w", err)
	}
	return nil
}
