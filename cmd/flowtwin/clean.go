package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/emu/docker/daemon"
	"github.com/flowtwin/flowtwin/emu/docker/images"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
)

func newClean() *cobra.Command {
	var all, alsoImages, asJSON bool
	c := &cobra.Command{
		Use:   "clean",
		Short: "Remove what runs that were killed have left: containers, networks, temporary files",
		Long: "Remove the containers, networks and temporary directories whose flowtwin is dead, and say which. Runs that go on keep theirs,\n" +
			"unless it is with --all. The exit status is 0 if nothing is left.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			removed, err := sweep.SweepTemp(all)
			docker, missing := daemon.Connect(c.Context())
			switch {
			case errors.Is(missing, daemon.ErrNotInstalled) && !alsoImages:
				// Nothing can have been left where there is no Docker.
			case missing != nil:
				err = errors.Join(err, missing)
			default:
				defer docker.Close()
				things, failed := sweep.Sweep(c.Context(), docker, sweep.Which{All: all})
				removed, err = append(removed, things...), errors.Join(err, failed)
				if alsoImages {
					names, failed := images.Remove(c.Context(), docker)
					for _, name := range names {
						removed = append(removed, sweep.Thing{Kind: "image", Name: name})
					}
					err = errors.Join(err, failed)
				}
			}
			if asJSON || len(removed) > 0 || err == nil {
				if err := printRemoved(c, removed, asJSON); err != nil {
					return err
				}
			}
			if err != nil {
				return failure{err}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&all, "all", false, "remove what living runs use too")
	c.Flags().BoolVar(&alsoImages, "images", false, "remove the images that flowtwin has built too")
	c.Flags().BoolVar(&asJSON, "json", false, "print what was removed as JSON")
	return c
}

func printRemoved(c *cobra.Command, removed []sweep.Thing, asJSON bool) error {
	if asJSON {
		if removed == nil {
			removed = []sweep.Thing{}
		}
		return writeJSON(c, removed)
	}
	if len(removed) == 0 {
		fmt.Fprintln(c.OutOrStdout(), "nothing was left")
		return nil
	}
	table := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, t := range removed {
		fmt.Fprintf(table, "removed\t%s\t%s\t%s\n", t.Kind, t.Name, t.Cluster)
	}
	return table.Flush()
}
