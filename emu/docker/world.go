// Package docker runs trials on a cluster of containers on one Docker engine.
//
// A node is a pod: one container runs its agent and owns its network, and its
// Redis and its function containers share that. The storage node's has Kafka
// and CouchDB in it. All pods are on a network of their own in 198.18.0.0/15,
// which leads nowhere else. What a node sends and receives is limited by the
// kernel. The containers stay from trial to trial, and what a trial has left
// in the services is removed.
package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/client"

	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/docker/daemon"
	"github.com/flowtwin/flowtwin/emu/docker/images"
	"github.com/flowtwin/flowtwin/emu/docker/subnets"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/harness"
	"github.com/flowtwin/flowtwin/emu/records"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/profile"
	"github.com/flowtwin/flowtwin/scenarios/units"
)

// Options say how trials are run.
type Options struct {
	// Compute is what functions do: see [function.WorkOf]. Bodies are what
	// they really do, if they are to; the program in the node's image has the
	// same.
	Compute string
	Bodies  function.Bodies
	// Command, if not empty, is a program in the node's image that does the work
	// of functions without another body, and its arguments: see package
	// command.
	Command string
	// Pace makes the platform as slow as the scenario's profile says.
	Pace bool
	// Images are those to be used, by kind; see package images for which are
	// taken for the others.
	Images map[images.Kind]string
	// NoPull forbids to get images from a registry.
	NoPull bool
	// Build has images of Redis and Kafka built that are missing and cannot be
	// pulled.
	Build bool
	// StartTime is how long each of the containers may take to come up; 0 stands
	// for a minute.
	StartTime time.Duration
	// Record, if not empty, is the run directory in which the inputs of all
	// engines are recorded.
	Record string
	// Warn, if set, is told of what went wrong in a trial that was not to,
	// Progress of what takes a while.
	Warn, Progress func(string)
	// Returned, if set, is told of each task that has run, with what its body
	// has posted that no other function reads. It is called by one goroutine at
	// a time, and before the invocation has ended.
	Returned func(*agent.Report)
}

// World runs trials on one cluster, one at a time.
type World struct {
	options Options
	engine  *client.Client
	images  map[images.Kind]images.Image
	work    function.Work

	cluster *cluster // nil before the first trial
	spoiled bool     // it is not to be used again

	mu       sync.Mutex
	measured map[string]string
}

// New returns a world. An error says what is missing to have a cluster: nothing
// has been started then.
func New(ctx context.Context, o Options) (*World, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.StartTime <= 0 {
		o.StartTime = time.Minute
	}
	work, err := function.WorkOf(o.Compute, o.Bodies)
	if err != nil {
		return nil, err
	}
	engine, err := daemon.Connect(ctx)
	if err != nil {
		return nil, err
	}
	w := &World{options: o, work: work, engine: engine, measured: map[string]string{}}
	w.sweep(ctx)
	if w.images, err = w.resolve(ctx); err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return w, nil
}

// sweep removes what those have left that were killed. That this cannot be done
// is no reason not to go on.
func (w *World) sweep(ctx context.Context) {
	removed, err := sweep.Sweep(ctx, w.engine, sweep.Which{})
	directories, failed := sweep.SweepTemp(false)
	counts := map[string]int{}
	for _, thing := range append(removed, directories...) {
		counts[thing.Kind]++
	}
	var parts []string
	for _, kind := range [...][2]string{{"container", "containers"}, {"network", "networks"}, {"directory", "temporary directories"}} {
		switch n := counts[kind[0]]; n {
		case 0:
		case 1:
			parts = append(parts, "1 "+kind[0])
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, kind[1]))
		}
	}
	if len(parts) > 0 {
		w.options.Progress("removed what runs that were killed had left: " + strings.Join(parts, ", "))
	}
	if err := errors.Join(err, failed); err != nil && ctx.Err() == nil && w.options.Warn != nil {
		w.options.Warn("what runs that were killed have left cannot be removed: " + err.Error())
	}
}

