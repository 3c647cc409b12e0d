package figures

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// A gallery is a figure of each kind as reports draw it, and one for each way
// in which data can be odd. Golden and layout tests go through all of them.

type exhibit struct {
	name   string
	figure Figure
}

var benchmarks = []string{"cycles", "epigenomics", "genome", "soykb", "video", "recognizer", "fileprocessing", "wordcount"}

// around gives values intervals of a few percent.
func around(values ...float64) []Estimate {
	out := make([]Estimate, len(values))
	for i, v := range values {
		out[i] = Estimate{Value: v, Lo: v * 0.94, Hi: v * 1.07}
		if v == 0 {
			out[i] = Estimate{Timeout: true}
		}
	}
	return out
}

// exactly makes estimates without intervals; 0 is a timeout.
func exactly(values ...float64) []Estimate {
	out := around(values...)
	for i := range out {
		out[i].Lo, out[i].Hi = 0, 0
	}
	return out
}

func over(x []float64, estimates []Estimate) []Point {
	out := make([]Point, len(x))
	for i := range x {
		out[i] = Point{x[i], estimates[i]}
	}
	return out
}

func tailLatency() Bars {
	return Bars{
		Title:    "Tail latency at 6 requests a minute, storage at 50 MB/s",
		Subtitle: "sim · profile faasflow-testbed · 5 trials, 95 % intervals",
		YLabel:   "largest latency of 12 requests (s)",
		Groups:   benchmarks,
		Series: []BarSeries{
			{Name: "mastersp", Values: around(0, 11.2, 0, 13.9, 6.5, 4.8, 11.4, 1.3)},
			{Name: "mastersp", Published: true, Values: exactly(0, 11.64, 0, 14.36, 6.28, 4.9, 11.0, 1.24)},
			{Name: "faasflow", Values: around(8.2, 9.6, 20.1, 14.2, 4.1, 4.7, 8.6, 0.49)},
			{Name: "faasflow", Published: true, Values: exactly(8.61, 9.78, 21.16, 13.97, 4.02, 4.86, 8.53, 0.477)},
		},
	}
}

func dataOverhead() Bars {
	return Bars{
		Title:    "Data overhead",
		Subtitle: "sim · profile faasflow-testbed · 5 trials, 95 % intervals",
		YLabel:   "mean time of all fetches and puts (s)",
		Groups:   benchmarks,
		Series: []BarSeries{
			{Name: "mastersp", Values: around(204, 2.22, 29.3, 10.1, 4.02, 0.199, 1.29, 1.47)},
			{Name: "faasflow", Values: around(10.3, 0.696, 22.2, 9.54, 1.03, 0.135, 0.497, 0.214)},
			{Name: "dataflower", Values: around(8.1, 0.55, 14.2, 4.4, 0.71, 0.11, 0.31, 0.18)},
		},
		ValueLabels: true,
	}
}

func latencySamples(seed uint64, n int, scale, shape float64) []float64 {
	r := rand.New(rand.NewPCG(seed, 0))
	out := make([]float64, n)
	for i := range out {
		out[i] = scale * (0.7 + 0.3*math.Exp(shape*r.NormFloat64()))
	}
	return out
}

func latencyCDF() CDF {
	return CDF{
		Title:    "wordcount at 60 requests a minute",
		Subtitle: "sim · profile ideal · 5 trials",
		XLabel:   "latency (s)",
		Series: []CDFSeries{
			{Name: "mastersp", Samples: latencySamples(1, 1400, 1.3, 0.5), TimedOut: 75},
			{Name: "faasflow", Samples: latencySamples(2, 1475, 0.5, 0.6)},
			{Name: "dataflower", Samples: latencySamples(3, 300, 0.42, 0.8)},
		},
	}
}

