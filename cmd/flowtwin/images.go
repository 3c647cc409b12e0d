package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/docker/docker/client"
	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/emu/docker/daemon"
	"github.com/flowtwin/flowtwin/emu/docker/images"
)

func newImages() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "images",
		Short: "List the Docker images that a cluster is made of, or build them",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			docker, err := connect(c)
			if err != nil {
				return err
			}
			defer docker.Close()
			all, err := images.List(c.Context(), docker)
			if err != nil {
				return failure{err}
			}
			if asJSON {
				return writeJSON(c, all)
			}
			table := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "kind\twould serve\tsize\tbuilt from")
			for _, a := range all {
				if i := a.Serves; i != nil {
					fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", a.Kind, i.Served, megabytes(i.Size), i.Inside)
				} else if a.Official != "" {
					fmt.Fprintf(table, "%s\tnone: %s if it can be pulled, or flowtwin images build %s\t\t\n", a.Kind, a.Official, a.Build)
				} else {
					fmt.Fprintf(table, "%s\tnone: flowtwin images build %s\t\t\n", a.Kind, a.Build)
				}
			}
			return table.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	c.AddCommand(newImagesBuild())
	return c
}

func newImagesBuild() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "build [KIND...]",
		Short: "Build images from what this machine and its package archives have",
		Long: "Build images of node (flowtwin itself), redis and kafka, by default all, from this program, the distribution's packages and Kafka's\n" +
			"Maven artifacts. What is there with the same content is left alone. They are named flowtwin/..., and serve where the\n" +
			"official images are not at hand. A CouchDB is not built: the node's image has a server of its protocol.",
		RunE: func(c *cobra.Command, args []string) error {
			kinds := images.Built()
			if len(args) > 0 {
				kinds = nil
			}
			for _, name := range args {
				kind, err := images.ParseKind(name)
				if err != nil {
					return err
				}
				if kind == images.CouchDB {
					return fmt.Errorf("there is no image couchdb to build: that of node serves in its place (flowtwin images build node)")
				}
				kinds = append(kinds, kind)
			}
			docker, err := connect(c)
			if err != nil {
				return err
			}
			defer docker.Close()
			made := []images.Made{}
			for _, kind := range kinds {
				m, err := images.Build(c.Context(), docker, kind, func(text string) { fmt.Fprintln(c.ErrOrStderr(), text) })
				if err != nil {
					return failure{err}
				}
				made = append(made, m)
			}
			if asJSON {
				return writeJSON(c, made)
			}
			table := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "image\tsize\t\tbuilt from")
			for _, m := range made {
				state := "was there"
				if m.New {
					state = "built in " + m.Took.Round(100*time.Millisecond).String()
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", m.Name, megabytes(m.Size), state, m.Inside)
			}
			return table.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print what was built as JSON")
	return c
}

// connect finds the Docker engine.
func connect(c *cobra.Command) (*client.Client, error) {
	docker, err := daemon.Connect(c.Context())
	if err != nil {
		return nil, failure{err}
	}
	return docker, nil
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }
