package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

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
	realTime bool
}

// backendFlags are the flags that say where to run, and how.
type backendFlags struct {
	name    string
	compute string
	limit   time.Duration
	record  bool
	pace    bool
}

func (f *backendFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.name, "backend", "sim", "where to run: sim, or local (for real, in this process)")
	c.Flags().StringVar(&f.compute, "compute", "sleep", "what functions do for real as long as they compute: sleep, or spin")
	c.Flags().DurationVar(&f.limit, "limit", 0, "send load for no longer than this in each trial (default: as the scenario says;\n"+
		"with --backend local, what keeps the run under a minute, unless it is 0)")
	c.Flags().BoolVar(&f.record, "record", false, "keep what the engines were told, for flowtwin replay (not with --backend sim)")
	c.Flags().BoolVar(&f.pace, "pace", false, "be as slow as the profile says (not with --backend sim, which always is);\n"+
		"without it, the schedulers are measured on what there is here")
}

// open finds the back end of a name, for a run in a directory.
func (f *backendFlags) open(c *cobra.Command, name, dir string) (*backend, error) {
	if f.compute != "sleep" && f.compute != "spin" {
		return nil, fmt.Errorf("--compute %s: there are sleep and spin", f.compute)
	}
	if f.limit < 0 {
		return nil, fmt.Errorf("--limit %s: it cannot be negative", f.limit)
	}
	if !f.record {
		dir = ""
	}
	switch name {
	case "sim":
		if f.record {
			return nil, errors.New("--record keeps what happened in real time: the simulator needs no such record, it does the same again")
		}
		if f.pace {
			return nil, errors.New("--pace holds what is real to the profile: the simulator is always as slow as that; use it with --backend local")
		}
		return &backend{name: name, world: sim.World{}, serves: simulated()}, nil
	case "local":
		w, err := local.New(c.Context(), local.Options{
			Spin: f.compute == "spin", Pace: f.pace, Redis: os.Getenv("FLOWTWIN_REDIS_ADDR"), CouchDB: os.Getenv("FLOWTWIN_COUCHDB_URL"),
			Kafka:  strings.FieldsFunc(os.Getenv("FLOWTWIN_KAFKA_BROKERS"), func(r rune) bool { return r == ',' }),
			Record: dir,
			Warn:   func(text string) { fmt.Fprintf(c.ErrOrStderr(), "\nflowtwin: %s\n", text) },
		})
		if err != nil {
			return nil, failure{err}
		}
		return &backend{name: name, world: w, serves: w.Serves(), constants: rundir.NewConstants(f.pace, w.Constants()), realTime: true}, nil
	}
	return nil, fmt.Errorf("there is no back end %q: there are sim and local", name)
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
