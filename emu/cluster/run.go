package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flowtwin/flowtwin/emu/docker/sweep"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/scenarios"
)

// RunOption says how a scenario is to be run.
type RunOption func(*run)

type run struct {
	settings []string
	limit    time.Duration
	dir      string
}

// Set replaces values of the scenario: "path=value", such as "load.rate=60/min".
func Set(settings ...string) RunOption {
	return func(r *run) { r.settings = append(r.settings, settings...) }
}

// Limit has each trial send load for no longer than this.
func Limit(d time.Duration) RunOption { return func(r *run) { r.limit = d } }

// Directory keeps the results in a run directory, which flowtwin's commands read
// (see package rundir). By default none is left.
func Directory(dir string) RunOption { return func(r *run) { r.dir = dir } }

// Run runs all points and trials of a scenario: a file, the name of one that
// ships with flowtwin, or, if it has several lines, the text of one. Files that
// it names are looked for beside it, or in the working directory.
//
// An invocation that fails is no error: see its outcome, and the warnings of the
// result. If ctx ends, so does the run, with its error.
func (c *Cluster) Run(ctx context.Context, scenario string, options ...RunOption) (*Result, error) {
	c.running.Lock()
	defer c.running.Unlock()
	if c.closed {
		return nil, errors.New("the cluster has been terminated")
	}
	r := &run{}
	for _, set := range options {
		set(r)
	}
	plan, dir, err := c.plan(scenario, r)
	if err != nil {
		return nil, err
	}
	if err := c.check(ctx, plan); err != nil {
		return nil, err
	}
	if r.dir == "" {
		temp, err := sweep.MakeTemp("run")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(temp)
		r.dir = filepath.Join(temp, "run")
	}
	c.mu.Lock()
	c.warnings = nil
	c.mu.Unlock()
	result := newResult(plan, c.Serves())
	analysed, err := rundir.Execute(ctx, plan, recorded{c, result}, rundir.Options{
		Backend: string(c.options.backend), Serves: c.serves, Constants: c.constants, Measured: c.measured,
		Dir: r.dir, ScenarioDir: dir, Parallel: 1,
	})
	var late *rundir.LagError
	switch {
	case errors.As(err, &late):
		c.warn(late.Error())
		result.Late = late
	case err != nil:
		return nil, explained(err)
	}
	result.add(analysed)
	c.mu.Lock()
	defer c.mu.Unlock()
	result.Warnings = c.warnings
	return result, nil
}

// plan makes the plan of a scenario, and says in which directory the files are
// that it names.
func (c *Cluster) plan(scenario string, r *run) (*scenarios.Plan, string, error) {
	o := c.options.scenarios
	o.Settings = slices.Concat(o.Settings, r.settings)
	if n := c.options.workers; n > 0 {
		o.Settings = append(o.Settings, fmt.Sprintf("cluster.workers=%d", n))
	}
	if r.limit > 0 {
		o.Limit = r.limit
	}
	dir, load := filepath.Dir(scenario), func() (*scenarios.Plan, error) { return scenarios.Load(scenario, o) }
	if strings.Contains(scenario, "\n") {
		dir, load = ".", func() (*scenarios.Plan, error) { return scenarios.Parse("scenario.yaml", []byte(scenario), ".", o) }
	}
	plan, err := load()
	if err != nil {
		return nil, "", err
	}
	dir, err = filepath.Abs(dir)
	return plan, dir, err
}

// check finds out whether all functions can do what they are to do.
func (c *Cluster) check(ctx context.Context, plan *scenarios.Plan) error {
	work, err := function.WorkOf(c.options.compute, c.options.functions)
	if err != nil || work.Bodies == nil {
		return err
	}
	for point := range plan.Points {
		if _, err := function.Bind(ctx, work.Bodies, plan.Trial(point, 0).Workflows, nil); err != nil {
			return err
		}
	}
	return nil
}

// recorded is the cluster's world, with its records kept.
type recorded struct {
	cluster *Cluster
	result  *Result
}

// Run implements rundir.World.
func (w recorded) Run(ctx context.Context, t *scenarios.Trial, r record.Recorder) error {
	own := newTrial(t, r, w.result.Points[t.Point])
	set := func(t *trial) {
		w.cluster.mu.Lock()
		defer w.cluster.mu.Unlock()
		w.cluster.trial = t
	}
	set(own)
	defer set(nil)
	return w.cluster.world.Run(ctx, t, own)
}
