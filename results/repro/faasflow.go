package repro

import (
	"fmt"
	"math"
	"slices"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/figures"
	"github.com/flowtwin/flowtwin/results/reference"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Figure is a figure of a paper.
type Figure struct {
	// Name is also that of its rows.
	Name  string
	Title string
	// About says what was measured, and how the numbers are to be read.
	About string
	// Quick are settings that cut the load down; none where the full load takes
	// no time.
	Quick []string
	// NotRun says of published metrics why there is none of ours.
	NotRun map[string]string
	// Scenarios are what it is drawn from: that of its own name if there are
	// none here.
	Scenarios []string
	// measure turns the results of its scenarios into rows, draw draws them in
	// the paper's form.
	measure func([]*experiment) ([]Row, error)
	draw    func(Result, string) figures.Figure
}

// ScenarioNames returns what the figure is drawn from, without the paper.
func (f *Figure) ScenarioNames() []string {
	if len(f.Scenarios) == 0 {
		return []string{f.Name}
	}
	return f.Scenarios
}

// Draw draws a figure, ours beside the published numbers.
func (r Result) Draw(subtitle string) figures.Figure { return r.Figure.draw(r, subtitle) }

func papers() map[string][]Figure {
	return map[string][]Figure{"faasflow": faasflow(), "dataflower": dataflower()}
}

// leads says of each paper how its figures are to be read.
func leads() map[string]string {
	return map[string]string{
		"faasflow": "The experiments of the FaaSFlow paper (ASPLOS'22) and its artefact, simulated, with ours beside the published values. " +
			"Nothing has been fitted: differences are shown as they are.",
		"dataflower": "The experiments of the DataFlower paper (ASPLOS'24) and its artefact, simulated, with ours beside the published values. " +
			"The workflows' compute times come from the recorded open loop; what the closed loop and the colocation show is predicted.",
	}
}

// quickLoop cuts closed loops down to a few requests.
func quickLoop() []string { return []string{"load.limit=8"} }

// faasflow returns the figures of the FaaSFlow paper (ASPLOS'22), with the
// names of its artefact's experiments.
func faasflow() []Figure {
	return []Figure{
		{
			Name: "scheduling-overhead", Title: "Scheduling overhead",
			About:   "Mean of the end-to-end latency minus the measured time of the functions on the critical path; one closed-loop client, each workflow alone.",
			Quick:   quickLoop(),
			measure: metricOf("scheduling_overhead", "mean"), draw: drawBars("mean scheduling overhead (s)", figures.Auto),
		},
		{
			Name: "data-overhead", Title: "Data-transfer overhead",
			About:   "Mean over requests of the sum of all fetch and put times of all functions, parallel ones added up; one closed-loop client, each workflow alone.",
			Quick:   quickLoop(),
			measure: metricOf("data_overhead", "mean"), draw: drawBars("mean data overhead (s)", figures.Log),
		},
		{
			Name: "latency", Title: "End-to-end latency, each workflow alone",
			About:   "Mean latency of a closed loop with one client for 120 s, without the first two requests.",
			Quick:   quickLoop(),
			measure: metricOf("latency", "mean"), draw: drawBars("mean latency (s)", figures.Auto),
		},
		{
			Name: "colocation", Title: "End-to-end latency, all workflows at once",
			About:   "Mean latency when all eight closed loops run together, client i starting at 5·i s. The paper's numbers are not among those published with the artefact's results.",
			Quick:   []string{"load.duration=40s"},
			measure: metricOf("latency", "mean"), draw: drawBars("mean latency (s)", figures.Auto),
		},
		{
			Name: "tail-latency", Title: "Tail latency at 6 requests a minute, storage node capped to 50 MB/s",
			About:   "The artefact calls it p99; with 12 requests it is their maximum. A request of more than 60 s is a timeout.",
			Quick:   []string{"load.limit=8"},
			measure: atRate("latency", "max", "50MB/s"), draw: drawBars("maximum latency (s)", figures.Auto),
		},
		{
			Name: "rate-bandwidth", Title: "Tail latency by rate and bandwidth",
			About:   "Maximum latency of 2·rate requests, open loop, at four caps of the storage node's bandwidth. Only the results at 50 MB/s are published. After a first timeout the artefact's script reports timeouts without running; here every rate is run.",
			measure: byRateAndBandwidth, draw: drawRates,
		},
		{
			Name: "partition-cost", Title: "Cost of FaaSFlow's partition",
			About: "Operations that the partition of a genome workflow performs (ours, counted), beside the CPU time that the artefact's needs (published), each relative to that for 10 functions.",
			NotRun: map[string]string{
				"core_seconds": "processor time depends on the machine: make bench measures that of ours",
				"memory_mb":    "the memory of the artefact's Python process has no counterpart here",
			},
			measure: partitionCost, draw: drawPartition,
		},
	}
}

// metricOf makes a row for each series.
func metricOf(metric, statistic string) func([]*experiment) ([]Row, error) {
	return func(e []*experiment) ([]Row, error) {
		var rows []Row
		for _, s := range e[0].run.Series {
			rows = append(rows, measured(s, metric, statistic))
		}
		return rows, nil
	}
}

// rpm is the rate of the open loop on a workflow, per minute.
func rpm(plan *scenarios.Plan, s *analysis.Series) float64 {
	t := plan.Trial(s.Point, 0)
	at := slices.IndexFunc(t.Workflows, func(w *workflow.Workflow) bool { return w.Name == s.Workflow })
	steps := t.Loads[at].Process.Steps
	return math.Round(steps[len(steps)-1].Rate*60*1e6) / 1e6
}

func atRate(metric, statistic, series string) func([]*experiment) ([]Row, error) {
	return func(e []*experiment) ([]Row, error) {
		var rows []Row
		for _, s := range e[0].run.Series {
			r := measured(s, metric, statistic)
			r.Series, r.X = series, rpm(e[0].plan, s)
			rows = append(rows, r)
		}
		return rows, nil
	}
}

// byRateAndBandwidth takes the cap from the axis called bandwidth.
func byRateAndBandwidth(e []*experiment) ([]Row, error) {
	plan, run := e[0].plan, e[0].run
	axis := slices.Index(run.Axes, "bandwidth")
	if axis < 0 {
		return nil, fmt.Errorf("the scenario has no axis bandwidth")
	}
	var rows []Row
	for _, s := range run.Series {
		r := measured(s, "latency", "max")
		r.Series, r.X = s.Values[axis], rpm(plan, s)
		rows = append(rows, r)
	}
	return rows, nil
}

// partitionCost counts what the partition of each point's workflow does, and
// how that grows beside the published CPU time.
func partitionCost(e []*experiment) ([]Row, error) {
	plan := e[0].plan
	published, err := reference.Published("faasflow")
	if err != nil {
		return nil, err
	}
	seconds := map[float64]float64{}
	for _, p := range published {
		if p.Figure == "partition-cost" && p.Metric == "core_seconds" {
			seconds[p.X] = p.Value
		}
	}
	var rows []Row
	var first, smallest float64
	for i := range plan.Points {
		t := plan.Trial(i, 0)
		placed, err := t.Scheduler.Placement.Place(t.Workflows, t.Cluster.Engine().Capacity)
		if err != nil {
			return nil, err
		}
		x, operations := float64(len(t.Workflows[0].Functions)), float64(placed.Cost.Total())
		if i == 0 {
			first, smallest = operations, x
		}
		count := Row{Published: math.NaN(), Ours: operations, Lo: math.NaN(), Hi: math.NaN()}
		count.System, count.Workflow, count.X, count.Metric = t.Scheduler.Name, "genome", x, "operations"
		growth := count
		growth.Metric, growth.Ours = "growth", operations/first
		if s, ok := seconds[x]; ok && seconds[smallest] > 0 {
			growth.Published = s / seconds[smallest]
		}
		rows = append(rows, count, growth)
	}
	return rows, nil
}
