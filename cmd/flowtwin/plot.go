package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/results/rundir"
)

// plotted is what --json prints of a run whose figures were drawn.
type plotted struct {
	Directory string   `json:"directory"`
	Figures   []string `json:"figures"`
}

func newPlot() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "plot RUN...",
		Short: "Draw the figures of runs again",
		Args:  someArguments("the run directories to draw"),
		RunE: func(c *cobra.Command, args []string) error {
			all := []plotted{}
			for _, dir := range args {
				m, run, err := rundir.Read(dir)
				if err != nil {
					return err
				}
				paths, err := drawFigures(dir, m, run)
				if err != nil {
					return failure{err}
				}
				all = append(all, plotted{dir, paths})
				if !asJSON {
					for _, path := range paths {
						fmt.Fprintln(c.OutOrStdout(), path)
					}
				}
			}
			if asJSON {
				return writeJSON(c, all)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the paths as JSON")
	return c
}

// someArguments demands at least one argument, and says what they are.
func someArguments(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("at least one argument is expected: %s", what)
		}
		return nil
	}
}
