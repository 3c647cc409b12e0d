package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/results/views"
)

func newReport() *cobra.Command {
	var out string
	var asJSON bool
	c := &cobra.Command{
		Use:   "report RUN...",
		Short: "Make one self-contained HTML page of runs",
		Args:  someArguments("the run directories to report on"),
		RunE: func(c *cobra.Command, args []string) error {
			page := views.Page{Title: "flowtwin", Lead: "Runs of serverless workflows."}
			for _, dir := range args {
				m, run, err := rundir.Read(dir)
				if err != nil {
					return err
				}
				drawn, err := views.Draw(dir, m, run)
				if err != nil {
					return failure{err}
				}
				section, err := views.RunSection(m, run, drawn)
				if err != nil {
					return failure{err}
				}
				page.Sections = append(page.Sections, section)
			}
			if len(args) == 1 {
				page.Title = page.Sections[0].Title
				if out == "" {
					out = filepath.Join(args[0], "report.html")
				}
			}
			if out == "" {
				out = "report.html"
			}
			html, err := page.HTML()
			if err == nil {
				err = rundir.WriteFile(out, html)
			}
			if err != nil {
				return failure{err}
			}
			if asJSON {
				return writeJSON(c, map[string]string{"report": out})
			}
			fmt.Fprintln(c.OutOrStdout(), out)
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "", "file to write (default: report.html, in the run directory if there is one run)")
	c.Flags().BoolVar(&asJSON, "json", false, "print the path as JSON")
	return c
}
