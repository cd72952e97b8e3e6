package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"slipway/cluster"
)

func newSchemaCmd(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of cluster.yaml, for editors",
		Long: `Prints the JSON schema of cluster.yaml. An editor with a YAML language server completes and checks keys with it, by a
first line in the spec like
  # yaml-language-server: $schema=cluster.schema.json

` + exitCodeHelp,
		Example: "  slipway schema > cluster.schema.json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			schema, err := cluster.Schema()
			if err != nil {
				return err
			}
			if _, err := s.out.Write(schema); err != nil {
				return fmt.Errorf("writing schema: %w", err)
			}
			return nil
		},
	}
}
