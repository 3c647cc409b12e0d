package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/results/views"
	"github.com/flowtwin/flowtwin/scenarios"
)

func newList() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list [WHAT]",
		Short: "List workflows, scenarios, schedulers, profiles and figures",
		RunE: func(c *cobra.Command, args []string) error {
			catalogue, err := scenarios.List()
			if err != nil {
				return failure{err}
			}
			if len(args) > 1 {
				return fmt.Errorf("one argument at most is expected: one of %s", strings.Join(catalogue.Topics(), ", "))
			}
			if len(args) == 1 {
				if catalogue, err = catalogue.Only(args[0]); err != nil {
					return err
				}
			}
			if asJSON {
				return writeJSON(c, catalogue)
			}
			fmt.Fprint(c.OutOrStdout(), views.Catalogue(catalogue, width(c)))
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the lists as JSON")
	return c
}
