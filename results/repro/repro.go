// Package repro runs the experiments of a paper and sets the results beside
// the published ones.
//
// Each figure of the paper is a scenario that ships with flowtwin. Its results
// become rows with the published number, ours and their ratio; numbers that
// are not published have a row too, and differences are shown as they are.
package repro

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/reference"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Row is one number of a figure, ours beside the published one.
type Row struct {
	reference.Key
	Unit string
	// Published and Ours are NaN where there is none. A timeout is a fact of
	// its own.
	Published, Ours               float64
	PublishedTimeout, OursTimeout bool
	NotRun                        bool
	Lo, Hi                        float64 // our 95 % interval, NaN if there is none
}

// Ratio is ours over published, NaN unless both are numbers.
func (r *Row) Ratio() float64 { return r.Ours / r.Published }

// Options say how figures are made.
type Options struct {
	// Dir is where everything goes.
	Dir string
	// Quick cuts the loads down, for a first look.
	Quick bool
	// Parallel is the number of trials at a time (0: one for each processor).
	Parallel int
	// Progress is told of each scenario's trials.
	Progress func(scenario string, done, total int)
	World    rundir.World
	Backend  string
	Serves   map[string]string
}

// Result is what a figure has come to.
type Result struct {
	Figure Figure
	Rows   []Row
}

// Run makes figures of a paper.
func Run(ctx context.Context, paper string, figures []Figure, o Options) ([]Result, error) {
	published, err := reference.Published(paper)
	if err != nil {
		return nil, err
	}
	var results []Result
	done := map[string]*experiment{}
	for _, f := range figures {
		r, err := runFigure(ctx, paper, f, published, done, o)
		if err != nil {
			return results, fmt.Errorf("figure %s: %w", f.Name, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// experiment is a scenario of the paper and its results.
type experiment struct {
	plan *scenarios.Plan
	run  *analysis.Run
	dir  string
}

// runFigure runs the scenarios of a figure, as far as no other figure has done
// so, and measures.
func runFigure(ctx context.Context, paper string, f Figure, published []reference.Row, done map[string]*experiment, o Options) (Result, error) {
	var all []*experiment
	for _, name := range f.ScenarioNames() {
		if done[name] == nil {
			e, err := runScenario(ctx, paper, name, f, o)
			if err != nil {
				return Result{}, err
			}
			done[name] = e
		}
		all = append(all, done[name])
	}
	ours, err := f.measure(all)
	if err != nil {
		return Result{}, err
	}
	return Result{Figure: f, Rows: match(f.Name, ours, published)}, nil
}

func runScenario(ctx context.Context, paper, name string, f Figure, o Options) (*experiment, error) {
	options := scenarios.Options{}
	if o.Quick {
		options.Settings = f.Quick
	}
	plan, err := scenarios.Load(paper+"/"+name, options)
	if err != nil {
		return nil, err
	}
	e := &experiment{plan: plan, dir: filepath.Join(o.Dir, "runs", name)}
	e.run, err = rundir.Execute(ctx, plan, o.World, rundir.Options{
		Backend: o.Backend, Serves: o.Serves, Dir: e.dir, ScenarioDir: ".", Parallel: o.Parallel,
		Progress: func(done, total int) {
			if o.Progress != nil {
				o.Progress(name, done, total)
			}
		},
	})
	return e, err
}

// match joins our rows with the published ones, in the order of ours; what is
// published but not ours comes last.
func match(figure string, ours []Row, published []reference.Row) []Row {
	var rows []Row
	taken := map[reference.Key]bool{}
	for _, r := range ours {
		r.Figure = figure
		if math.IsNaN(r.Published) {
			for _, p := range published {
				if p.Key == r.Key {
					r.Published, r.PublishedTimeout, r.NotRun = p.Value, p.Timeout, p.NotRun
					if p.Timeout {
						r.Published = math.NaN()
					}
					r.Unit = cmp.Or(r.Unit, p.Unit)
					taken[p.Key] = true
				}
			}
		}
		rows = append(rows, r)
	}
	for _, p := range published {
		if p.Figure == figure && !taken[p.Key] {
			r := Row{Key: p.Key, Unit: p.Unit, Published: p.Value, PublishedTimeout: p.Timeout, NotRun: p.NotRun, Ours: math.NaN(), Lo: math.NaN(), Hi: math.NaN()}
			if p.Timeout {
				r.Published = math.NaN()
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// CSV writes rows with the columns that scripts rely on.
func CSV(results []Result) ([]byte, error) {
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	if err := w.Write([]string{"figure", "series", "system", "workflow", "x", "metric", "unit", "published", "ours", "ratio"}); err != nil {
		return nil, err
	}
	for _, result := range results {
		for _, r := range result.Rows {
			err := w.Write([]string{
				r.Figure, r.Series, r.System, r.Workflow, r.x(), r.Metric, r.Unit,
				number(r.Published, r.PublishedTimeout), number(r.Ours, r.OursTimeout), number(r.Ratio(), false),
			})
			if err != nil {
				return nil, err
			}
		}
	}
	w.Flush()
	return text.Bytes(), w.Error()
}

// x is where on the x axis, empty if there is none.
func (r *Row) x() string {
	if r.X == 0 {
		return r.Function
	}
	return number(r.X, false)
}

func number(v float64, timeout bool) string {
	switch {
	case timeout:
		return "timeout"
	case math.IsNaN(v) || math.IsInf(v, 0):
		return ""
	default:
		return strconv.FormatFloat(v, 'g', 9, 64)
	}
}

// shortWorkflow is a built-in workflow's name without the paper.
func shortWorkflow(name string) string {
	if _, short, ok := strings.Cut(name, "/"); ok {
		return short
	}
	return name
}

// measured makes the row of one series.
func measured(s *analysis.Series, metric, statistic string) Row {
	r := Row{Published: math.NaN(), Ours: math.NaN(), Lo: math.NaN(), Hi: math.NaN()}
	r.System, r.Workflow = s.Scheduler, shortWorkflow(s.Workflow)
	r.Metric = metric + "_" + statistic
	summary, _ := s.Of(metric)
	r.Unit = summary.Metric.Unit
	switch {
	case s.Mean("timed_out") > 0 || s.Mean("failed") > 0:
		// The artefact's scripts call a case a timeout when a request took
		// more than 60 s.
		r.OursTimeout = true
	case statistic == "max":
		r.Ours = summary.Max
	default:
		r.Ours, r.Lo, r.Hi = summary.Mean, summary.Interval.Lo, summary.Interval.Hi
	}
	if summary.N == 0 {
		r.Ours = math.NaN()
	}
	return r
}

// Find returns figures of a paper by name, all of them if none is named.
func Find(paper string, names []string) ([]Figure, error) {
	all, ok := papers()[paper]
	if !ok {
		return nil, fmt.Errorf("there is no paper %q to reproduce: there is %s", paper, strings.Join(slices.Sorted(maps.Keys(papers())), ", "))
	}
	if len(names) == 0 {
		return all, nil
	}
	var figures []Figure
	for _, name := range names {
		at := slices.IndexFunc(all, func(f Figure) bool { return f.Name == name })
		if at < 0 {
			known := make([]string, len(all))
			for i, f := range all {
				known[i] = f.Name
			}
			return nil, fmt.Errorf("%s has no figure %q: there are %s", paper, name, strings.Join(known, ", "))
		}
		figures = append(figures, all[at])
	}
	return figures, nil
}
