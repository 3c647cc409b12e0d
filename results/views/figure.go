package views

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/results/analysis"
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

// Draw draws the figures that a scenario asks for.
func Draw(dir string, m *rundir.Manifest, run *analysis.Run, uses []scenarios.FigureUse) ([]Named, error) {
	g := gallery{dir: dir, manifest: m, run: run}
	g.arrange()
	var drawn []Named
	for _, use := range uses {
		name := use.Kind
		metric := cmp.Or(use.Metric, "latency")
		if metric != "latency" {
			name += "-" + metric
		}
		found, ok := metrics.Find(metric)
		if !ok {
			return drawn, fmt.Errorf("figure %s: there is no metric %q", use.Kind, metric)
		}
		switch use.Kind {
		case "latency", "bars":
			drawn = append(drawn, Named{name, g.bars(found, use)})
		case "cdf":
			drawn = append(drawn, Named{name, g.cdf(use)})
		case "latency-by-rate":
			f, err := g.along(found, use)
			if err != nil {
				return drawn, err
			}
			drawn = append(drawn, Named{name, f})
		case "breakdown":
			drawn = append(drawn, Named{name, g.breakdown()})
		case "timeline":
			drawn = append(drawn, Named{name, g.timeline()})
		case "gantt":
			charts, err := g.gantts()
			if err != nil {
				return drawn, err
			}
			drawn = append(drawn, charts...)
		}
	}
	return drawn, nil
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
	several := severalWorkflows(g.run) && !namedByAxis(g.run)
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
			var parts []string
			if several || len(s.Values) == 0 {
				parts = append(parts, shortName(s.Workflow))
			}
			for _, value := range s.Values {
				parts = append(parts, shortName(value))
			}
			g.groups = append(g.groups, group{
				name: strings.Join(parts, " "), workflow: s.Workflow, values: s.Values, series: map[string]*analysis.Series{},
			})
		}
		g.groups[i].series[s.Scheduler] = s
	}
}

// shortName leaves out the paper that a built-in workflow is from.
func shortName(workflow string) string {
	if paper, name, ok := strings.Cut(workflow, "/"); ok && (paper == "faasflow" || paper == "dataflower") {
		return name
	}
	return workflow
}

