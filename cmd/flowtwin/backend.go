package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/emu/docker"
	"github.com/flowtwin/flowtwin/emu/docker/images"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/function/command"
	"github.com/flowtwin/flowtwin/emu/local"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/sim"
)

// backend is where trials run.
type backend struct {
	name   string
	world  rundir.World
	serves map[string]string
	// constants says what becomes of those of a profile; nil if all are obeyed.
	constants *rundir.Constants
	// realTime: an hour of load takes an hour, and trials are run one by one.
	// around is what a trial then takes besides its load, on the average.
	realTime bool
	around   time.Duration
	// check says whether a trial can be run; nil if any can.
	check func(*scenarios.Trial) error
	// close removes what the back end has started; measured says what it has
	// measured of itself.
	close    func() error
	measured func() map[string]string
}

// backendFlags are the flags that say where to run, and how.
type backendFlags struct {
	name    string
	compute string
	command string
	// functions is what runs them on the back end local.
	functions string
	limit     time.Duration
	record    bool
	images    []string
	noPull    bool
	pace      bool
	// progress is what is on the screen meanwhile; nil before there is any.
	progress *progress
}

// say tells the user something while a back end works.
func (f *backendFlags) say(c *cobra.Command, text string) {
	if f.progress != nil {
		f.progress.say(text)
	} else {
		fmt.Fprintln(c.ErrOrStderr(), text)
	}
}

func (f *backendFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.name, "backend", "sim", "where to run: sim, local (for real, in this process) or docker (for real, in containers)")
	c.Flags().StringVar(&f.compute, "compute", "sleep", "what functions do for real: sleep or spin as long as they compute, or their real work\n"+
		"(real: built-in workflows of applications)")
	c.Flags().StringVar(&f.command, "command", "", "with --compute real, a program that does the work of functions for which there is no other, and\n"+
		"its arguments, separated by spaces (with --backend docker, one in the image that --image node=NAME names)")
	c.Flags().StringVar(&f.functions, "functions", goroutines, "with --backend local, what functions run as: goroutines of this process, or processes of their own")
	c.Flags().DurationVar(&f.limit, "limit", 0, "send load for no longer than this in each trial (default: as the scenario says;\n"+
		"where time is real, what keeps the run at about a minute, unless it is 0)")
	c.Flags().StringArrayVar(&f.images, "image", nil, "KIND=NAME, an image for --backend docker in place of the usual one, such as redis=valkey/valkey:8 (repeatable)")
	c.Flags().BoolVar(&f.noPull, "no-pull", false, "with --backend docker, take no image from a registry")
	c.Flags().BoolVar(&f.record, "record", false, "keep what the engines were told, for flowtwin replay (not with --backend sim)")
	c.Flags().BoolVar(&f.pace, "pace", false, "be as slow as the profile says (not with --backend sim, which always is);\n"+
		"without it, the schedulers are measured on what there is here")
}

// open finds the back end of a name, for a run in a directory.
func (f *backendFlags) open(c *cobra.Command, name, dir string) (*backend, error) {
	if !slices.Contains([]string{"sleep", "spin", "real"}, f.compute) {
		return nil, fmt.Errorf("--compute %s: there are sleep, spin and real", f.compute)
	}
	if f.command != "" && f.compute != "real" {
		return nil, errors.New("--command says what functions really do: it goes with --compute real")
	}
	switch {
	case f.functions != goroutines && f.functions != processes:
		return nil, fmt.Errorf("--functions %s: there are goroutines and processes", f.functions)
	case f.functions == processes && name != "local":
		return nil, errors.New("--functions processes is for --backend local: the simulator runs none, and in docker each function has a container of its own")
	case f.functions == processes && f.command != "":
		return nil, errors.New("--command starts a process for each piece of work by itself: it goes with --functions goroutines")
	}
	if f.limit < 0 {
		return nil, fmt.Errorf("--limit %s: it cannot be negative", f.limit)
	}
	if !f.record {
		dir = ""
	}
	switch name {
	case "sim":
		if f.compute == "real" {
			return nil, errors.New("--compute real runs functions for real: use --backend local or docker")
		}
		if f.record {
			return nil, errors.New("--record keeps what happened in real time: the simulator needs no such record, it does the same again")
		}
		if f.pace {
			return nil, errors.New("--pace holds what is real to the profile: the simulator is always as slow as that; use it with --backend local or docker")
		}
		return newBackend(name, sim.World{}, simulated()), nil
	case "local":
		return f.openLocal(c, dir)
	case "docker":
		if f.command != "" && !f.names(images.Node) {
			return nil, errors.New("--command is to run in function containers, whose image has no program but flowtwin: name one that has both, with --image node=NAME (see docs/functions.md)")
		}
		return f.openDocker(c, dir)
	}
	return nil, fmt.Errorf("there is no back end %q: there are sim, local and docker", name)
}

func newBackend(name string, w rundir.World, serves map[string]string) *backend {
	return &backend{
		name: name, world: w, serves: serves,
		close: func() error { return nil }, measured: func() map[string]string { return nil },
	}
}

// What functions run as on the back end local.
const (
	goroutines = "goroutines"
	processes  = "processes"
)

