package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/results/compare"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/results/views"
)

func newCompare() *cobra.Command {
	var texts []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "compare RUN RUN",
		Short: "Hold two runs against each other",
		Long: "Hold two runs against each other: the means of what both have in common. Without --tolerance it only shows them;\n" +
			"with it, the metrics named are compared, and the exit status is 1 if one is further off than it may be.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("two arguments are expected: the run directories to compare")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			var tolerances []compare.Tolerance
			for _, text := range texts {
				t, err := compare.ParseTolerance(text)
				if err != nil {
					return err
				}
				tolerances = append(tolerances, t)
			}
			_, a, err := rundir.Read(args[0])
			if err != nil {
				return err
			}
			_, b, err := rundir.Read(args[1])
			if err != nil {
				return err
			}
			result, err := compare.Runs(a, b, tolerances)
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(c, result)
			} else {
				fmt.Fprint(c.OutOrStdout(), views.Compared(result, a.Axes, width(c)))
			}
			if err != nil {
				return failure{err}
			}
			if missed := result.Missed(); missed > 0 {
				return failure{fmt.Errorf("%d of %d comparisons miss their tolerance", missed, len(result.Rows))}
			}
			return nil
		},
	}
	c.Flags().StringArrayVar(&texts, "tolerance", nil, "metric=5%: how far the second run's mean may be off (repeatable)")
	c.Flags().BoolVar(&asJSON, "json", false, "print the comparison as JSON")
	return c
}
