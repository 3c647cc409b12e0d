package views

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/explain"
	"github.com/flowtwin/flowtwin/results/figures"
	"github.com/flowtwin/flowtwin/results/metrics"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/results/stats"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Named is a figure and the name of its files.
type Named struct {
	Name   string
	Figure figures.Figure
}

// Draw draws the figures that the scenario of a run asks for; none of a run
// that has no results yet. The error says which cannot be drawn.
func Draw(dir string, m *rundir.Manifest, run *analysis.Run) ([]Named, error) {
	if len(run.Series) == 0 {
		return nil, nil
	}
	g := gallery{dir: dir, manifest: m, run: run}
	g.arrange()
	var drawn []Named
	var failed error
	for _, use := range m.Figures {
		more, err := g.draw(use)
		for _, d := range more {
			name := d.Name
			for n := 2; slices.ContainsFunc(drawn, func(o Named) bool { return o.Name == d.Name }); n++ {
				d.Name = fmt.Sprintf("%s-%d", name, n)
			}
			drawn = append(drawn, d)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("figure %s: %w", use.Kind, err))
		}
	}
	return drawn, failed
}

func (g *gallery) draw(use scenarios.FigureUse) ([]Named, error) {
	metric := cmp.Or(use.Metric, "latency")
	name := use.Kind
	if metric != "latency" {
		name += "-" + metric
	}
	m, ok := metrics.Find(metric)
	if !ok {
		return nil, fmt.Errorf("there is no metric %q", metric)
	}
	one := func(f figures.Figure) []Named { return []Named{{name, f}} }
	switch use.Kind {
	case "latency", "bars":
		return one(g.bars(m, use)), nil
	case "cdf":
		return one(g.cdf(use)), nil
	case "latency-by-rate":
		f, err := g.along(m, use)
		if err != nil {
			return nil, err
		}
		return one(f), nil
	case "breakdown":
		return one(g.breakdown(use)), nil
	case "timeline":
		return one(g.timeline()), nil
	case "gantt":
		return g.gantts()
	default:
		return nil, errors.New("there is no figure of that kind")
	}
}

// Save writes figures as SVG, PNG and PDF, and returns the paths of the SVGs.
func Save(dir string, drawn []Named) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var paths []string
	for _, d := range drawn {
		if _, err := d.Figure.Save(dir, d.Name); err != nil {
			return paths, fmt.Errorf("figure %s: %w", d.Name, err)
		}
		paths = append(paths, filepath.Join(dir, d.Name+".svg"))
	}
	return paths, nil
}

// gallery arranges the series of a run for drawing: a group for each workflow
// and combination of axis values, a bar or line for each scheduler.
type gallery struct {
	dir        string
	manifest   *rundir.Manifest
	run        *analysis.Run
	schedulers []string
	groups     []group
}

type group struct {
	name     string
	workflow string
	values   []string
	series   map[string]*analysis.Series // by scheduler
}

func (g *gallery) arrange() {
	at := map[string]int{}
	for _, s := range g.run.Series {
		if !slices.Contains(g.schedulers, s.Scheduler) {
			g.schedulers = append(g.schedulers, s.Scheduler)
		}
		key := s.Workflow + "\x00" + strings.Join(s.Values, "\x00")
		i, known := at[key]
		if !known {
			i = len(g.groups)
			at[key] = i
			g.groups = append(g.groups, group{
				name: g.groupName(s.Workflow, s.Values), workflow: s.Workflow, values: s.Values, series: map[string]*analysis.Series{},
			})
		}
		g.groups[i].series[s.Scheduler] = s
	}
}

// groupName names a group by its workflow, if that says anything, and the
// values of axes.
func (g *gallery) groupName(workflow string, values []string) string {
	var parts []string
	if severalWorkflows(g.run) && !namedByAxis(g.run) || len(values) == 0 {
		parts = append(parts, shortName(workflow))
	}
	for _, value := range values {
		parts = append(parts, shortName(value))
	}
	return strings.Join(parts, " ")
}

// shortName leaves out the paper that a built-in workflow is from.
func shortName(workflow string) string {
	if paper, name, ok := strings.Cut(workflow, "/"); ok && (paper == "faasflow" || paper == "dataflower") {
		return name
	}
	return workflow
}

// subtitle says how the numbers came about; intervals, if the figure shows any.
func (g *gallery) subtitle(intervals bool) string {
	parts := []string{g.manifest.Backend, "profile " + g.manifest.Profile}
	if n := g.manifest.Trials; n > 1 {
		parts = append(parts, counted(n, "trial"))
	}
	if intervals && len(g.run.Series) > 0 {
		if latency, _ := g.run.Series[0].Of("latency"); latency.Interval.Method != stats.None {
			parts = append(parts, "95 % intervals over "+string(latency.Interval.Method))
		}
	}
	if g.manifest.Status != "complete" {
		parts = append(parts, "partial")
	}
	return strings.Join(parts, " · ")
}

