package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/results/views"
	"github.com/flowtwin/flowtwin/scenarios"
)

// runFlags are the flags of flowtwin run.
type runFlags struct {
	where    backendFlags
	seed     uint64
	trials   int
	out      string
	resume   string
	settings []string
	parallel int
	json     bool
}

func newRun() *cobra.Command {
	f := &runFlags{}
	c := &cobra.Command{
		Use:   "run SCENARIO",
		Short: "Run a scenario",
		Long: "Run a scenario: a file, or the name of one that ships with flowtwin (see flowtwin list scenarios).\n" +
			"The results go to a run directory; an earlier run there is moved aside, to DIR~.",
		Args: func(c *cobra.Command, args []string) error {
			if f.resume != "" {
				return cobra.NoArgs(c, args)
			}
			return oneArgument("the scenario to run")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	f.where.register(c)
	c.Flags().Uint64Var(&f.seed, "seed", 0, "seed, in place of the scenario's")
	c.Flags().IntVar(&f.trials, "trials", 0, "number of trials, in place of the scenario's")
	c.Flags().StringVar(&f.out, "out", "", "run directory (default out/NAME)")
	c.Flags().StringVar(&f.resume, "resume", "", "finish the interrupted run in this directory")
	c.Flags().StringArrayVar(&f.settings, "set", nil, "path=value to set in the scenario, such as load.rate=60/min (repeatable)")
	c.Flags().IntVar(&f.parallel, "parallel", 0, "trials to run at a time (default: one for each processor)")
	c.Flags().BoolVar(&f.json, "json", false, "print the results as JSON")
	return c
}

// oneArgument demands one argument, and says what it is.
func oneArgument(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("one argument is expected: %s", what)
		}
		return nil
	}
}

func (f *runFlags) run(c *cobra.Command, args []string) error {
	if f.parallel < 0 {
		return fmt.Errorf("--parallel %d: it cannot be negative", f.parallel)
	}
	begin := f.start
	if f.resume != "" {
		begin = f.again
	}
	w, err := begin(c, args)
	if err != nil {
		return err
	}
	p := newProgress(c, w.name, w.trials)
	f.where.progress = p
	run, err := w.execute(rundir.Options{Parallel: f.parallel, Progress: p.set})
	p.end()
	if closeErr := w.close(); closeErr != nil {
		fmt.Fprintf(c.ErrOrStderr(), "flowtwin: %v\n", closeErr)
		if err == nil {
			err = closeErr
		}
	}
	if run == nil {
		return err // Nothing was begun.
	}
	return f.finish(c, w, run, err)
}

// finish shows what a run has come to, and returns how the command ends. A run
// that was interrupted, or whose load was sent too late, is shown as well.
func (f *runFlags) finish(c *cobra.Command, w *work, run *analysis.Run, err error) error {
	var late *rundir.LagError
	interrupted := errors.Is(err, context.Canceled)
	readable := err == nil || interrupted || errors.As(err, &late)
	m, readErr := rundir.ReadManifest(w.dir)
	if !readable { // What there is may be more than the manifest knows.
		m, _, readErr = rundir.Read(w.dir)
	}
	if readErr != nil {
		return failure{cmp.Or(err, readErr)}
	}
	if readable {
		if showErr := f.show(c, w.dir, m, run); showErr != nil {
			return failure{showErr}
		}
	}
	if interrupted || err != nil && m.Done > 0 && m.Done < w.trials {
		fmt.Fprintf(c.ErrOrStderr(), "%d of %d trials are in %s; finish them with: flowtwin run --resume %s\n", m.Done, w.trials, w.dir, w.dir)
	}
	if err != nil && !interrupted {
		return failure{err}
	}
	return err
}

// work is a run that can begin.
type work struct {
	name, dir string
	trials    int // of all points
	execute   func(rundir.Options) (*analysis.Run, error)
	close     func() error
}

