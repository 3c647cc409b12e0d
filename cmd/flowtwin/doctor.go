package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/emu/docker/doctor"
)

func newDoctor() *cobra.Command {
	var asJSON, shaping bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what flowtwin can do on this machine, and how to get what is missing",
		Long: "Look at this machine and its Docker engine, and say which back ends can run, what is missing for the others, and how to get it.\n" +
			"Nothing is changed. The exit status is 1 if not even the back end local can run.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if shaping {
				s, err := doctor.Here()
				if err != nil {
					return failure{err}
				}
				return writeJSON(c, s)
			}
			d, err := doctor.Examine(c.Context())
			if err != nil {
				return failure{err}
			}
			if asJSON {
				err = writeJSON(c, d)
			} else {
				table := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				for _, check := range d.Checks {
					fmt.Fprintf(table, "%s\t%s\t%s\n", check.Name, check.State, check.Found)
					if check.Advice != "" {
						fmt.Fprintf(table, "\t\t→ %s\n", check.Advice)
					}
				}
				if err = table.Flush(); err == nil {
					_, err = fmt.Fprintln(c.OutOrStdout(), d.Verdict())
				}
			}
			if err == nil && !d.Local {
				err = failure{errors.New("the back end local cannot run")}
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the checks as JSON")
	c.Flags().BoolVar(&shaping, "shaping", false, "try the kernel's HTB and IFB in this network namespace, and nothing else")
	_ = c.Flags().MarkHidden("shaping") // There is such a flag.
	return c
}
