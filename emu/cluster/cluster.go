package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/docker"
	"github.com/flowtwin/flowtwin/emu/docker/daemon"
	"github.com/flowtwin/flowtwin/emu/docker/images"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/local"
	"github.com/flowtwin/flowtwin/results/rundir"
)

// Cluster is one that has been brought up. Its methods can be called by several
// goroutines; scenarios are run one after the other.
type Cluster struct {
	options *options
	world   rundir.World
	// serves, constants and measured are for manifests.
	serves    map[string]string
	constants *rundir.Constants
	measured  func() map[string]string
	close     func() error

	running sync.Mutex // held by Run and Terminate
	closed  bool

	mu       sync.Mutex
	trial    *trial // under way
	warnings []string
}

// Run brings up a cluster. On Docker, it first makes an image of this program,
// and removes what clusters of processes have left that were killed. If it fails
// nothing is left, and the cluster is nil.
func Run(ctx context.Context, with ...Option) (*Cluster, error) {
	if inContainer() { // Else each cluster would bring up another, and so on.
		return nil, fmt.Errorf("%s says that this is a container of a cluster: %w", images.ContainerFlag, errNoMain)
	}
	c := &Cluster{options: optionsOf(with), close: func() error { return nil }, measured: func() map[string]string { return nil }}
	o := c.options
	if o.workers < 0 {
		return nil, fmt.Errorf("a cluster of %d workers: there must be one at least", o.workers)
	}
	// That the name is right is found out here too, before anything is started.
	work, err := function.WorkOf(o.compute, o.functions)
	if err != nil {
		return nil, err
	}
	switch o.backend {
	case Local:
		w, err := local.New(ctx, local.Options{Work: work, Pace: o.pace, Warn: c.warn, Returned: c.returned})
		if err != nil {
			return nil, err
		}
		c.world, c.serves, c.constants = w, w.Serves(), rundir.NewConstants(o.pace, w.Constants())
		return c, nil
	case Docker:
		if err := c.onDocker(ctx); err != nil {
			return nil, err
		}
		return c, nil
	}
	return nil, fmt.Errorf("there is no back end %q: there are %s and %s", o.backend, Docker, Local)
}

// onDocker brings up a cluster of containers.
func (c *Cluster) onDocker(ctx context.Context) error {
	o := c.options
	if o.images[images.Node] == "" {
		if err := c.build(ctx); err != nil {
			return err
		}
	}
	w, err := docker.New(ctx, docker.Options{
		Compute: o.compute, Bodies: o.functions, Pace: o.pace, Images: o.images, NoPull: o.noPull, Build: !o.noBuild,
		Warn: c.warn, Progress: o.log, Returned: c.returned,
	})
	if err != nil {
		return err
	}
	c.world, c.serves, c.constants = w, w.Serves(), rundir.NewConstants(o.pace, w.Constants())
	c.measured, c.close = w.Measured, w.Close
	if o.workers > 0 {
		if err := w.Up(ctx, o.workers, false); err != nil {
			return errors.Join(explained(err), w.Close())
		}
	}
	return nil
}

// build makes the image of this program, for nodes and functions.
func (c *Cluster) build(ctx context.Context) error {
	engine, err := daemon.Connect(ctx)
	if err != nil {
		return err
	}
	defer engine.Close()
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the containers of a cluster run this program, and it is not one for Linux but for %s: run it on Linux, or with cluster.WithBackend(cluster.Local)", runtime.GOOS)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	made, err := images.BuildProgram(ctx, engine, self, c.options.log)
	if err != nil {
		return err
	}
	c.options.images[images.Node] = made.Name
	return nil
}

var errNoMain = errors.New("this program has to call cluster.Main before anything else, in TestMain or main")

// explained adds to an error what it comes from if a program does not look for
// the flag that tells it that it is in a container: a test that does not know a
// flag lists those that it does.
func explained(err error) error {
	for _, sign := range [...]string{images.ContainerFlag, "-test.timeout"} {
		if strings.Contains(err.Error(), sign) {
			return fmt.Errorf("%w: %w", errNoMain, err)
		}
	}
	return err
}

// Serves names what serves in the cluster: the store, the memory of nodes, the
// broker, the functions and the network.
func (c *Cluster) Serves() map[string]string { return maps.Clone(c.serves) }

// Terminate removes the cluster, once a scenario under way has ended: to end it
// early, end its context. If ctx ends before all is removed, the next Run does
// the rest when this process is gone. A cluster can be terminated again, which
// does nothing.
func (c *Cluster) Terminate(ctx context.Context) error {
	done := make(chan error, 1)
	go func() {
		c.running.Lock()
		defer c.running.Unlock()
		if c.closed {
			done <- nil
			return
		}
		c.closed = true
		done <- c.close()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the cluster is not removed yet: %w", ctx.Err())
	}
}

// warn takes what went wrong in a trial.
func (c *Cluster) warn(text string) {
	c.options.log(text)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.warnings = append(c.warnings, text)
}

// returned takes what a body has returned.
func (c *Cluster) returned(r *agent.Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trial != nil {
		c.trial.returned(r)
	}
}