func (g *gallery) subtitle() string {
	parts := []string{g.manifest.Backend, "profile " + g.manifest.Profile}
	if n := g.manifest.Trials; n > 1 {
		parts = append(parts, fmt.Sprintf("%d trials", n))
	}
	if len(g.run.Series) > 0 {
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

// estimate is a metric's mean with its interval.
func estimate(s *analysis.Series, metric string) figures.Estimate {
	if s == nil {
		return figures.Estimate{Value: math.NaN()}
	}
	summary, _ := s.Of(metric)
	if summary.N == 0 && s.Mean("timed_out") > 0 {
		return figures.Estimate{Timeout: true}
	}
	e := figures.Estimate{Value: summary.Mean}
	if summary.Interval.Method != stats.None {
		e.Lo, e.Hi = summary.Interval.Lo, summary.Interval.Hi
	}
	return e
}

func quantity(m metrics.Metric) string {
	name := strings.ReplaceAll(strings.TrimPrefix(m.Name, "phase_"), "_", " ")
	if m.Of != nil {
		name = "mean " + name
	}
	if m.Unit == "" {
		return name
	}
	return fmt.Sprintf("%s (%s)", name, m.Unit)
}

func scaleOf(log bool) figures.Scale {
	if log {
		return figures.Log
	}
	return figures.Auto
}

func (g *gallery) bars(m metrics.Metric, use scenarios.FigureUse) figures.Figure {
	b := figures.Bars{
		Title: g.title(strings.ReplaceAll(m.Name, "_", " ")), Subtitle: g.subtitle(), YLabel: quantity(m), YScale: scaleOf(use.Log),
		XLabel: strings.Join(g.run.Axes, ", "), ValueLabels: len(g.groups)*len(g.schedulers) <= 16,
	}
	for _, group := range g.groups {
		b.Groups = append(b.Groups, group.name)
	}
	for _, scheduler := range g.schedulers {
		s := figures.BarSeries{Name: scheduler}
		for _, group := range g.groups {
			s.Values = append(s.Values, estimate(group.series[scheduler], m.Name))
		}
		b.Series = append(b.Series, s)
	}
	return b.Draw()
}

func (g *gallery) cdf(use scenarios.FigureUse) figures.Figure {
	panels := figures.Panels{Title: g.title("distribution of the latency"), Subtitle: g.subtitle()}
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
	panels := figures.Panels{Title: g.title(strings.ReplaceAll(m.Name, "_", " ") + " by " + g.run.Axes[axis]), Subtitle: g.subtitle(), SameX: true}
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
			l = &figures.Lines{Title: panels.Title, Subtitle: panels.Subtitle, XLabel: label, YLabel: quantity(m), YScale: scaleOf(use.Log)}
			for i, scheduler := range g.schedulers {
				l.Series = append(l.Series, figures.LineSeries{Name: scheduler, Style: i + 1})
			}
			lines[key] = l
			order = append(order, key)
		}
		x, _, _ := leadingNumber(group.values[axis])
		for i, scheduler := range g.schedulers {
			l.Series[i].Points = append(l.Series[i].Points, figures.Point{X: x, Estimate: estimate(group.series[scheduler], m.Name)})
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
			_, u, ok := leadingNumber(group.values[i])
			numbers = numbers && ok && (j == 0 || u == unit)
			unit = u
		}
		if numbers && len(g.groups) > 0 {
			label := axis
			if unit != "" {
				label += " (" + strings.TrimSpace(unit) + ")"
			}
			return i, label, nil
		}
	}
	return 0, "", fmt.Errorf("figure latency-by-rate: the scenario has no axis of numbers to draw along")
}

// leadingNumber divides a value such as 30/min into number and unit.
func leadingNumber(text string) (float64, string, bool) {
	end := strings.LastIndexAny(text, "0123456789.")
	for i, r := range text {
		if (r < '0' || r > '9') && r != '.' {
			end = i - 1
			break
		}
	}
	v, err := strconv.ParseFloat(text[:end+1], 64)
	return v, text[end+1:], err == nil
}

func (g *gallery) breakdown() figures.Figure {
	b := figures.Breakdown{
		Title: g.title("where the latency goes"), Subtitle: g.subtitle(), YLabel: "mean latency (s)", TotalLabels: true,
	}
	phases := []record.Phase{record.Queue, record.ColdStart, record.Fetch, record.Compute, record.Put, record.Control}
	for _, p := range phases {
		b.Phases = append(b.Phases, phaseName(p))
	}
	for _, group := range g.groups {
		bg := figures.BreakdownGroup{Name: group.name}
		for _, scheduler := range g.schedulers {
			bar := figures.BreakdownBar{Name: scheduler}
			s := group.series[scheduler]
			if s == nil {
				continue
			}
			bar.Timeout = estimate(s, "latency").Timeout
			for _, p := range phases {
				bar.Parts = append(bar.Parts, s.Mean("phase_"+p.String()))
			}
			bg.Bars = append(bg.Bars, bar)
		}
		b.Groups = append(b.Groups, bg)
	}
	return b.Draw()
}

// phaseName is what figures call a phase.
func phaseName(p record.Phase) string {
	switch p {
	case record.ColdStart:
		return "cold start"
	case record.Control:
		return "scheduling"
	default:
		return p.String()
	}
}

