package repro

import (
	"math"
	"slices"
	"strings"

	"github.com/flowtwin/flowtwin/results/figures"
)

// panels begins a figure of panels.
func panels(result Result, subtitle string, columns int) figures.Panels {
	return figures.Panels{Title: result.Figure.Title, Subtitle: subtitle, Columns: columns}
}

func drawResponseLatency(result Result, subtitle string) figures.Figure {
	p := panels(result, subtitle, 3)
	p.Panels = []figures.Panel{
		{Title: "mean", Plot: bars(ofMetric(result.Rows, "latency_mean"), byWorkflow, bySystem, "mean latency (s)")},
		{Title: "p99", Plot: bars(ofMetric(result.Rows, "latency_p99"), byWorkflow, bySystem, "p99 latency (s)")},
		{Title: "p99 over DataFlower's, in pairs", Plot: bars(ofMetric(result.Rows, "latency_p99_over_dataflower"), byWorkflow, bySystem, "ratio")},
	}
	return p.Draw()
}

// drawThroughput draws a panel for each workflow, and rings the knees.
func drawThroughput(result Result, subtitle string) figures.Figure {
	p := panels(result, subtitle+" · ring: knee", 2)
	for _, w := range names(result.Rows, byWorkflow) {
		l := lines(only(result.Rows, func(r *Row) bool { return r.Workflow == w && r.Metric == "throughput" }), bySystem, "clients", "throughput (requests/min)")
		l.XScale = figures.Log
		for i := range l.Series {
			s := &l.Series[i]
			knee := find(result.Rows, func(r *Row) bool { return r.Workflow == w && r.System == s.Name && r.Metric == "knee_clients" })
			if knee != nil && !s.Published {
				s.Ringed = []float64{knee.Ours}
			}
		}
		p.Panels = append(p.Panels, figures.Panel{Title: w, Plot: l})
	}
	return p.Draw()
}

// drawColocation draws a panel for each level, of means and of tails.
func drawColocation(result Result, subtitle string) figures.Figure {
	levels := names(result.Rows, bySeries)
	p := panels(result, subtitle, len(levels))
	for _, metric := range []struct{ name, label string }{{"latency_mean", "mean latency (s)"}, {"latency_p99", "p99 latency (s)"}} {
		for _, level := range levels {
			some := only(result.Rows, func(r *Row) bool { return r.Series == level && r.Metric == metric.name })
			p.Panels = append(p.Panels, figures.Panel{Title: level, Plot: bars(some, byWorkflow, bySystem, metric.label)})
		}
	}
	return p.Draw()
}

func drawBurst(result Result, subtitle string) figures.Figure {
	l := lines(only(result.Rows, func(r *Row) bool { return r.Series == "request" }), bySystem, "sent (s)", "latency (s)")
	l.Title, l.Subtitle = result.Figure.Title, subtitle
	for i := range l.Series {
		l.Series[i].Scattered = true
	}
	return l.Draw()
}

// drawSeriesBy draws a row of panels for each series, with its x axis's label:
// mean and p99.
func drawSeriesBy(labels map[string]string) func(Result, string) figures.Figure {
	return func(result Result, subtitle string) figures.Figure {
		p := panels(result, subtitle, 2)
		for _, series := range names(result.Rows, bySeries) {
			for _, metric := range []struct{ name, label string }{{"latency_mean", "mean latency (s)"}, {"latency_p99", "p99 latency (s)"}} {
				some := only(result.Rows, func(r *Row) bool { return r.Series == series && r.Metric == metric.name })
				title := strings.TrimSuffix(metric.label, " (s)") + " by " + labels[series]
				p.Panels = append(p.Panels, figures.Panel{Title: title, Plot: lines(some, bySystem, labels[series], metric.label)})
			}
		}
		return p.Draw()
	}
}

func drawChunkSize(result Result, subtitle string) figures.Figure {
	p := panels(result, subtitle, 2)
	p.Panels = []figures.Panel{
		{Title: "upload end to split start", Plot: lines(ofMetric(result.Rows, "gap_mean"), bySystem, "chunk (KiB)", "mean (s)")},
		{Title: "latency", Plot: lines(ofMetric(result.Rows, "latency_mean"), bySystem, "chunk (KiB)", "mean (s)")},
	}
	return p.Draw()
}

