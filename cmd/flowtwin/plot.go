package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/results/rundir"
)

func newPlot() *cobra.Command {
	return &cobra.Command{
		Use:   "plot RUN...",
		Short: "Draw the figures of runs again",
		Args:  someArguments("the run directories to draw"),
		RunE: func(_ *cobra.Command, args []string) error {
			for _, dir := range args {
				m, run, err := rundir.Read(dir)
				if err != nil {
					return err
				}
				paths, err := drawFigures(dir, m, run)
				if err != nil {
					return failure{err}
				}
				for _, path := range paths {
					fmt.Println(path)
				}
			}
			return nil
		},
	}
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