func latencyByRate(workflow string) Lines {
	x := []float64{8, 16, 24, 32, 40}
	return Lines{
		Title:    "Latency of " + workflow + " over the request rate, storage at 50 MB/s",
		Subtitle: "sim · profile faasflow-testbed · 5 trials, 95 % intervals",
		XLabel:   "rate (requests/min)",
		YLabel:   "largest latency (s)",
		Series: []LineSeries{
			{Name: "mastersp", Points: over(x, around(8.9, 9.8, 15.9, 0, 0))},
			{Name: "mastersp", Published: true, Points: over(x, exactly(8.51, 9.11, 17.19, 0, 0))},
			{Name: "faasflow", Points: over(x, around(4.3, 4.9, 6.1, 26, 0))},
			{Name: "faasflow", Published: true, Points: over(x, exactly(4.18, 4.62, 5.73, 0, 0))},
			{Name: "dataflower", Points: over(x, around(3.3, 3.4, 3.9, 6.6, 11.4))},
		},
	}
}

func partitionCost() Lines {
	functions := []float64{10, 25, 50, 100, 200}
	return Lines{
		Title:    "Cost of partitioning genome",
		Subtitle: "operations counted in the engine; the paper measured processor time",
		XLabel:   "functions in the workflow",
		YLabel:   "operations of the partitioner",
		Series: []LineSeries{
			{Name: "faasflow", Points: over(functions, exactly(3.1e3, 2.1e4, 9.2e4, 4.4e5, 2.2e6))},
			{Name: "faasflow", Published: true, Right: true,
				Points: over(functions, exactly(0.031614, 0.082219, 0.164486, 0.400223, 0.960534))},
		},
		RightLabel: "processor time (core·s)",
		XScale:     Log, YScale: Log, RightScale: Log,
	}
}

func latencyBreakdown() Breakdown {
	schemes := func(parts ...[]float64) []BreakdownBar {
		names := []string{"mastersp", "faasflow", "dataflower"}
		out := make([]BreakdownBar, len(parts))
		for i := range parts {
			out[i] = BreakdownBar{Name: names[i], Parts: parts[i], Timeout: parts[i] == nil}
		}
		return out
	}
	return Breakdown{
		Title:    "What the latency is made of",
		Subtitle: "critical path · sim · profile faasflow-testbed · mean of 5 trials",
		YLabel:   "mean latency (s)",
		Phases:   []string{"queue", "cold start", "fetch", "compute", "put", "scheduling"},
		Groups: []BreakdownGroup{
			{"genome", schemes([]float64{0.2, 0.05, 0.9, 3, 1.3, 0.95}, []float64{0.2, 0.05, 0.75, 3, 0.9, 0.17}, []float64{0.1, 0.05, 0.3, 3, 0.2, 0.1})},
			{"video", schemes([]float64{0.1, 0, 1.4, 2.95, 1.5, 0.18}, []float64{0.1, 0, 0.2, 2.95, 0.4, 0.05}, []float64{0.1, 0, 0.1, 2.95, 0.1, 0.04})},
			{"cycles", schemes(nil, []float64{0.2, 0.1, 0.6, 4, 2.4, 0.1}, []float64{0.2, 0.1, 0.5, 4, 0.9, 0.08})},
			{"wordcount", schemes([]float64{0.02, 0, 0.4, 0.19, 0.6, 0.11}, []float64{0.01, 0, 0.08, 0.19, 0.1, 0.04}, []float64{0.01, 0, 0.06, 0.19, 0.05, 0.03})},
		},
		TotalLabels: true,
	}
}