// timeline shows the first trial of the last combination of axis values.
func (g *gallery) timeline() figures.Figure {
	last := g.groups[len(g.groups)-1].values
	t := figures.TimeSeries{
		Title:    g.title("over time"),
		Subtitle: strings.Join(append([]string{g.subtitle(), "first trial"}, last...), " · "), XLabel: "time (s)",
		Panels: []figures.TimePanel{{YLabel: "mean latency (s)"}, {YLabel: "under way"}, {YLabel: "ended"}},
	}
	several := severalWorkflows(g.run)
	for _, group := range g.groups {
		if !slices.Equal(group.values, last) {
			continue
		}
		for _, scheduler := range g.schedulers {
			s := group.series[scheduler]
			if s == nil {
				continue
			}
			name := scheduler
			if several {
				name += " " + shortName(group.workflow)
			}
			lines := [3]figures.TimeLine{{Name: name}, {Name: name, Steps: true}, {Name: name, Steps: true}}
			for _, m := range s.Timeline {
				for i, v := range [3]float64{m.Latency, float64(m.UnderWay), float64(m.Ended)} {
					lines[i].Times = append(lines[i].Times, m.At)
					lines[i].Values = append(lines[i].Values, v)
				}
			}
			for i := range lines {
				t.Panels[i].Series = append(t.Panels[i].Series, lines[i])
			}
		}
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
	rows, err := readTasks(filepath.Join(g.dir, "tasks.csv"), g.manifest, s)
	if err != nil {
		return chart, err
	}
	if len(rows) == 0 {
		return chart, nil
	}
	slices.SortStableFunc(rows, func(a, b taskRow) int { return cmp.Compare(a.queued, b.queued) })
	start := rows[0].queued
	for _, r := range rows {
		at := r.started - start
		wait := phaseName(record.Queue)
		if r.cold {
			wait = phaseName(record.ColdStart)
		}
		chart.Rows = append(chart.Rows, figures.GanttRow{
			Name: r.name, Node: r.node, Critical: r.critical,
			Spans: []figures.GanttSpan{
				{Phase: wait, From: r.queued - start, To: at},
				{Phase: phaseName(record.Fetch), From: at, To: at + r.fetch},
				{Phase: phaseName(record.Compute), From: at + r.fetch, To: at + r.fetch + r.compute},
				{Phase: phaseName(record.Put), From: at + r.fetch + r.compute, To: at + r.fetch + r.compute + r.put},
			},
		})
	}
	return chart, nil
}

// taskRow is a row of tasks.csv, times in seconds.
type taskRow struct {
	name, node                           string
	cold, critical                       bool
	queued, started, fetch, compute, put float64
}

// readTasks returns the tasks of the invocation that stands for a series.
func readTasks(name string, m *rundir.Manifest, s *analysis.Series) ([]taskRow, error) {
	file, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("figure gantt: the run has no tasks.csv: add tasks: true to the scenario")
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r := csv.NewReader(file)
	r.ReuseRecord = true
	columns := record.TaskColumns(m.Axes)
	if _, err := r.Read(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	at := func(column string) int { return slices.Index(columns, column) }
	point, trial, number, workflow := at("point"), at("trial"), at("invocation"), at("workflow")
	want := [...]string{strconv.Itoa(s.Point), "0", strconv.FormatInt(s.Median, 10), s.Workflow}
	var rows []taskRow
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if [...]string{row[point], row[trial], row[number], row[workflow]} != want {
			continue
		}
		var failed error
		seconds := func(column string) float64 {
			v, err := strconv.ParseFloat(row[at(column)], 64)
			failed = errors.Join(failed, err)
			return v
		}
		t := taskRow{
			name: strings.Clone(row[at("function")]), node: strings.Clone(row[at("node")]), cold: row[at("cold")] == "1", critical: row[at("critical")] == "1",
			queued: seconds("queued"), started: seconds("started"), fetch: seconds("fetch"), compute: seconds("compute"), put: seconds("put"),
		}
		if failed != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("%s:%d: %w", name, line, failed)
		}
		if instance := row[at("instance")]; instance != "" {
			t.name += " " + instance
		}
		rows = append(rows, t)
	}
}
