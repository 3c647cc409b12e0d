package repro

import (
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

func system(r *Row) string   { return r.System }
func workflow(r *Row) string { return r.Workflow }
func series(r *Row) string   { return r.Series }

// drawBars draws a group of bars for each workflow: for each system ours, and
// beside it the published value where there is any.
func drawBars(label string, scale figures.Scale) func(Result, string) figures.Figure {
	return func(result Result, subtitle string) figures.Figure {
		b := figures.Bars{
			Title: result.Figure.Title, Subtitle: subtitle, YLabel: label, YScale: scale, Groups: names(result.Rows, workflow),
		}
		for i, s := range names(result.Rows, system) {
			mine, theirs := figures.BarSeries{Name: s, Style: i + 1}, figures.BarSeries{Name: s, Published: true, Style: i + 1}
			any := false
			for _, w := range b.Groups {
				r := find(result.Rows, func(r *Row) bool { return r.System == s && r.Workflow == w })
				mine.Values = append(mine.Values, ours(r))
				theirs.Values = append(theirs.Values, published(r))
				any = any || r != nil && (r.PublishedTimeout || !math.IsNaN(r.Published))
			}
			b.Series = append(b.Series, mine)
			if any {
				b.Series = append(b.Series, theirs)
			}
		}
		return b.Draw()
	}
}

// drawRates draws a panel for each workflow and bandwidth: latency along the
// rate.
func drawRates(result Result, subtitle string) figures.Figure {
	p := figures.Panels{Title: result.Figure.Title, Subtitle: subtitle, Columns: len(names(result.Rows, series)), SameY: true}
	for _, w := range names(result.Rows, workflow) {
		for _, bandwidth := range names(result.Rows, series) {
			l := figures.Lines{XLabel: "rate (requests/min)", YLabel: "maximum latency (s)"}
			for i, s := range names(result.Rows, system) {
				mine, theirs := figures.LineSeries{Name: s, Style: i + 1}, figures.LineSeries{Name: s, Published: true, Style: i + 1}
				any := false
				for j := range result.Rows {
					r := &result.Rows[j]
					if r.Workflow != w || r.Series != bandwidth || r.System != s {
						continue
					}
					mine.Points = append(mine.Points, figures.Point{X: r.X, Estimate: ours(r)})
					if r.PublishedTimeout || !math.IsNaN(r.Published) {
						theirs.Points = append(theirs.Points, figures.Point{X: r.X, Estimate: published(r)})
						any = true
					}
				}
				l.Series = append(l.Series, mine)
				if any {
					l.Series = append(l.Series, theirs)
				}
			}
			p.Panels = append(p.Panels, figures.Panel{Title: fmt.Sprintf("%s, %s", w, bandwidth), Plot: l})
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