func drawPressure(result Result, subtitle string) figures.Figure {
	p := panels(result, subtitle, 3)
	for _, metric := range []struct{ name, label string }{
		{"throughput", "throughput (requests/min)"}, {"latency_mean", "mean latency (s)"}, {"latency_p99", "p99 latency (s)"},
	} {
		p.Panels = append(p.Panels, figures.Panel{Title: metric.label, Plot: lines(ofMetric(result.Rows, metric.name), bySeries, "clients", metric.label)})
	}
	return p.Draw()
}

func drawWorkers(result Result, subtitle string) figures.Figure {
	p := panels(result, subtitle, 3)
	for _, w := range names(result.Rows, byWorkflow) {
		l := lines(only(result.Rows, func(r *Row) bool { return r.Workflow == w }), bySystem, "workers", "throughput (requests/min)")
		l.XScale = figures.Log
		p.Panels = append(p.Panels, figures.Panel{Title: w, Plot: l})
	}
	return p.Draw()
}

// drawFunctions draws a panel for each workflow and quantity: ours beside the
// published values, open and closed loop.
func drawFunctions(result Result, subtitle string) figures.Figure {
	p := panels(result, subtitle, 2)
	for _, w := range names(result.Rows, byWorkflow) {
		for _, metric := range []struct{ name, label string }{{"start_mean", "mean start (s)"}, {"duration_mean", "mean duration (s)"}} {
			some := only(result.Rows, func(r *Row) bool { return r.Workflow == w && r.Metric == metric.name })
			p.Panels = append(p.Panels, figures.Panel{Title: w, Plot: bars(some, byFunction, bySeries, metric.label)})
		}
	}
	return p.Draw()
}

// drawFunctionBars draws a panel for each workflow.
func drawFunctionBars(label string) func(Result, string) figures.Figure {
	return func(result Result, subtitle string) figures.Figure {
		p := panels(result, subtitle, 2)
		for _, w := range names(result.Rows, byWorkflow) {
			some := only(result.Rows, func(r *Row) bool { return r.Workflow == w })
			p.Panels = append(p.Panels, figures.Panel{Title: w, Plot: bars(some, byFunction, bySeriesOrSystem, label)})
		}
		return p.Draw()
	}
}

// drawGaps draws our gaps over the published ones: each is a point, and those
// on the diagonal agree.
func drawGaps(result Result, subtitle string) figures.Figure {
	subtitle = strings.Replace(subtitle, "beside published (hollow)", "over published", 1)
	l := figures.Lines{
		Title: result.Figure.Title, Subtitle: subtitle, XLabel: "published (s)", YLabel: "ours (s)", XScale: figures.Log, YScale: figures.Log,
	}
	diagonal := figures.LineSeries{Name: "equal", Style: 6, Unmarked: true}
	var all []float64
	for i, w := range names(result.Rows, byWorkflow) {
		s := figures.LineSeries{Name: w, Style: i + 1, Scattered: true}
		for j := range result.Rows {
			if r := &result.Rows[j]; r.Workflow == w && r.Published > 0 && r.Ours > 0 {
				s.Points = append(s.Points, figures.Point{X: r.Published, Estimate: ours(r)})
				all = append(all, r.Published)
			}
		}
		l.Series = append(l.Series, s)
	}
	if len(all) > 0 {
		for _, x := range []float64{slices.Min(all), slices.Max(all)} {
			diagonal.Points = append(diagonal.Points, figures.Point{X: x, Estimate: figures.Estimate{Value: x}})
		}
		l.Series = append(l.Series, diagonal)
	}
	return l.Draw()
}

func drawSpacing(result Result, subtitle string) figures.Figure {
	p := panels(result, subtitle, 3)
	for _, w := range names(result.Rows, byWorkflow) {
		some := only(result.Rows, func(r *Row) bool { return r.Workflow == w && r.Metric == "start_p50" })
		p.Panels = append(p.Panels, figures.Panel{Title: w, Plot: lines(some, bySeries, "item", "median start (s)")})
	}
	return p.Draw()
}

func drawResources(result Result, subtitle string) figures.Figure {
	p := panels(result, subtitle, 3)
	for _, metric := range []struct{ name, label string }{
		{"container_core_s_mean", "core·s"}, {"container_gb_s_mean", "GB·s"}, {"busy_containers_mean", "busy containers"},
	} {
		some := only(result.Rows, func(r *Row) bool { return r.Metric == metric.name && !math.IsNaN(r.Ours) })
		p.Panels = append(p.Panels, figures.Panel{Title: metric.label, Plot: bars(some, byWorkflow, bySeries, metric.label)})
	}
	return p.Draw()
}