func faultOverTime() TimeSeries {
	r := rand.New(rand.NewPCG(4, 0))
	var at []float64
	series := map[string][]float64{}
	for i := range 301 {
		t := float64(i)
		at = append(at, t)
		dip := 1 - 0.7*math.Exp(-math.Pow((t-130)/25, 2))
		for _, s := range []struct {
			name  string
			level float64
		}{{"mastersp", 0.7}, {"faasflow", 1}} {
			series["throughput "+s.name] = append(series["throughput "+s.name], 60*s.level*dip*(1+0.06*r.NormFloat64()))
			series["latency "+s.name] = append(series["latency "+s.name], 0.6/s.level/s.level/dip*(1+0.08*r.NormFloat64()))
			series["containers "+s.name] = append(series["containers "+s.name], math.Round(24*s.level*math.Min(1, t/40)*dip))
		}
	}
	lines := func(what string, steps bool) []TimeLine {
		return []TimeLine{
			{Name: "mastersp", Times: at, Values: series[what+" mastersp"], Steps: steps},
			{Name: "faasflow", Times: at, Values: series[what+" faasflow"], Steps: steps},
		}
	}
	return TimeSeries{
		Title:    "A worker is lost and comes back",
		Subtitle: "sim · profile ideal · wordcount, 60 requests a minute",
		XLabel:   "time (s)",
		Panels: []TimePanel{
			{YLabel: "throughput (1/min)", Series: lines("throughput", false)},
			{YLabel: "latency (s)", Series: lines("latency", false)},
			{YLabel: "containers", Series: lines("containers", true)},
		},
		Marks: []TimeMark{{120, "worker-2 lost"}, {130, "detected"}, {180, "worker-2 back"}},
	}
}

// invocation makes up a fork of n functions between a start and a merge.
func invocation(n int) Gantt {
	g := Gantt{
		Title:    "One invocation of wordcount",
		Subtitle: fmt.Sprintf("faasflow · sim · profile ideal · %d function instances", n+2),
		XLabel:   "time since the request (s)",
	}
	row := func(name, node string, start float64, critical bool, lengths ...float64) float64 {
		r := GanttRow{Name: name, Node: node, Critical: critical}
		for i, phase := range []string{"queue", "cold start", "fetch", "compute", "put"} {
			if lengths[i] > 0 {
				r.Spans = append(r.Spans, GanttSpan{phase, start, start + lengths[i]})
			}
			start += lengths[i]
		}
		g.Rows = append(g.Rows, r)
		return start
	}
	r := rand.New(rand.NewPCG(5, 0))
	forked := row("start", "worker-0", 0.004, true, 0.005, 0.1, 0.02, 0.05, 0.06)
	last, slowest := 0.0, 0
	for i := range n {
		cold := 0.0
		if i%3 == 0 {
			cold = 0.1
		}
		end := row(fmt.Sprintf("count[%d]", i), fmt.Sprintf("worker-%d", i%3), forked+0.003, false,
			0.01*r.Float64()*float64(i%5), cold, 0.03+0.02*r.Float64(), 0.08+0.06*r.Float64(), 0.02)
		if end > last {
			last, slowest = end, i+1
		}
	}
	g.Rows[slowest].Critical = true
	row("merge", "worker-1", last+0.003, true, 0.004, 0.1, 0.05, 0.06, 0.01)
	return g
}

func rateBandwidth() Panels {
	ps := Panels{
		Title:    "Latency of video over the request rate, by storage bandwidth",
		Subtitle: "sim · profile faasflow-testbed · 5 trials, 95 % intervals",
		SameX:    true, SameY: true,
	}
	for i, bandwidth := range []string{"25 MB/s", "50 MB/s", "75 MB/s", "100 MB/s"} {
		l := latencyByRate("video")
		if i != 1 {
			l.Series = []LineSeries{l.Series[0], l.Series[2], l.Series[4]}
		}
		for s := range l.Series {
			points := l.Series[s].Points
			for j := range points {
				if i != 1 && !points[j].Timeout {
					f := []float64{1.6, 1, 0.9, 0.85}[i]
					points[j].Value, points[j].Lo, points[j].Hi = points[j].Value*f, points[j].Lo*f, points[j].Hi*f
				}
			}
		}
		ps.Panels = append(ps.Panels, Panel{bandwidth, l})
	}
	return ps
}