func (g *gallery) title(what string) string {
	return cmp.Or(g.manifest.Title, g.manifest.Scenario) + ": " + what
}

// quantity is how a metric is drawn: its label, and what values are divided by.
type quantity struct {
	metric string
	label  string
	unit   float64
}

// quantity chooses a unit in which the values of a metric are short to write.
func (g *gallery) quantity(m metrics.Metric) quantity {
	q := quantity{m.Name, strings.ReplaceAll(strings.TrimPrefix(m.Name, "phase_"), "_", " "), 1}
	if m.Of != nil {
		q.label = "mean " + q.label
	}
	unit := m.Unit
	if unit == "B" {
		largest := 0.0
		for _, s := range g.run.Series {
			if v := s.Mean(m.Name); v > largest { // never true of NaN
				largest = v
			}
		}
		for _, prefix := range []string{"K", "M", "G"} {
			if largest/q.unit >= 1000 {
				q.unit *= 1000
				unit = prefix + "B"
			}
		}
	}
	if unit != "" {
		q.label += " (" + unit + ")"
	}
	return q
}

// of is the mean with its interval.
func (q quantity) of(s *analysis.Series) figures.Estimate {
	if s == nil {
		return figures.Estimate{Value: math.NaN()}
	}
	summary, _ := s.Of(q.metric)
	if summary.N == 0 && s.Mean("timed_out") > 0 {
		return figures.Estimate{Timeout: true}
	}
	e := figures.Estimate{Value: summary.Mean / q.unit}
	if summary.Interval.Method != stats.None {
		e.Lo, e.Hi = summary.Interval.Lo/q.unit, summary.Interval.Hi/q.unit
	}
	return e
}

func scaleOf(log bool) figures.Scale {
	if log {
		return figures.Log
	}
	return figures.Auto
}

func (g *gallery) bars(m metrics.Metric, use scenarios.FigureUse) figures.Figure {
	q := g.quantity(m)
	title, subtitle := g.title(strings.ReplaceAll(m.Name, "_", " ")), g.subtitle(true)
	return g.panels(use.Panels, title, subtitle, func(groups []group, axes []string) figures.Plot {
		b := figures.Bars{
			Title: title, Subtitle: subtitle, YLabel: q.label, YScale: scaleOf(use.Log),
			XLabel: strings.Join(axes, ", "), ValueLabels: len(groups)*len(g.schedulers) <= 16,
		}
		for _, group := range groups {
			b.Groups = append(b.Groups, group.name)
		}
		for i, scheduler := range g.schedulers {
			s := figures.BarSeries{Name: scheduler, Style: i + 1}
			for _, group := range groups {
				s.Values = append(s.Values, q.of(group.series[scheduler]))
			}
			b.Series = append(b.Series, s)
		}
		return b
	})
}

// panels draws a plot for each value of an axis; a single one if no axis is
// named. A plot is told its groups, and the axes that these differ in.
func (g *gallery) panels(axis, title, subtitle string, plot func([]group, []string) figures.Plot) figures.Figure {
	by := slices.Index(g.run.Axes, axis)
	var axes []string
	for i := range g.run.Axes {
		if i != by {
			axes = append(axes, axisName(g.run.Axes, i))
		}
	}
	if by < 0 {
		return plot(g.groups, axes).Draw()
	}
	var values []string
	of := map[string][]group{}
	for _, group := range g.groups {
		value := group.values[by]
		if !slices.Contains(values, value) {
			values = append(values, value)
		}
		group.name = g.groupName(group.workflow, slices.Delete(slices.Clone(group.values), by, by+1))
		of[value] = append(of[value], group)
	}
	p := figures.Panels{Title: title, Subtitle: subtitle}
	for _, value := range values {
		p.Panels = append(p.Panels, figures.Panel{Title: shortName(value), Plot: plot(of[value], axes)})
	}
	return p.Draw()
}

func (g *gallery) cdf(use scenarios.FigureUse) figures.Figure {
	panels := figures.Panels{Title: g.title("distribution of the latency"), Subtitle: g.subtitle(false)}
	for _, group := range g.groups {
		c := figures.CDF{Title: panels.Title, Subtitle: panels.Subtitle, XLabel: "latency (s)", XScale: scaleOf(use.Log)}
		for i, scheduler := range g.schedulers {
			if s := group.series[scheduler]; s != nil {
				c.Series = append(c.Series, figures.CDFSeries{
					Name: scheduler, Style: i + 1, Samples: s.Latencies, TimedOut: int(math.Round(total(s, "timed_out"))),
				})
			}
		}
		if len(g.groups) == 1 {
			return c.Draw()
		}
		panels.Panels = append(panels.Panels, figures.Panel{Title: group.name, Plot: c})
	}
	return panels.Draw()
}

