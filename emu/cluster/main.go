package cluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/flowtwin/flowtwin/emu/container"
	"github.com/flowtwin/flowtwin/emu/docker/images"
	"github.com/flowtwin/flowtwin/emu/docker/pod"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/services/embedded"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Main makes this process what a container of a cluster is to be, if it is in
// one: then it does not return. Else it returns at once. A program that calls
// Run calls Main first of all, with the same functions and schedulers; all other
// options mean nothing to it.
func Main(options ...Option) {
	if !inContainer() {
		return
	}
	o := optionsOf(options)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := be(ctx, os.Args[2], os.Args[3:], o.planner(), o.functions)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// inContainer reports whether this process is in a container of a cluster.
func inContainer() bool { return len(os.Args) > 2 && os.Args[1] == images.ContainerFlag }

// be is what a process in a container does. It is told what flowtwin's own
// program is told there.
func be(ctx context.Context, role string, args []string, plan scenarios.Planner, real function.Bodies) error {
	flags := flag.NewFlagSet(role, flag.ContinueOnError)
	listen := flags.String("listen", "", "address and port to be reached at")
	user := flags.String("user", "", "name of a store's administrator")
	variable := flags.String("password-env", "", "environment variable that has the administrator's password")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch role {
	case "node":
		return pod.Serve(ctx, *listen, os.Getenv("FLOWTWIN_TOKEN"), plan, real)
	case "function":
		return container.Serve(ctx, plan, real)
	case "couchserver":
		server, err := embedded.StartCouchDBAt(*listen, *user, os.Getenv(*variable))
		if err != nil {
			return fmt.Errorf("--listen %w", err)
		}
		return errors.Join(server.Wait(ctx), server.Close())
	}
	return fmt.Errorf("a container of a cluster cannot be a %s", role)
}