// start prepares the run of a scenario.
func (f *runFlags) start(c *cobra.Command, args []string) (*work, error) {
	plan, err := scenarios.Load(args[0], scenarios.Options{Settings: f.allSettings(c), Limit: f.where.limit})
	if err != nil {
		return nil, err
	}
	dir := f.out
	if dir == "" {
		dir = filepath.Join("out", plan.Scenario.Name)
	}
	if err := f.where.checkBodies(plan); err != nil {
		return nil, err
	}
	b, err := f.open(c, f.where.name, dir)
	if err != nil {
		return nil, err
	}
	if err := b.checkSize(plan); err != nil {
		return nil, errors.Join(err, b.close())
	}
	if plan, err = f.where.fit(c, b, plan, args[0], f.allSettings(c)); err != nil {
		return nil, errors.Join(err, b.close())
	}
	scenarioDir, err := filepath.Abs(filepath.Dir(args[0]))
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	return &work{plan.Scenario.Name, dir, plan.Trials * len(plan.Points), func(o rundir.Options) (*analysis.Run, error) {
		o.Backend, o.Serves, o.Measured, o.Constants, o.Dir, o.ScenarioDir = b.name, b.serves, b.measured, b.constants, dir, scenarioDir
		return rundir.Execute(c.Context(), plan, b.world, o)
	}, b.close}, nil
}

// open opens a back end to run trials on.
func (f *runFlags) open(c *cobra.Command, name, dir string) (*backend, error) {
	b, err := f.where.open(c, name, dir)
	switch {
	case err != nil:
	case b.realTime && f.parallel > 1:
		err = fmt.Errorf("--parallel %d: where time is real, trials would disturb each other; they are run one at a time", f.parallel)
		return nil, errors.Join(err, b.close())
	case b.realTime:
		f.parallel = 1
	}
	return b, err
}

// again prepares to finish an interrupted run.
func (f *runFlags) again(c *cobra.Command, _ []string) (*work, error) {
	for _, flag := range []string{"out", "set", "seed", "trials", "backend", "limit", "pace"} {
		if c.Flags().Changed(flag) {
			return nil, errors.New("--resume finishes a run as it was begun: it goes with no --out, --set, --seed, --trials, --backend, --limit or --pace")
		}
	}
	m, err := rundir.ReadManifest(f.resume)
	if err != nil {
		return nil, err
	}
	f.where.pace = m.Constants != nil && m.Constants.Pace
	b, err := f.open(c, m.Backend, f.resume)
	if err != nil {
		return nil, err
	}
	return &work{m.Scenario, f.resume, m.Trials * len(m.Points), func(o rundir.Options) (*analysis.Run, error) {
		o.Measured = b.measured
		return rundir.Resume(c.Context(), f.resume, b.world, o, reload)
	}, b.close}, nil
}

// allSettings are those of --set and of the flags that stand for one.
func (f *runFlags) allSettings(c *cobra.Command) []string {
	settings := f.settings
	if c.Flags().Changed("seed") {
		settings = append(settings, "seed="+strconv.FormatUint(f.seed, 10))
	}
	if c.Flags().Changed("trials") {
		settings = append(settings, "trials="+strconv.Itoa(f.trials))
	}
	return settings
}

// reload makes the plan of a run anew.
func reload(m *rundir.Manifest) (*scenarios.Plan, error) {
	options := scenarios.Options{Settings: m.Settings}
	if m.Limit != "" {
		var err error
		if options.Limit, err = time.ParseDuration(m.Limit); err != nil {
			return nil, fmt.Errorf("the run's limit: %w", err)
		}
	}
	return scenarios.Parse(m.Scenario+".yaml", []byte(m.Source), m.Host.Directory, options)
}

// show draws the figures and prints the results. A figure that cannot be drawn
// does not keep the results back.
func (f *runFlags) show(c *cobra.Command, dir string, m *rundir.Manifest, run *analysis.Run) error {
	paths, failed := drawFigures(dir, m, run)
	if f.json {
		return errors.Join(writeJSON(c, views.JSON(dir, m, run, paths)), failed)
	}
	_, err := fmt.Fprint(c.OutOrStdout(), views.Screen(dir, m, run, paths, width(c)))
	return errors.Join(err, failed)
}

// drawFigures draws the figures that a run's scenario asks for, and returns
// the paths of those that could be drawn.
func drawFigures(dir string, m *rundir.Manifest, run *analysis.Run) ([]string, error) {
	drawn, failed := views.Draw(dir, m, run)
	if len(drawn) == 0 {
		return []string{}, failed
	}
	paths, err := views.Save(filepath.Join(dir, "figures"), drawn)
	return paths, errors.Join(failed, err)
}