// along draws a metric along an axis of numbers, a panel for each combination
// of what else varies.
func (g *gallery) along(m metrics.Metric, use scenarios.FigureUse) (figures.Figure, error) {
	axis, label, err := g.numericAxis(use.X)
	if err != nil {
		return figures.Figure{}, err
	}
	q := g.quantity(m)
	panels := figures.Panels{Title: g.title(strings.ReplaceAll(m.Name, "_", " ") + " by " + axisName(g.run.Axes, axis)), Subtitle: g.subtitle(true), SameX: true}
	var order []string
	lines := map[string]*figures.Lines{}
	for _, group := range g.groups {
		rest := slices.Delete(slices.Clone(group.values), axis, axis+1)
		if severalWorkflows(g.run) && !namedByAxis(g.run) {
			rest = append([]string{shortName(group.workflow)}, rest...)
		}
		key := strings.Join(rest, " ")
		l, known := lines[key]
		if !known {
			l = &figures.Lines{Title: panels.Title, Subtitle: panels.Subtitle, XLabel: label, YLabel: q.label, YScale: scaleOf(use.Log)}
			for i, scheduler := range g.schedulers {
				l.Series = append(l.Series, figures.LineSeries{Name: scheduler, Style: i + 1})
			}
			lines[key] = l
			order = append(order, key)
		}
		x, _, _ := scenarios.LeadingNumber(group.values[axis])
		for i, scheduler := range g.schedulers {
			l.Series[i].Points = append(l.Series[i].Points, figures.Point{X: x, Estimate: q.of(group.series[scheduler])})
		}
	}
	if len(order) == 1 {
		return lines[order[0]].Draw(), nil
	}
	for _, key := range order {
		panels.Panels = append(panels.Panels, figures.Panel{Title: key, Plot: *lines[key]})
	}
	return panels.Draw(), nil
}

// numericAxis returns the axis of a name, or the first whose values are all
// numbers, and a label for it.
func (g *gallery) numericAxis(name string) (int, string, error) {
	for i, axis := range g.run.Axes {
		if name != "" && axis != name {
			continue
		}
		unit, numbers := "", true
		for j, group := range g.groups {
			_, u, ok := scenarios.LeadingNumber(group.values[i])
			numbers = numbers && ok && (j == 0 || u == unit)
			unit = u
		}
		if numbers && len(g.groups) > 0 {
			label := axisName(g.run.Axes, i)
			if unit = strings.TrimSpace(unit); unit != "" {
				if strings.HasPrefix(unit, "/") {
					unit = "1" + unit
				}
				label += " (" + unit + ")"
			}
			return i, label, nil
		}
	}
	return 0, "", errors.New("the scenario has no axis of numbers to draw along")
}

func (g *gallery) breakdown(use scenarios.FigureUse) figures.Figure {
	var phases []record.Phase
	for _, p := range [...]record.Phase{
		record.Queue, record.HoldBack, record.ColdStart, record.Transfer, record.Fetch, record.Compute, record.Put, record.Control,
	} {
		// Two phases are of some schedulers only.
		if (p == record.HoldBack || p == record.Transfer) && !g.spent("phase_"+p.String()) {
			continue
		}
		phases = append(phases, p)
	}
	latency := quantity{metric: "latency", unit: 1}
	title, subtitle := g.title("where the latency goes"), g.subtitle(false)
	return g.panels(use.Panels, title, subtitle, func(groups []group, _ []string) figures.Plot {
		b := figures.Breakdown{Title: title, Subtitle: subtitle, YLabel: "mean latency (s)", TotalLabels: true}
		for _, p := range phases {
			b.Phases = append(b.Phases, phaseName(p))
		}
		for _, group := range groups {
			bg := figures.BreakdownGroup{Name: group.name}
			for _, scheduler := range g.schedulers {
				bar := figures.BreakdownBar{Name: scheduler}
				s := group.series[scheduler]
				if s == nil {
					continue
				}
				bar.Timeout = latency.of(s).Timeout
				for _, p := range phases {
					bar.Parts = append(bar.Parts, s.Mean("phase_"+p.String()))
				}
				bg.Bars = append(bg.Bars, bar)
			}
			b.Groups = append(b.Groups, bg)
		}
		return b
	})
}