// resolve finds the images. What is missing is built, if it is to be.
func (w *World) resolve(ctx context.Context) (map[images.Kind]images.Image, error) {
	o := images.Options{Names: maps.Clone(w.options.Images), NoPull: w.options.NoPull}
	if o.Names == nil {
		o.Names = map[images.Kind]string{}
	}
	for _, kind := range images.Built() {
		if kind != images.Node && !w.options.Build { // The node's is this program, so it is at hand.
			continue
		}
		_, err := images.Resolve(ctx, w.engine, []images.Kind{kind}, o, w.options.Progress)
		if err == nil || o.Names[kind] != "" || !errors.Is(err, images.ErrMissing) {
			continue // If something is wrong, it is said below.
		}
		made, err := images.Build(ctx, w.engine, kind, w.options.Progress)
		if err != nil {
			return nil, err
		}
		o.Names[kind] = made.Name
	}
	return images.Resolve(ctx, w.engine, images.Kinds(), o, w.options.Progress)
}

// Up brings up a cluster of so many workers, with a broker if something is to
// be streamed, so that the first trial finds it there. Without it, that trial
// does.
func (w *World) Up(ctx context.Context, workers int, streams bool) error {
	_, err := w.up(ctx, workers, streams)
	return err
}

// Serves names what stands for each service.
func (w *World) Serves() map[string]string {
	return map[string]string{
		"store": w.images[images.CouchDB].Served, "memory": w.images[images.Redis].Served, "broker": w.images[images.Kafka].Served,
		"functions": fmt.Sprintf("containers that %s (image %s)", w.work.Does, w.images[images.Node].Name),
		"network":   "a bridge in " + subnets.All.String() + ", bandwidth limited by the kernel (HTB)",
	}
}

// Constants lists what becomes of the constants of a profile here. What the
// store's servers are at a time nobody counts, as those who ask are in many
// processes; containers are really limited.
func (w *World) Constants() []profile.Constant {
	return profile.Emulated(w.options.Pace, map[string]profile.Treatment{
		"store.servers": profile.NotApplied, "store.busy": profile.NotApplied, "container.egress": profile.Paced,
	})
}

// Measured says what was measured of the cluster before trials: how long it took
// to start, and what caps let through.
func (w *World) Measured() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.measured)
}

// note keeps what was measured.
func (w *World) note(name, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.measured[name] = text
}

// Addresses of a cluster: the first 256 are those of nodes, the others those of
// function containers whose traffic is limited, where that is wanted.
const (
	mostWorkers   = 200
	mostLimited   = 1<<(32-subnets.Bits)/256 - 1
	eachAddresses = 250 // of each worker's containers
)

// Check returns an error if a trial needs a larger cluster than there can be.
func Check(t *scenarios.Trial) error {
	switch n := len(t.Cluster.Workers); {
	case n > mostWorkers:
		return fmt.Errorf("%d workers: on one Docker engine there can be %d (cluster.workers)", n, mostWorkers)
	case n > mostLimited && t.Profile.Container.Egress != units.Unlimited:
		return fmt.Errorf("%d workers whose containers' traffic is limited: on one Docker engine there can be %d "+
			"(cluster.workers, or a profile without container.egress)", n, mostLimited)
	}
	return nil
}

// Run runs a trial and hands its records to r. It ends early, with the error
// of ctx, when ctx is cancelled; what has been recorded by then is right. After
// any error the next trial has a new cluster.
func (w *World) Run(ctx context.Context, t *scenarios.Trial, r record.Recorder) error {
	if err := Check(t); err != nil {
		return err
	}
	err := harness.Run(ctx, t, r, func(ctx context.Context, t *scenarios.Trial, o agent.Observer) (harness.Cluster, error) {
		c, err := w.up(ctx, len(t.Cluster.Workers), t.EverStreams())
		if err != nil {
			return nil, err
		}
		return c.begin(ctx, t, records.Tap(o, w.options.Returned))
	}, w.options.Warn)
	if err != nil {
		w.spoiled = true
	}
	return err
}

// up returns a cluster that has so many workers, and a broker if that is
// wanted.
func (w *World) up(ctx context.Context, workers int, broker bool) (*cluster, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if w.spoiled {
		if err := w.remove(); err != nil {
			return nil, err
		}
	}
	if w.cluster == nil {
		var err error
		if w.cluster, err = newCluster(ctx, w); err != nil {
			return nil, err
		}
	}
	return w.cluster, w.cluster.grow(ctx, workers, broker)
}

// remove removes the cluster. If that fails, it can be tried again.
func (w *World) remove() error {
	if w.cluster != nil {
		if err := w.cluster.remove(); err != nil {
			return err
		}
	}
	w.cluster, w.spoiled = nil, false
	return nil
}

// Close removes the cluster. Nothing is left of it.
func (w *World) Close() error { return errors.Join(w.remove(), w.engine.Close()) }
