package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/explain"
	"github.com/flowtwin/flowtwin/results/figures"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/results/views"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/sim"
)

// explainFlags are the flags of flowtwin explain.
type explainFlags struct {
	query    explain.Query
	json     bool
	figure   string
	perfetto string
}

func newExplain() *cobra.Command {
	f := &explainFlags{}
	c := &cobra.Command{
		Use:   "explain RUN [INVOCATION]",
		Short: "Say where the time of an invocation went",
		Long: "Say where the time of an invocation went, to the nanosecond: what it waited for at each moment, along the chain\n" +
			"of functions that determined its end. An invocation is named by its number; where several points, workflows\n" +
			"or trials have one of that number, the flags tell them apart. Without a number it is the slowest one that was\n" +
			"measured, and what the 99th percentile of its point spends more than the median is shown too.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return errors.New("one or two arguments are expected: the run directory, and the number of an invocation")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	c.Flags().IntVar(&f.query.Point, "point", explain.Any, "number of the point, from 0")
	c.Flags().IntVar(&f.query.Trial, "trial", explain.Any, "number of the trial, from 0")
	c.Flags().StringVar(&f.query.Scheduler, "scheduler", "", "scheduler")
	c.Flags().StringVar(&f.query.Workflow, "workflow", "", "workflow")
	c.Flags().BoolVar(&f.json, "json", false, "print the explanation as JSON")
	c.Flags().StringVar(&f.figure, "figure", "", "draw it into this file, .svg, .png or .pdf")
	c.Flags().StringVar(&f.perfetto, "perfetto", "", "write it into this file as a trace that ui.perfetto.dev opens")
	return c
}

func (f *explainFlags) run(c *cobra.Command, args []string) error {
	f.query.Number = explain.Any
	if len(args) == 2 {
		number, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil || number < 0 {
			return fmt.Errorf("%q is not the number of an invocation: they are counted from 0", args[1])
		}
		f.query.Number = number
	}
	if ending := strings.ToLower(filepath.Ext(f.figure)); f.figure != "" && !slices.Contains([]string{".svg", ".png", ".pdf"}, ending) {
		return fmt.Errorf("--figure %s: the name must end in .svg, .png or .pdf", f.figure)
	}
	m, err := rundir.ReadManifest(args[0])
	if err != nil {
		return err
	}
	if err := f.check(m); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	e, err := f.explain(c, args[0], m)
	if err != nil {
		return err
	}
	if f.json {
		err = writeJSON(c, e.JSON())
	} else {
		_, err = fmt.Fprint(c.OutOrStdout(), e.Text(width(c)))
	}
	if err := errors.Join(err, f.write(e)); err != nil {
		return failure{err}
	}
	return nil
}

// check reports what the run of a manifest cannot have.
func (f *explainFlags) check(m *rundir.Manifest) error {
	q := &f.query
	if q.Point < explain.Any || q.Point >= len(m.Points) {
		return fmt.Errorf("it has no point %d: they are 0 to %d", q.Point, len(m.Points)-1)
	}
	if q.Trial < explain.Any || q.Trial >= m.Trials {
		return fmt.Errorf("it has no trial %d: they are 0 to %d", q.Trial, m.Trials-1)
	}
	var all, workflows []string
	for _, p := range m.Points {
		all = append(all, p.Scheduler)
		workflows = append(workflows, p.Workflows...)
	}
	if q.Scheduler != "" && !slices.Contains(all, q.Scheduler) {
		return fmt.Errorf("it has no scheduler %s: there is %s", q.Scheduler, list(all))
	}
	if q.Workflow != "" && !slices.ContainsFunc(workflows, func(w string) bool { return explain.Named(w, q.Workflow) }) {
		return fmt.Errorf("it has no workflow %s: there is %s", q.Workflow, list(workflows))
	}
	return nil
}

// list shows what there is, each once.
func list(names []string) string {
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// explain finds the invocation that is meant, and explains it.
func (f *explainFlags) explain(c *cobra.Command, dir string, m *rundir.Manifest) (*views.Explained, error) {
	find := func(q explain.Query) (*explain.Finder, error) {
		finder := explain.NewFinder(q)
		return finder, rundir.EachInvocation(dir, m, finder.Add)
	}
	one := func(q explain.Query) (explain.Found, error) {
		finder, err := find(q)
		if err != nil {
			return explain.Found{}, err
		}
		found, err := finder.One()
		if err != nil {
			err = fmt.Errorf("%s: %w", dir, err)
		}
		return found, err
	}
	t := &tasksOf{dir: dir, manifest: m, context: c.Context(), note: func(text string) { fmt.Fprintln(c.ErrOrStderr(), text) }}
	e := &views.Explained{Directory: dir, Manifest: m}
	if f.query.Number != explain.Any {
		found, err := one(f.query)
		if err != nil {
			return nil, err
		}
		e.Explanation, err = t.explain(found)
		return e, err
	}
	finder, err := find(f.query)
	if err != nil {
		return nil, err
	}
	ranks, err := finder.Slowest()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if e.Explanation, err = t.explain(ranks.Slowest); err != nil || ranks.N == 0 {
		return e, err
	}
	e.Against = &views.Against{N: ranks.N, Supported: ranks.Supported()}
	for _, other := range []struct {
		query explain.Query
		to    **explain.Explanation
	}{{ranks.Median, &e.Against.Median}, {ranks.P99, &e.Against.P99}} {
		found, err := one(other.query)
		if err != nil {
			return nil, err
		}
		if *other.to, err = t.explain(found); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// write writes the files that were asked for.
func (f *explainFlags) write(e *views.Explained) error {
	var failed error
	if f.perfetto != "" {
		trace, err := e.Perfetto()
		if err == nil {
			err = rundir.WriteFile(f.perfetto, trace)
		}
		failed = err
	}
	if f.figure != "" {
		drawn := e.Gantt().Figure
		render := map[string]func(figures.Figure) ([]byte, error){".svg": figures.Figure.SVG, ".png": figures.Figure.PNG, ".pdf": figures.Figure.PDF}
		picture, err := render[strings.ToLower(filepath.Ext(f.figure))](drawn)
		if err == nil {
			err = rundir.WriteFile(f.figure, picture)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// tasksOf finds the records of tasks: in tasks.csv, or where a run kept none,
// by simulating a trial once more.
type tasksOf struct {
	dir      string
	manifest *rundir.Manifest
	context  context.Context
	note     func(string)
	plan     *scenarios.Plan // of a run without tasks
}

func (t *tasksOf) explain(f explain.Found) (*explain.Explanation, error) {
	k, i := &f.Key, &f.Invocation
	tasks, err := rundir.ReadTasks(t.dir, t.manifest, k.Point, k.Trial, k.Workflow, i.Number)
	if errors.Is(err, fs.ErrNotExist) {
		tasks, err = t.again(f)
	}
	if err != nil {
		return nil, err
	}
	e, err := explain.Explain(f.Key, f.Invocation, tasks)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.dir, err)
	}
	return e, nil
}

// again simulates the trial of an invocation once more. It is the same trial,
// unless the program or the files of the scenario have changed.
func (t *tasksOf) again(f explain.Found) ([]record.TaskRow, error) {
	m := t.manifest
	how := "run the scenario again with --set tasks=true"
	if m.Backend != "sim" {
		return nil, fmt.Errorf("%s has no tasks.csv: %s", t.dir, how)
	}
	if t.plan == nil {
		plan, err := reload(m)
		if err != nil {
			return nil, fmt.Errorf("%s has no tasks.csv, and its scenario cannot be read any more: %w", t.dir, err)
		}
		if plan.Hash() != m.Hash {
			return nil, fmt.Errorf("%s has no tasks.csv, and its scenario has changed since: %s", t.dir, how)
		}
		t.plan = plan
		t.note(fmt.Sprintf("%s has no tasks.csv: simulating the trial again (to keep tasks, %s)", t.dir, how))
	}
	trial := t.plan.Trial(f.Key.Point, f.Key.Trial)
	r := newWitness(trial, slices.Index(m.Points[f.Key.Point].Workflows, f.Key.Workflow), f.Invocation.Number)
	if err := (sim.World{}).Run(r.until(t.context), trial, r); err != nil && !r.seen {
		return nil, failure{err}
	}
	if !r.seen || !same(r.invocation, f.Invocation) {
		return nil, failure{fmt.Errorf("%s has no tasks.csv, and this version of flowtwin simulates invocation %d otherwise: %s", t.dir, f.Invocation.Number, how)}
	}
	return r.tasks, nil
}

// same compares a record with what was read of it.
func same(simulated, read record.Invocation) bool {
	simulated.Workflow = read.Workflow
	simulated.ContainerByteTime, read.ContainerByteTime = simulated.ContainerGBSeconds(), read.ContainerGBSeconds()
	return simulated == read
}

// witness keeps the records of one invocation of a trial.
type witness struct {
	trial      *scenarios.Trial
	workflow   int
	number     int64
	nodes      []string
	tasks      []record.TaskRow
	invocation record.Invocation
	seen       bool
	enough     context.CancelFunc
}

func newWitness(t *scenarios.Trial, workflow int, number int64) *witness {
	w := &witness{trial: t, workflow: workflow, number: number}
	cluster := t.Cluster.Engine()
	for id := range cluster.Nodes() {
		w.nodes = append(w.nodes, cluster.NodeName(engine.NodeID(id)))
	}
	return w
}

// until returns a context that ends when the witness has seen enough.
func (w *witness) until(ctx context.Context) context.Context {
	ctx, w.enough = context.WithCancel(ctx)
	return ctx
}

func (w *witness) WantsTasks() bool { return true }

func (w *witness) Task(t *record.Task) {
	if t.Workflow == w.workflow && t.Number == w.number {
		w.tasks = append(w.tasks, t.Row(w.trial.Workflows[t.Workflow].Functions[t.Function].Name, w.nodes[t.Node]))
	}
}

func (w *witness) Invocation(i *record.Invocation) {
	if i.Workflow == w.workflow && i.Number == w.number {
		w.invocation, w.seen = *i, true
		w.enough()
	}
}