// spent reports whether any series has something of a metric.
func (g *gallery) spent(metric string) bool {
	for _, group := range g.groups {
		for _, s := range group.series {
			if s != nil && s.Mean(metric) > 0 {
				return true
			}
		}
	}
	return false
}

// phaseName is what figures call a phase.
func phaseName(p record.Phase) string {
	switch p {
	case record.ColdStart:
		return "cold start"
	case record.HoldBack:
		return "hold-back"
	case record.Control:
		return "scheduling"
	default:
		return p.String()
	}
}

// timeline shows the first trial of the last combination of axis values: of
// one workflow the latency and the invocations, of several the latency of each.
func (g *gallery) timeline() figures.Figure {
	last := g.groups[len(g.groups)-1].values
	t := figures.TimeSeries{
		Title:    g.title("over time"),
		Subtitle: strings.Join(append([]string{g.subtitle(false), "first trial"}, last...), " · "), XLabel: "time (s)",
	}
	several := severalWorkflows(g.run) && !namedByAxis(g.run)
	for _, group := range g.groups {
		if !slices.Equal(group.values, last) {
			continue
		}
		latency := figures.TimePanel{YLabel: "mean latency (s)"}
		if several {
			latency.YLabel = shortName(group.workflow) + " (s)"
		}
		underWay, ended := figures.TimePanel{YLabel: "under way"}, figures.TimePanel{YLabel: "ended"}
		for _, scheduler := range g.schedulers {
			s := group.series[scheduler]
			if s == nil {
				continue
			}
			lines := [3]figures.TimeLine{{Name: scheduler}, {Name: scheduler, Steps: true}, {Name: scheduler, Steps: true}}
			for _, m := range s.Timeline {
				for i, v := range [3]float64{m.Latency, float64(m.UnderWay), float64(m.Ended)} {
					lines[i].Times = append(lines[i].Times, m.At)
					lines[i].Values = append(lines[i].Values, v)
				}
			}
			latency.Series = append(latency.Series, lines[0])
			underWay.Series = append(underWay.Series, lines[1])
			ended.Series = append(ended.Series, lines[2])
		}
		t.Panels = append(t.Panels, latency)
		if !several {
			t.Panels = append(t.Panels, underWay, ended)
		}
	}
	if several {
		t.Title = g.title("mean latency over time")
	}
	return t.Draw()
}

// gantts shows, for each scheduler and workflow of the first combination of
// axis values, the invocation with the median latency.
func (g *gallery) gantts() ([]Named, error) {
	var drawn []Named
	several := severalWorkflows(g.run)
	for _, group := range g.groups {
		if !slices.Equal(group.values, g.groups[0].values) {
			continue
		}
		for _, scheduler := range g.schedulers {
			s := group.series[scheduler]
			if s == nil || s.Median < 0 {
				continue
			}
			chart, err := g.gantt(s)
			if err != nil {
				return drawn, err
			}
			name := "gantt-" + scheduler
			if several {
				name += "-" + shortName(group.workflow)
			}
			drawn = append(drawn, Named{strings.NewReplacer("/", "-", "+", "-", " ", "-").Replace(name), chart.Draw()})
		}
	}
	return drawn, nil
}

func (g *gallery) gantt(s *analysis.Series) (figures.Gantt, error) {
	chart := figures.Gantt{
		Title:    fmt.Sprintf("%s: invocation %d of %s under %s", g.manifest.Scenario, s.Median, shortName(s.Workflow), s.Scheduler),
		Subtitle: strings.Join(append([]string{g.manifest.Backend, "profile " + g.manifest.Profile, "first trial, median latency"}, s.Values...), " · "),
		XLabel:   "time since the request was triggered (s)",
	}
	rows, err := rundir.ReadTasks(g.dir, g.manifest, s.Point, 0, s.Workflow, s.Median)
	if errors.Is(err, fs.ErrNotExist) {
		return chart, errors.New("the run has no tasks.csv: add tasks: true to the scenario")
	}
	if err != nil {
		return chart, err
	}
	if len(rows) == 0 {
		return chart, nil
	}
	slices.SortStableFunc(rows, func(a, b record.TaskRow) int { return cmp.Compare(a.Queued, b.Queued) })
	start := rows[0].Queued
	for i := range rows {
		r := &rows[i]
		row := figures.GanttRow{Name: strings.TrimSpace(r.Function + " " + r.Instance), Node: r.Node, Critical: r.Critical}
		row.Spans = ganttSpans(explain.TaskSpans(&r.Task, nil), start)
		chart.Rows = append(chart.Rows, row)
	}
	return chart, nil
}
