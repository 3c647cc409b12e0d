package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/emu/services/embedded"
)

// newCouchserver is what runs in the container of an emulated cluster's store
// where there is no CouchDB. People have no use for it, so it is hidden.
func newCouchserver() *cobra.Command {
	var listen, user, passwordFrom string
	c := &cobra.Command{
		Use:    "couchserver --listen ADDRESS:PORT --user NAME --password-env VARIABLE",
		Short:  "Serve CouchDB's protocol until interrupted, and keep everything in memory",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if listen == "" || user == "" || passwordFrom == "" {
				return errors.New("--listen, --user and --password-env are needed")
			}
			password := os.Getenv(passwordFrom)
			if password == "" {
				return fmt.Errorf("--password-env %s: the variable is not set", passwordFrom)
			}
			server, err := embedded.StartCouchDBAt(listen, user, password)
			if err != nil {
				return fmt.Errorf("--listen %w", err)
			}
			fmt.Fprintln(c.OutOrStdout(), "ready")
			if err := errors.Join(server.Wait(c.Context()), server.Close()); err != nil {
				return failure{err}
			}
			return nil
		},
	}
	c.Flags().StringVar(&listen, "listen", "", "where to listen: an address of the loopback interface or in 198.18.0.0/15, and a port")
	c.Flags().StringVar(&user, "user", "", "the administrator's name")
	c.Flags().StringVar(&passwordFrom, "password-env", "", "the environment variable that has the administrator's password")
	return c
}
