package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/results/views"
	"github.com/flowtwin/flowtwin/scenarios"
)

func newValidate() *cobra.Command {
	var settings []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "validate SCENARIO",
		Short: "Check a scenario and show what it would run",
		Args:  oneArgument("the scenario to check"),
		RunE: func(c *cobra.Command, args []string) error {
			plan, err := scenarios.Load(args[0], scenarios.Options{Settings: settings})
			if err != nil {
				return err
			}
			outlook := scenarios.Look(plan)
			if asJSON {
				return writeJSON(c, outlook)
			}
			fmt.Fprint(c.OutOrStdout(), views.Outlook(outlook, width(c)))
			return nil
		},
	}
	c.Flags().StringArrayVar(&settings, "set", nil, "path=value to set in the scenario (repeatable)")
	c.Flags().BoolVar(&asJSON, "json", false, "print the plan as JSON")
	return c
}
