package figures_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/flowtwin/flowtwin/results/figures"
)

// save writes a figure where examples may and prints the names of its files.
func save(figure figures.Figure, name string) {
	dir, err := os.MkdirTemp("", "figures")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	paths, err := figure.Save(dir, name)
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range paths {
		fmt.Println(filepath.Base(path))
	}
}

// Ours beside the published numbers. mastersp ran into its time-out both times.
func ExampleBars() {
	bars := figures.Bars{
		Title:    "Tail latency of genome and video",
		Subtitle: "sim · profile faasflow-testbed · 5 trials, 95 % intervals",
		YLabel:   "largest latency of 12 requests (s)",
		Groups:   []string{"genome", "video"},
		Series: []figures.BarSeries{
			{Name: "mastersp", Values: []figures.Estimate{{Timeout: true}, {Value: 6.4, Lo: 6.1, Hi: 6.8}}},
			{Name: "mastersp", Published: true, Values: []figures.Estimate{{Timeout: true}, {Value: 6.28}}},
			{Name: "faasflow", Values: []figures.Estimate{{Value: 20.3, Lo: 19.1, Hi: 21.9}, {Value: 4.1, Lo: 4, Hi: 4.3}}},
			{Name: "faasflow", Published: true, Values: []figures.Estimate{{Value: 21.16}, {Value: 4.02}}},
		},
	}
	save(bars.Draw(), "tail-latency")
	// Output:
	// tail-latency.svg
	// tail-latency.png
	// tail-latency.pdf
}

// The numbers of timeouts are kept apart from the samples: the line ends at the
// share that finished.
func ExampleCDF() {
	cdf := figures.CDF{
		Title:  "wordcount at 60 requests a minute",
		XLabel: "latency (s)",
		Series: []figures.CDFSeries{
			{Name: "mastersp", Samples: []float64{1.31, 1.27, 1.44, 1.29, 1.62}, TimedOut: 1},
			{Name: "faasflow", Samples: []float64{0.45, 0.44, 0.47, 0.58, 0.45, 0.46}},
		},
	}
	save(cdf.Draw(), "cdf")
	// Output:
	// cdf.svg
	// cdf.png
	// cdf.pdf
}

// Two axes: what is counted here, and what the paper measured.
func ExampleLines() {
	at := func(functions, value float64) figures.Point {
		return figures.Point{X: functions, Estimate: figures.Estimate{Value: value}}
	}
	lines := figures.Lines{
		Title:      "Cost of partitioning genome",
		XLabel:     "functions in the workflow",
		YLabel:     "operations",
		RightLabel: "processor time (core·s)",
		XScale:     figures.Log, YScale: figures.Log, RightScale: figures.Log,
		Series: []figures.LineSeries{
			{Name: "faasflow", Points: []figures.Point{at(10, 3100), at(50, 92000), at(200, 2.2e6)}},
			{Name: "faasflow", Published: true, Right: true, Points: []figures.Point{at(10, 0.032), at(50, 0.164), at(200, 0.961)}},
		},
	}
	save(lines.Draw(), "partition-cost")
	// Output:
	// partition-cost.svg
	// partition-cost.png
	// partition-cost.pdf
}

func ExampleBreakdown() {
	breakdown := figures.Breakdown{
		Title:  "What the latency is made of",
		YLabel: "mean latency (s)",
		Phases: []string{"queue", "cold start", "fetch", "compute", "put"},
		Groups: []figures.BreakdownGroup{{Name: "genome", Bars: []figures.BreakdownBar{
			{Name: "mastersp", Parts: []float64{0.2, 0.1, 0.9, 3, 1.3}},
			{Name: "faasflow", Parts: []float64{0.2, 0.1, 0.7, 3, 0.9}},
		}}},
		TotalLabels: true,
	}
	save(breakdown.Draw(), "breakdown")
	// Output:
	// breakdown.svg
	// breakdown.png
	// breakdown.pdf
}

func ExampleTimeSeries() {
	series := figures.TimeSeries{
		Title:  "A worker is lost",
		XLabel: "time (s)",
		Panels: []figures.TimePanel{
			{YLabel: "throughput (1/min)", Series: []figures.TimeLine{{Name: "faasflow", Times: []float64{0, 60, 120}, Values: []float64{60, 21, 58}}}},
			{YLabel: "containers", Series: []figures.TimeLine{{Name: "faasflow", Times: []float64{0, 50, 110}, Values: []float64{12, 8, 12}, Steps: true}}},
		},
		Marks: []figures.TimeMark{{At: 50, Name: "worker-2 lost"}},
	}
	save(series.Draw(), "time-series")
	// Output:
	// time-series.svg
	// time-series.png
	// time-series.pdf
}

func ExampleGantt() {
	gantt := figures.Gantt{
		Title:  "One invocation of wordcount",
		XLabel: "time since the request (s)",
		Rows: []figures.GanttRow{
			{Name: "start", Node: "worker-0", Critical: true, Spans: []figures.GanttSpan{
				{Phase: "cold start", From: 0, To: 0.1}, {Phase: "compute", From: 0.1, To: 0.15}, {Phase: "put", From: 0.15, To: 0.2}}},
			{Name: "count[0]", Node: "worker-0", Spans: []figures.GanttSpan{
				{Phase: "fetch", From: 0.21, To: 0.24}, {Phase: "compute", From: 0.24, To: 0.3}}},
			{Name: "count[1]", Node: "worker-1", Critical: true, Spans: []figures.GanttSpan{
				{Phase: "queue", From: 0.21, To: 0.25}, {Phase: "fetch", From: 0.25, To: 0.28}, {Phase: "compute", From: 0.28, To: 0.34}}},
		},
	}
	save(gantt.Draw(), "gantt")
	// Output:
	// gantt.svg
	// gantt.png
	// gantt.pdf
}

// Small multiples: one panel a bandwidth, the same axes, one legend.
func ExamplePanels() {
	panels := figures.Panels{Title: "Latency over the request rate", SameX: true, SameY: true}
	for _, bandwidth := range []string{"25 MB/s", "50 MB/s"} {
		panels.Panels = append(panels.Panels, figures.Panel{Title: bandwidth, Plot: figures.Lines{
			XLabel: "rate (requests/min)",
			YLabel: "largest latency (s)",
			Series: []figures.LineSeries{{Name: "faasflow", Points: []figures.Point{
				{X: 8, Estimate: figures.Estimate{Value: 4.2, Lo: 4, Hi: 4.5}},
				{X: 16, Estimate: figures.Estimate{Timeout: true}},
			}}},
		}})
	}
	save(panels.Draw(), "rate-bandwidth")
	// Output:
	// rate-bandwidth.svg
	// rate-bandwidth.png
	// rate-bandwidth.pdf
}
