package repro

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/flowtwin/flowtwin/results/figures"
)

// estimates of a row.
func ours(r *Row) figures.Estimate {
	if r == nil {
		return figures.Estimate{Value: math.NaN()}
	}
	e := figures.Estimate{Value: r.Ours, Timeout: r.OursTimeout}
	if r.Lo < r.Hi {
		e.Lo, e.Hi = r.Lo, r.Hi
	}
	return e
}

func published(r *Row) figures.Estimate {
	if r == nil {
		return figures.Estimate{Value: math.NaN()}
	}
	return figures.Estimate{Value: r.Published, Timeout: r.PublishedTimeout}
}

// names returns the different values of a column, in order.
func names(rows []Row, of func(*Row) string) []string {
	var all []string
	for i := range rows {
		if name := of(&rows[i]); !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

func find(rows []Row, matches func(*Row) bool) *Row {
	for i := range rows {
		if matches(&rows[i]) {
			return &rows[i]
		}
	}
	return nil
}

func bySystem(r *Row) string   { return r.System }
func byWorkflow(r *Row) string { return r.Workflow }
func bySeries(r *Row) string   { return r.Series }
func byFunction(r *Row) string { return r.Function }

// bySeriesOrSystem is for figures of which some have nothing but one system.
func bySeriesOrSystem(r *Row) string { return cmp.Or(r.Series, r.System) }

// only keeps rows that match.
func only(rows []Row, matches func(*Row) bool) []Row {
	var some []Row
	for i := range rows {
		if matches(&rows[i]) {
			some = append(some, rows[i])
		}
	}
	return some
}

// ofMetric keeps rows of a metric.
func ofMetric(rows []Row, metric string) []Row {
	return only(rows, func(r *Row) bool { return r.Metric == metric })
}

// hasPublished reports whether there is a published number.
func (r *Row) hasPublished() bool { return r.PublishedTimeout || !math.IsNaN(r.Published) }

// bars makes a group of bars for each value of one column: for each value of
// another ours, and beside it the published value where there is any.
func bars(rows []Row, group, bar func(*Row) string, label string) figures.Bars {
	b := figures.Bars{YLabel: label, Groups: names(rows, group)}
	for i, s := range names(rows, bar) {
		mine, theirs := figures.BarSeries{Name: s, Style: i + 1}, figures.BarSeries{Name: s, Published: true, Style: i + 1}
		any := false
		for _, g := range b.Groups {
			r := find(rows, func(r *Row) bool { return bar(r) == s && group(r) == g })
			mine.Values = append(mine.Values, ours(r))
			theirs.Values = append(theirs.Values, published(r))
			any = any || r != nil && r.hasPublished()
		}
		b.Series = append(b.Series, mine)
		if any {
			b.Series = append(b.Series, theirs)
		}
	}
	return b
}

// drawBars draws a group of bars for each workflow, a bar for each system.
func drawBars(label string, scale figures.Scale) func(Result, string) figures.Figure {
	return func(result Result, subtitle string) figures.Figure {
		b := bars(result.Rows, byWorkflow, bySystem, label)
		b.Title, b.Subtitle, b.YScale = result.Figure.Title, subtitle, scale
		return b.Draw()
	}
}

// lines makes a line along x for each value of a column: ours, and the
// published values where there are any.
func lines(rows []Row, line func(*Row) string, x, y string) figures.Lines {
	l := figures.Lines{XLabel: x, YLabel: y}
	for i, s := range names(rows, line) {
		mine, theirs := figures.LineSeries{Name: s, Style: i + 1}, figures.LineSeries{Name: s, Published: true, Style: i + 1}
		any := false
		for j := range rows {
			r := &rows[j]
			if line(r) != s {
				continue
			}
			mine.Points = append(mine.Points, figures.Point{X: r.X, Estimate: ours(r)})
			if r.hasPublished() {
				theirs.Points = append(theirs.Points, figures.Point{X: r.X, Estimate: published(r)})
				any = true
			}
		}
		l.Series = append(l.Series, mine)
		if any {
			l.Series = append(l.Series, theirs)
		}
	}
	return l
}

// drawRates draws a panel for each workflow and bandwidth: latency along the
// rate.
func drawRates(result Result, subtitle string) figures.Figure {
	p := figures.Panels{Title: result.Figure.Title, Subtitle: subtitle, Columns: len(names(result.Rows, bySeries)), SameY: true}
	for _, w := range names(result.Rows, byWorkflow) {
		for _, bandwidth := range names(result.Rows, bySeries) {
			some := only(result.Rows, func(r *Row) bool { return r.Workflow == w && r.Series == bandwidth })
			p.Panels = append(p.Panels, figures.Panel{
				Title: fmt.Sprintf("%s, %s", w, bandwidth), Plot: lines(some, bySystem, "rate (requests/min)", "maximum latency (s)"),
			})
		}
	}
	return p.Draw()
}

// drawPartition draws how the cost grows with the size of the workflow.
func drawPartition(result Result, subtitle string) figures.Figure {
	l := figures.Lines{
		Title: result.Figure.Title, Subtitle: subtitle, XLabel: "functions", YLabel: "cost relative to 10 functions",
		XScale: figures.Log, YScale: figures.Log,
	}
	mine := figures.LineSeries{Name: "operations", Style: 1}
	theirs := figures.LineSeries{Name: "CPU time", Published: true, Style: 2}
	for i := range result.Rows {
		if r := &result.Rows[i]; r.Metric == "growth" {
			mine.Points = append(mine.Points, figures.Point{X: r.X, Estimate: ours(r)})
			theirs.Points = append(theirs.Points, figures.Point{X: r.X, Estimate: published(r)})
		}
	}
	l.Series = []figures.LineSeries{mine, theirs}
	return l.Draw()
}