// gallery has one figure of each kind.
func gallery() []exhibit {
	return []exhibit{
		{"bars", tailLatency().Draw()},
		{"bars-log", dataOverhead().Draw()},
		{"cdf", latencyCDF().Draw()},
		{"latency-by-rate", latencyByRate("video").Draw()},
		{"partition-cost", partitionCost().Draw()},
		{"breakdown", latencyBreakdown().Draw()},
		{"time-series", faultOverTime().Draw()},
		{"gantt", invocation(8).Draw()},
		{"panels", rateBandwidth().Draw()},
	}
}

// oddities are figures of data that no one hopes for.
func oddities() []exhibit {
	nan, inf := math.NaN(), math.Inf(1)
	long := strings.Repeat("a-very_long/name ", 12)
	endless := strings.Repeat("endless", 40)
	var forty, names []string
	for i := range 40 {
		forty = append(forty, fmt.Sprintf("workflow_number_%02d", i))
	}
	for i := range 12 {
		names = append(names, fmt.Sprintf("system %d", i+1))
	}
	twelveBars := Bars{Title: "12 series", YLabel: "latency (s)", Groups: benchmarks[:4], ValueLabels: true}
	twelveLines := Lines{Title: "12 series", XLabel: "rate (1/min)", YLabel: "latency (s)"}
	twelveCDF := CDF{Title: "12 distributions", XLabel: "latency (s)"}
	for i, name := range names {
		v := 1 + float64(i)
		twelveBars.Series = append(twelveBars.Series, BarSeries{Name: name, Values: around(v, 12-v+1, 5, 0)})
		twelveLines.Series = append(twelveLines.Series, LineSeries{Name: name, Points: over([]float64{1, 2, 3, 4}, around(v, v*1.1, v*1.3, 0))})
		twelveCDF.Series = append(twelveCDF.Series, CDFSeries{Name: name, Samples: latencySamples(uint64(i), 200, v, 0.3)})
	}
	manyGroups := Bars{Title: "40 groups", YLabel: "latency (s)", Groups: forty, ValueLabels: true, Series: []BarSeries{{Name: "a"}, {Name: "b"}}}
	for i := range forty {
		manyGroups.Series[0].Values = append(manyGroups.Series[0].Values, Estimate{Value: float64(1 + i%7)})
		manyGroups.Series[1].Values = append(manyGroups.Series[1].Values, Estimate{Value: float64(1 + i%5), Timeout: i%9 == 0})
	}
	million := latencySamples(9, 1_000_000, 1, 0.8)
	long5 := []string{long, long, endless, "ok", "日本語 and ☃ 🎉 \x00\x1b <b>&\"'"}
	return []exhibit{
		{"bars-empty", Bars{Title: "Nothing"}.Draw()},
		{"bars-no-groups", Bars{YLabel: "latency (s)", Series: []BarSeries{{Name: "a", Values: around(1, 2)}}}.Draw()},
		{"bars-only-nan", Bars{Groups: benchmarks, Series: []BarSeries{{Name: "a", Values: []Estimate{{Value: nan}, {Value: inf}}}}}.Draw()},
		{"bars-one", Bars{Title: "One bar", YLabel: "latency (s)", Groups: []string{"x"}, Series: []BarSeries{{Name: "a", Values: around(3)}}}.Draw()},
		{"bars-zeros", Bars{Title: "All zeros", YLabel: "cold starts", Groups: benchmarks, Series: []BarSeries{{Name: "a", Values: make([]Estimate, 8)}, {Name: "b", Values: make([]Estimate, 8)}}}.Draw()},
		{"bars-negative", Bars{Title: "Negative numbers", YLabel: "difference (s)", Groups: benchmarks[:4], ValueLabels: true,
			Series: []BarSeries{{Name: "a", Values: []Estimate{{Value: -3, Lo: -4, Hi: -2}, {Value: 2}, {Value: nan}, {Timeout: true}}}, {Name: "b", Values: around(-1, -2, 1, -12)}}}.Draw()},
		{"bars-all-negative", Bars{Title: "Only negative numbers", YLabel: "difference (s)", Groups: benchmarks[:2], Series: []BarSeries{{Name: "a", Values: []Estimate{{Value: -3}, {Value: -5}}}}}.Draw()},
		{"bars-wide-range", Bars{Title: "From 1e-9 to 1e9", YLabel: "latency (s)", Groups: benchmarks[:5], ValueLabels: true, Series: []BarSeries{{Name: "a", Values: exactly(1e-9, 1e-3, 1, 1e5, 1e9)}}}.Draw()},
		{"bars-huge", Bars{Title: "Huge numbers", YLabel: "bytes", YScale: Linear, Groups: benchmarks[:3], ValueLabels: true, Series: []BarSeries{{Name: "a", Values: exactly(1e99, 4e98, 9.9e98)}}}.Draw()},
		{"bars-tiny", Bars{Title: "Tiny numbers", YLabel: "seconds", Groups: benchmarks[:3], Series: []BarSeries{{Name: "a", Values: exactly(1e-99, 5e-324, 9.9e-99)}}}.Draw()},
		{"bars-all-timeouts", Bars{Title: "Only timeouts", YLabel: "latency (s)", Groups: benchmarks, Series: []BarSeries{{Name: "a", Values: exactly(0, 0, 0, 0, 0, 0, 0, 0)}}}.Draw()},
		{"bars-many-groups", manyGroups.Draw()},
		{"bars-12-series", twelveBars.Draw()},
		{"bars-long-names", Bars{Title: long + long, Subtitle: long + endless, YLabel: long, XLabel: long, Groups: long5,
			Series: []BarSeries{{Name: long, Values: around(1, 2, 3, 4, 5)}, {Name: endless, Values: around(1, 2, 3, 4, 5)}}}.Draw()},
		{"cdf-empty", CDF{Title: "Nothing", Series: []CDFSeries{{Name: "a", Samples: []float64{nan, inf}}}}.Draw()},
		{"cdf-one-sample", CDF{Title: "One sample", XLabel: "latency (s)", Series: []CDFSeries{{Name: "a", Samples: []float64{3}}, {Name: "b"}}}.Draw()},
		{"cdf-equal-samples", CDF{Title: "Equal samples", XLabel: "latency (s)", Series: []CDFSeries{{Name: "a", Samples: []float64{0, 0, 0, nan}}}}.Draw()},
		{"cdf-million", CDF{Title: "A million samples", XLabel: "latency (s)", Series: []CDFSeries{{Name: "a", Samples: million}}}.Draw()},
		{"cdf-12-series", twelveCDF.Draw()},
		{"lines-empty", Lines{Title: "Nothing", Series: []LineSeries{{Name: "a", Points: []Point{{X: nan}, {3, Estimate{Value: nan}}}}}}.Draw()},
		{"lines-one-point", Lines{Title: "One point", XLabel: "rate (1/min)", YLabel: "latency (s)", Series: []LineSeries{{Name: "a", Points: over([]float64{60}, around(2))}}}.Draw()},
		{"lines-only-timeouts", Lines{Title: "Only timeouts", XLabel: "rate (1/min)", YLabel: "latency (s)", Series: []LineSeries{{Name: "a", Points: over([]float64{1, 2}, around(0, 0))}}}.Draw()},
		{"lines-gaps", Lines{Title: "Missing values", XLabel: "rate (1/min)", YLabel: "latency (s)", Series: []LineSeries{{Name: "a", Points: over([]float64{1, 2, 3, 4, 5}, []Estimate{{Value: 1}, {Value: 2}, {Value: nan}, {Value: 2}, {Value: inf}})}}}.Draw()},
		{"lines-wide-range", Lines{Title: "From 1e-9 to 1e9", XLabel: "x", YLabel: "y", Series: []LineSeries{{Name: "a", Points: over([]float64{1e-9, 1, 1e9}, exactly(1e9, 1, 1e-9))}}}.Draw()},
		{"lines-far-from-zero", Lines{Title: "Close together, far from zero", XLabel: "x", YLabel: "y", Series: []LineSeries{{Name: "a", Points: over([]float64{1e9, 1e9 + 1, 1e9 + 2}, exactly(1e9, 1e9+40, 1e9+90))}}}.Draw()},
		{"lines-12-series", twelveLines.Draw()},
		{"lines-long-names", Lines{Title: endless, XLabel: long, YLabel: long, RightLabel: long, Series: []LineSeries{
			{Name: long, Points: over([]float64{1, 2}, around(1, 2))}, {Name: endless, Right: true, Scattered: true, Points: over([]float64{1, 2}, around(10, 0))}}}.Draw()},
		{"breakdown-empty", Breakdown{Title: "Nothing", Phases: []string{"compute"}}.Draw()},
		{"breakdown-odd", Breakdown{Title: "Odd parts", YLabel: "latency (s)", Phases: []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}, TotalLabels: true, Groups: []BreakdownGroup{
			{"nothing", nil},
			{"one", []BreakdownBar{{Parts: []float64{nan, -1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}}}},
			{"timeout", []BreakdownBar{{Timeout: true, Parts: []float64{1e99}}}},
			{"zero", []BreakdownBar{{}}},
		}}.Draw()},
		{"breakdown-long-names", Breakdown{Title: long, YLabel: long, Phases: long5, Groups: []BreakdownGroup{
			{long, []BreakdownBar{{Name: long, Parts: []float64{1, 2, 3, 4, 5}}, {Name: endless, Parts: []float64{1, 2, 3, 4, 5}}}},
			{endless, []BreakdownBar{{Name: "x", Parts: []float64{1, 2, 3, 4, 5}}}}}}.Draw()},
		{"time-series-empty", TimeSeries{Title: "Nothing", Panels: []TimePanel{{YLabel: "x"}}, Marks: []TimeMark{{1, "a"}}}.Draw()},
		{"time-series-million", TimeSeries{Title: "A million points", XLabel: "time (s)", Panels: []TimePanel{
			{YLabel: "latency (s)", Series: []TimeLine{{Name: "a", Times: seconds(1_000_000), Values: million}}}, {YLabel: "nothing"}}}.Draw()},
		{"time-series-marks", TimeSeries{Title: "Many marks", XLabel: "time (s)", Panels: []TimePanel{{YLabel: long, Series: []TimeLine{{Name: long, Times: []float64{0, 10}, Values: []float64{1, 1}}}}},
			Marks: []TimeMark{{1, "first"}, {1.1, "second"}, {1.2, long}, {9.9, "last"}, {10, endless}, {nan, "never"}}}.Draw()},
		{"gantt-empty", Gantt{Title: "Nothing", Rows: []GanttRow{{Name: "a", Spans: []GanttSpan{{"compute", nan, 1}, {"compute", 2, 1}}}}}.Draw()},
		{"gantt-300-rows", invocation(298).Draw()},
		{"gantt-60-rows", invocation(58).Draw()},
		{"gantt-long-names", Gantt{Title: long, XLabel: long, Rows: []GanttRow{
			{Name: long, Node: long, Critical: true, Spans: []GanttSpan{{long, 1e9, 1e9}, {endless, 1e9 - 5, 1e9 + 3}}}, {Name: endless}, {}}}.Draw()},
		{"panels-empty", Panels{Title: "Nothing"}.Draw()},
		{"panels-mixed", Panels{Title: "Panels of all kinds", Subtitle: long, Columns: 2, Panels: []Panel{
			{"tail latency", tailLatency()}, {long, latencyCDF()}, {"breakdown", latencyBreakdown()}, {"none", nil}, {"empty", Lines{}}}}.Draw()},
	}
}

// seconds returns n times a millisecond apart.
func seconds(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(i) / 1000
	}
	return out
}
