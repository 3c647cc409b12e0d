package main

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/emu/container"
	"github.com/flowtwin/flowtwin/emu/docker/pod"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/function/command"
	"github.com/flowtwin/flowtwin/scenarios"
)

// newNode is what runs in the containers of a cluster; nobody starts it by
// hand.
func newNode() *cobra.Command {
	var listen string
	c := &cobra.Command{
		Use: "node --listen ADDRESS:PORT", Short: "Be a node of an emulated cluster", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if listen == "" {
				return errors.New("--listen ADDRESS:PORT is missing: where the harness reaches the node")
			}
			return inContainer(func(real function.Bodies) error {
				return pod.Serve(c.Context(), listen, os.Getenv("FLOWTWIN_TOKEN"), builtin, real)
			})
		},
	}
	c.Flags().StringVar(&listen, "listen", "", "address and port of the emulated network that the harness reaches the node at")
	return c
}

// newFunction is what runs in function containers.
func newFunction() *cobra.Command {
	return &cobra.Command{
		Use: "function", Short: "Be a function container of an emulated cluster", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return inContainer(func(real function.Bodies) error { return container.Serve(c.Context(), builtin, real) })
		},
	}
}

// inContainer serves with the bodies that there are: those that ship with
// flowtwin, and a program of the image, if one is named.
func inContainer(serve func(function.Bodies) error) error {
	own := command.New(strings.Fields(os.Getenv(command.InImage)), bodies.Shipped{})
	defer own.Close()
	var real function.Bodies = bodies.Shipped{}
	if os.Getenv(command.InImage) != "" {
		real = own
	}
	if err := serve(real); err != nil {
		return failure{err}
	}
	return nil
}

// builtin makes trials with the schedulers that ship with flowtwin.
func builtin(b *scenarios.Bundle) (*scenarios.Trial, error) { return b.Trial(nil) }
