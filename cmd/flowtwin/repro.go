package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/results/repro"
	"github.com/flowtwin/flowtwin/sim"
)

func newRepro() *cobra.Command {
	var quick, asJSON bool
	var out string
	var parallel int
	c := &cobra.Command{
		Use:   "repro PAPER [FIGURE...]",
		Short: "Run a paper's experiments and set the results beside the published ones",
		Long: "Run the experiments of a paper (faasflow or dataflower) in the simulator, draw each figure in the paper's form with ours beside the\n" +
			"published value, and write repro.csv and report.html.",
		Args: someArguments("the paper: faasflow or dataflower"),
		RunE: func(c *cobra.Command, args []string) error {
			paper := args[0]
			figures, err := repro.Find(paper, args[1:])
			if err != nil {
				return err
			}
			if out == "" {
				out = filepath.Join("out", "repro-"+paper)
			}
			var p *progress
			results, err := repro.Run(c.Context(), paper, figures, repro.Options{
				Dir: out, Quick: quick, Parallel: parallel, World: sim.World{}, Backend: "sim", Serves: simulated(),
				Progress: func(figure string, done, total int) {
					switch {
					case p == nil:
						p = newProgress(c, figure, total)
					case p.what != figure:
						p.begin(figure, total)
					}
					p.set(done, total)
				},
			})
			if p != nil {
				p.end()
			}
			if err != nil {
				return failure{err}
			}
			paths, err := repro.Write(out, paper, results, quick)
			if err != nil {
				return failure{err}
			}
			if asJSON {
				return writeJSON(c, repro.JSON(paper, results, paths, quick))
			}
			fmt.Fprint(c.OutOrStdout(), repro.Summary(results, width(c)))
			for _, path := range paths {
				fmt.Fprintln(c.OutOrStdout(), path)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print all rows, with their ratios, as JSON")
	c.Flags().BoolVar(&quick, "quick", false, "shorter loads, for a first look")
	c.Flags().StringVar(&out, "out", "", "directory to write to (default out/repro-PAPER)")
	c.Flags().IntVar(&parallel, "parallel", 0, "trials to run at a time (default: one for each processor)")
	return c
}
