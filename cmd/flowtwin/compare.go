package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/compare"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/results/views"
)

func newCompare() *cobra.Command {
	var texts, show []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "compare RUN RUN...",
		Short: "Hold runs against each other",
		Long: "Hold runs against each other. Two: the means of what both have in common, and how far they are apart. With --tolerance,\n" +
			"the metrics named are compared, and the exit status is 1 if one is further off than it may be.\n" +
			"Three or more: side by side, each with its ratio to the first; say, of a scenario on sim, local and docker.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return fmt.Errorf("two arguments are expected, or more: the run directories to compare")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 2 && len(texts) > 0 {
				return fmt.Errorf("--tolerance is for two runs: what the second may be off the first")
			}
			var tolerances []compare.Tolerance
			for _, text := range texts {
				t, err := compare.ParseTolerance(text)
				if err != nil {
					return err
				}
				tolerances = append(tolerances, t)
			}
			var runs []*analysis.Run
			for _, dir := range args {
				_, run, err := rundir.Read(dir)
				if err != nil {
					return err
				}
				runs = append(runs, run)
			}
			if len(runs) > 2 {
				table, err := compare.SideBySide(runs, args, show...)
				if err != nil {
					return err
				}
				return printed(c, asJSON, table, func() string { return views.SideBySide(table, width(c)) })
			}
			result, err := compare.Runs(runs[0], runs[1], tolerances, show...)
			if err != nil {
				return err
			}
			if err := printed(c, asJSON, result, func() string { return views.Compared(result, runs[0].Axes, width(c)) }); err != nil {
				return err
			}
			if missed := result.Missed(); missed > 0 {
				return failure{fmt.Errorf("%d of %d comparisons miss their tolerance", missed, len(result.Rows))}
			}
			return nil
		},
	}
	c.Flags().StringArrayVar(&texts, "tolerance", nil, "metric=5%: how far the second run's mean may be off (repeatable)")
	c.Flags().StringArrayVar(&show, "metric", nil, "a metric to compare, in place of the usual ones (repeatable)")
	c.Flags().BoolVar(&asJSON, "json", false, "print the comparison as JSON")
	return c
}

// printed prints a result for machines, or as the text for people.
func printed(c *cobra.Command, asJSON bool, result any, text func() string) error {
	var err error
	if asJSON {
		err = writeJSON(c, result)
	} else {
		_, err = fmt.Fprint(c.OutOrStdout(), text())
	}
	if err != nil {
		return failure{err}
	}
	return nil
}
