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
	// realTime: an hour of load takes an hour, and trials are run one by one.
	realTime bool
	// close ends what the back end has started; nil if that is nothing.
	close func()
}

// backendFlags are the flags that say where to run, and how.
type backendFlags struct {
	name    string
	compute string
	command string
	limit   time.Duration
	record  bool
}

func (f *backendFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.name, "backend", "sim", "where to run: sim, or local (for real, in this process)")
	c.Flags().StringVar(&f.compute, "compute", "sleep", "what functions do for real: sleep or spin as long as they compute, or their real work\n"+
		"(real: built-in workflows of applications, with --backend local)")
	c.Flags().StringVar(&f.command, "command", "", "with --compute real, a program that does the work of functions for which there is no other,\n"+
		"and its arguments, separated by spaces")
	c.Flags().DurationVar(&f.limit, "limit", 0, "send load for no longer than this in each trial (default: as the scenario says;\n"+
		"with --backend local, what keeps the run under a minute, unless it is 0)")
	c.Flags().BoolVar(&f.record, "record", false, "keep what the engines were told, for flowtwin replay (not with --backend sim)")
}

// open finds the back end of a name, for a run in a directory.
func (f *backendFlags) open(c *cobra.Command, name, dir string) (*backend, error) {
	if !slices.Contains([]string{"sleep", "spin", "real"}, f.compute) {
		return nil, fmt.Errorf("--compute %s: there are sleep, spin and real", f.compute)
	}
	if f.command != "" && f.compute != "real" {
		return nil, errors.New("--command says what functions really do: it goes with --compute real")
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
			return nil, errors.New("--compute real runs functions for real: use --backend local")
		}
		if f.record {
			return nil, errors.New("--record keeps what happened in real time: the simulator needs no such record, it does the same again")
		}
		return &backend{name: name, world: sim.World{}, serves: simulated()}, nil
	case "local":
		var real function.Bodies
		var done func()
		if f.compute == "real" {
			real = bodies.Shipped{}
			if f.command != "" {
				own := command.New(strings.Fields(f.command), real)
				real, done = own, own.Close
			}
		}
		w, err := local.New(c.Context(), local.Options{
			Spin: f.compute == "spin", Bodies: real, Redis: os.Getenv("FLOWTWIN_REDIS_ADDR"), CouchDB: os.Getenv("FLOWTWIN_COUCHDB_URL"),
			Kafka:  strings.FieldsFunc(os.Getenv("FLOWTWIN_KAFKA_BROKERS"), func(r rune) bool { return r == ',' }),
			Record: dir,
			Warn:   func(text string) { fmt.Fprintf(c.ErrOrStderr(), "\nflowtwin: %s\n", text) },
		})
		if err != nil {
			return nil, failure{err}
		}
		return &backend{name: name, world: w, serves: w.Serves(), realTime: true, close: done}, nil
	}
	return nil, fmt.Errorf("there is no back end %q: there are sim and local", name)
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
		}
	}
	return nil
}

// end closes the back end.
func (b *backend) end() {
	if b.close != nil {
		b.close()
	}
}

// simulated names what serves in the simulator.
func simulated() map[string]string {
	return map[string]string{"store": "simulated store", "memory": "simulated node memory", "functions": "simulated containers"}
}

// How long a run in real time is by default.
const (
	patience = 45 * time.Second
	// around is what a trial takes besides its load.
	around   = 300 * time.Millisecond
	shortest = time.Second
)

// fit makes a plan one that can be waited for: where time is real and nobody
// has said how long to go on, as much of it is run as fits into patience, and
// that is said.
func (f *backendFlags) fit(c *cobra.Command, b *backend, plan *scenarios.Plan, file string, settings []string) (*scenarios.Plan, error) {
	if !b.realTime || c.Flags().Changed("limit") {
		return plan, nil
	}
	whole := time.Duration(plan.Trials) * (plan.RealTime() + time.Duration(len(plan.Points))*around)
	if whole <= patience {
		return plan, nil
	}
	options := scenarios.Options{Settings: settings}
	trials := plan.Trials
	if !c.Flags().Changed("trials") {
		trials = 1
		options.Settings = append(settings, "trials=1")
	}
	options.Limit = max(patience/time.Duration(len(plan.Points)*trials)-around, shortest).Truncate(100 * time.Millisecond)
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