// openLocal opens the back end local.
func (f *backendFlags) openLocal(c *cobra.Command, dir string) (*backend, error) {
	own := command.New(strings.Fields(f.command), bodies.Shipped{})
	var real function.Bodies = bodies.Shipped{}
	if f.command != "" {
		real = own
	}
	work, err := function.WorkOf(f.compute, real)
	if err != nil {
		return nil, err
	}
	var program []string
	if f.functions == processes {
		name, err := os.Executable()
		if err != nil {
			return nil, failure{fmt.Errorf("--functions processes: flowtwin cannot find itself: %w", err)}
		}
		program = []string{name, "function"}
	}
	w, err := local.New(c.Context(), local.Options{
		Work: work, Processes: program, Pace: f.pace, Redis: os.Getenv("FLOWTWIN_REDIS_ADDR"), CouchDB: os.Getenv("FLOWTWIN_COUCHDB_URL"),
		Kafka:  strings.FieldsFunc(os.Getenv("FLOWTWIN_KAFKA_BROKERS"), func(r rune) bool { return r == ',' }),
		Record: dir,
		Warn:   func(text string) { f.say(c, "flowtwin: "+text) },
	})
	if err != nil {
		return nil, failure{err}
	}
	b := newBackend("local", w, w.Serves())
	b.realTime, b.around, b.constants = true, 300*time.Millisecond, rundir.NewConstants(f.pace, w.Constants())
	b.close = func() error {
		own.Close()
		return nil
	}
	return b, nil
}

// openDocker opens the back end docker. What runs before it that was killed
// have left is removed first.
func (f *backendFlags) openDocker(c *cobra.Command, dir string) (*backend, error) {
	o := docker.Options{
		Compute: f.compute, Bodies: bodies.Shipped{}, Command: f.command, Pace: f.pace, NoPull: f.noPull, Record: dir, Images: map[images.Kind]string{},
		Warn:     func(text string) { f.say(c, "flowtwin: "+text) },
		Progress: func(text string) { f.say(c, text) },
	}
	for _, named := range f.images {
		kind, name, ok := strings.Cut(named, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--image %s: KIND=NAME is wanted, such as redis=redis:7.4", named)
		}
		k, err := images.ParseKind(kind)
		if err != nil {
			return nil, fmt.Errorf("--image %s: %w", named, err)
		}
		o.Images[k] = name
	}
	if f.command != "" { // Here only inputs are made.
		o.Bodies = command.New(strings.Fields(f.command), bodies.Shipped{})
	}
	w, err := docker.New(c.Context(), o)
	if err != nil {
		return nil, failure{err}
	}
	b := newBackend("docker", w, w.Serves())
	b.realTime, b.around, b.constants, b.measured = true, 1500*time.Millisecond, rundir.NewConstants(f.pace, w.Constants()), w.Measured
	b.check = docker.Check
	b.close = func() error {
		if c.Context().Err() != nil {
			f.say(c, "interrupted: removing the containers (a second Ctrl-C leaves them to flowtwin clean)")
		}
		return w.Close()
	}
	return b, nil
}

// checkSize finds out before a run whether the back end can run all of it.
func (b *backend) checkSize(plan *scenarios.Plan) error {
	if b.check == nil {
		return nil
	}
	for point := range plan.Points {
		if err := b.check(plan.Trial(point, 0)); err != nil {
			return err
		}
	}
	return nil
}

// checkBodies finds out before a run whether there is real work for all of its
// functions, if that was asked for.
func (f *backendFlags) checkBodies(plan *scenarios.Plan) error {
	if f.compute != "real" || f.command != "" {
		return nil
	}
	for point := range plan.Points {
		for _, w := range plan.Trial(point, 0).Workflows {
			if err := (bodies.Shipped{}).Check(w); err != nil {
				return fmt.Errorf("--compute real: %w; --command names a program for others, and --compute sleep and spin run any workflow", err)
			}
			if needs := (bodies.Shipped{}).Needs(w); needs != "" && f.name == "docker" && !f.names(images.Node) {
				return fmt.Errorf("--compute real: %s runs %s, which is not in the node's image: use --backend local, or --image node=NAME with an image that has flowtwin and %s",
					w.Name, needs, needs)
			}
		}
	}
	return nil
}

// names reports whether an image is named for a kind.
func (f *backendFlags) names(kind images.Kind) bool {
	return slices.ContainsFunc(f.images, func(named string) bool { return strings.HasPrefix(named, string(kind)+"=") })
}

// simulated names what serves in the simulator.
func simulated() map[string]string {
	return map[string]string{"store": "simulated store", "memory": "simulated node memory", "functions": "simulated containers"}
}

// How long a run in real time is by default.
const (
	patience = 45 * time.Second
	shortest = time.Second
)

// fit makes a plan one that can be waited for: where time is real and nobody
// has said how long to go on, as much of it is run as fits into patience, and
// that is said.
func (f *backendFlags) fit(c *cobra.Command, b *backend, plan *scenarios.Plan, file string, settings []string) (*scenarios.Plan, error) {
	if !b.realTime || c.Flags().Changed("limit") {
		return plan, nil
	}
	whole := time.Duration(plan.Trials) * (plan.RealTime() + time.Duration(len(plan.Points))*b.around)
	if whole <= patience {
		return plan, nil
	}
	options := scenarios.Options{Settings: settings}
	trials := plan.Trials
	if !c.Flags().Changed("trials") {
		trials = 1
		options.Settings = append(settings, "trials=1")
	}
	options.Limit = max(patience/time.Duration(len(plan.Points)*trials)-b.around, shortest).Truncate(100 * time.Millisecond)
	fmt.Fprintf(c.ErrOrStderr(), "%s runs in real time, and all of this scenario takes about %s: each point is run %s, with the first %s of its load.\n"+
		"All of it: --limit 0 --trials %d\n", b.name, whole.Round(time.Second), times(trials), options.Limit, plan.Trials)
	return scenarios.Load(file, options)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
