package repro

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/reference"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/results/stats"
	"github.com/flowtwin/flowtwin/scenarios/profile"
)

// recorded is the system whose results the artefact of DataFlower holds.
const recorded = "dataflower"

// dataflower returns the figures of the DataFlower paper (ASPLOS'24), with the
// names of its artefact's experiments, and what else its recorded results show.
func dataflower() []Figure {
	const alone = "Published are results of DataFlower alone, recorded with the artefact; the baselines' are not published. "
	openLoop, closedLoop := []string{"response-latency"}, []string{"one-client"}
	both := []string{"response-latency", "one-client"}
	return []Figure{
		{
			Name: "response-latency", Title: "Response latency of each workflow alone, open loop",
			About: alone + "Ours are eight windows as long as the published one, so that there are enough requests for a p99; minimum and maximum are over all of them. " +
				"The last panel compares in pairs: the p99 of the other systems over that of DataFlower, over the same requests. " +
				"Latency counts from the client here, from the gateway in the recording, which saves some 10 to 15 ms.",
			measure: responseLatency, draw: drawResponseLatency,
		},
		{
			Name: "throughput", Title: "Throughput by clients, closed loop",
			About: alone + "With one client, from eight windows; with more, from one. The ring is the knee: the number of clients with the highest ratio of throughput to latency " +
				"(Kleinrock's power), beyond which clients add more to the latency than to the throughput. The peak is the highest throughput of all.",
			Scenarios: []string{"one-client", "throughput"},
			measure:   throughput, draw: drawThroughput,
		},
		{
			Name: "colocation", Title: "Response latency of all four workflows at once",
			About: alone + "Of the artefact's four levels, from 10 to 60 requests a minute of each workflow (half as many of video), the lowest is recorded.",
			Quick: []string{"trials=1"}, measure: colocation, draw: drawColocation,
		},
		{
			Name: "burst", Title: "Word count when the rate rises from 10 to 100 requests a minute",
			About: "Latency of requests by when they were sent, in the last minute before the rate rises and in the minute after; one of eight trials is drawn. No results are published.",
			Quick: []string{"trials=1"}, measure: burst, draw: drawBurst,
		},
		{
			Name: "scalability", Title: "Word count by fan-out and by size of data",
			About:     "One client: a text of 4.1 MB in 2 to 16 parts, and four texts of 1.04 MB in all, repeated 1 to 16 times. No results are published.",
			Scenarios: []string{"scalability-fanout", "scalability-datasize"},
			measure:   scalability, draw: drawSeriesBy(map[string]string{"fanout": "parts", "datasize": "times the data"}),
		},
		{
			Name: "sensitivity", Title: "Word count by the cores of its containers",
			About:   "One client, containers of 0.1 to 0.5 cores, whose bandwidth grows with them. No results are published.",
			measure: byAxis("cores", "cores"), draw: drawSeriesBy(map[string]string{"cores": "cores of a container"}),
		},
		{
			Name: "chunk-size", Title: "Video by the size of chunks",
			About:   "One client, DataFlower: the mean time from upload's end to split's start, which is what the artefact's test looks at, and the mean latency. No results are published.",
			measure: chunkSize, draw: drawChunkSize,
		},
		{
			Name: "pressure", Title: "SVD by clients, with and without pressure-aware scaling",
			About:   "DataFlower in a closed loop; without, containers that still send are not held back. No results are published.",
			measure: pressure, draw: drawPressure,
		},
		{
			Name: "workers", Title: "Throughput by workers",
			About: "All four workflows at once, 16 clients for each. No experiment of the artefact, whose tables of placement end at three workers: beyond them DataFlower spreads functions, each on one worker. " +
				"So no more workers than functions are of use to it.",
			measure: workers, draw: drawWorkers,
		},
		{
			Name: "functions", Title: "Start and duration of each function",
			About: "From the workers' records of each function instance: its start since the client sent the request, and its time in the container. Durations of the open loop are where the workflows' compute times come from; " +
				"starts and all of the closed loop are predictions.",
			Scenarios: both, measure: functionTimes, draw: drawFunctions,
		},
		{
			Name: "stage-gaps", Title: "Time between stages, open loop",
			About: "Medians of the time between two moments of a request: what the scheme adds to the functions' own time. " +
				"Video's and word count's gaps before merge are noise of a few functions' ends.",
			Scenarios: openLoop, measure: stageGaps, draw: drawGaps,
		},
		{
			Name: "stage-gaps-sync", Title: "Time between stages, closed loop",
			About:     "As stage-gaps, with one client.",
			Scenarios: closedLoop, measure: stageGaps, draw: drawGaps,
		},
		{
			Name: "foreach-spacing", Title: "Start of the instances of a foreach",
			About:     "Median time from the end of the function with the list to the start of each instance, in the order of items. The producer's data unit sends one item after the other.",
			Scenarios: both, measure: foreachSpacing, draw: drawSpacing,
		},
		{
			Name: "peak-instances", Title: "Instances of a function at a time",
			About:     "The most instances of a function that ran at a time in any one request.",
			Scenarios: both, measure: peakInstances, draw: drawFunctionBars("instances"),
		},
		{
			Name: "hold-back", Title: "How long containers are held back",
			About: "DataFlower takes a container out of use after a task until its data unit has sent what the task posted, by an estimate: bytes / (0.8 × 50 MiB/s × cores) less the duration. " +
				"The published values are worked out by that rule from sizes and mean durations; ours are the means of what the containers were held for.",
			Scenarios: openLoop, measure: holdBack, draw: drawFunctionBars("mean time held back (s)"),
		},
		{
			Name: "resources", Title: "Resources of a request",
			About: "Time in containers × cores, and × 1.25 GB per core; containers that are busy, over the window. The closed loop's published values assume the cores of the templates.",
			NotRun: map[string]string{
				"bulk_bytes_mean": "the published value is worked out from the sizes that the workflows are made of",
			},
			Scenarios: both, measure: resources, draw: drawResources,
		},
	}
}

// recordedWorkflow is the workflow of a request of the recorded system.
func recordedWorkflow(k *record.Key) string {
	if k.Scheduler != recorded {
		return ""
	}
	return shortWorkflow(k.Workflow)
}

// loop is what the published series of a scenario is called.
func loop(e *experiment) string {
	if e.plan.Scenario.Name == "one-client" {
		return "sync"
	}
	return "async"
}

// row starts a row of ours.
func row(system, workflow, series, metric, unit string, ours float64) Row {
	return Row{
		Key: reference.Key{Series: series, System: system, Workflow: workflow, Metric: metric}, Unit: unit,
		Ours: ours, Published: math.NaN(), Lo: math.NaN(), Hi: math.NaN(),
	}
}

// latencies makes a row for each statistic of the latency.
func latencies(s *analysis.Series, series string, x float64, statistics ...string) []Row {
	var rows []Row
	for _, name := range statistics {
		r := measured(s, "latency", "mean")
		r.Series, r.X, r.Metric = series, x, "latency_"+name
		if name != "mean" {
			r.Lo, r.Hi = math.NaN(), math.NaN()
			if !r.OursTimeout {
				r.Ours = statistic(name, s.Latencies)
			}
		}
		rows = append(rows, r)
	}
	return rows
}

func everyStatistic() []string {
	return []string{"mean", "sd", "min", "p50", "p90", "p95", "p99", "max"}
}

func responseLatency(all []*experiment) ([]Row, error) {
	e := all[0]
	var rows []Row
	for _, s := range e.run.Series {
		rows = append(rows, latencies(s, "async", rpm(e.plan, s), everyStatistic()...)...)
	}
	paired, err := pairedP99(e)
	return append(rows, paired...), err
}

// pairedP99 sets the p99 of the other systems against that of DataFlower, over
// the requests that both answered.
func pairedP99(e *experiment) ([]Row, error) {
	m, err := rundir.ReadManifest(e.dir)
	if err != nil {
		return nil, err
	}
	// samples of each point, by trial and number of the invocation.
	samples := make([][][]float64, len(m.Points))
	err = rundir.EachInvocation(e.dir, m, func(k *record.Key, i *record.Invocation) {
		if samples[k.Point] == nil {
			samples[k.Point] = make([][]float64, m.Trials)
		}
		t := &samples[k.Point][k.Trial]
		for int64(len(*t)) <= i.Number {
			*t = append(*t, math.NaN())
		}
		if i.Measured && i.Outcome == engine.Completed {
			(*t)[i.Number] = float64(i.Latency()) / 1e9
		}
	})
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, base := range e.run.Series {
		if base.Scheduler != recorded {
			continue
		}
		for _, s := range e.run.Series {
			if s.Scheduler == recorded || s.Workflow != base.Workflow || !slices.Equal(s.Values, base.Values) {
				continue
			}
			c := stats.ComparePercentile(samples[s.Point], samples[base.Point], 99, m.Seed)
			r := row(s.Scheduler, shortWorkflow(s.Workflow), "async", "latency_p99_over_dataflower", "1", c.Ratio)
			r.X, r.Lo, r.Hi = rpm(e.plan, s), c.Interval.Lo, c.Interval.Hi
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// throughput takes one client from the first scenario, more from the second.
func throughput(all []*experiment) ([]Row, error) {
	var rows []Row
	one, sweep := all[0], all[1]
	for _, s := range one.run.Series {
		rows = append(rows, throughputOf(s, 1))
		rows = append(rows, latencies(s, "sync", 1, everyStatistic()...)...)
	}
	for _, s := range sweep.run.Series {
		clients := clients(sweep, s)
		if clients == 1 {
			continue
		}
		rows = append(rows, throughputOf(s, clients))
		rows = append(rows, latencies(s, "sync", clients, "mean", "p99")...)
	}
	type sweepOf struct{ system, workflow string }
	best, peak := map[sweepOf]Row{}, map[sweepOf]Row{}
	power := map[sweepOf]float64{}
	for _, s := range sweep.run.Series {
		r := throughputOf(s, clients(sweep, s))
		of := sweepOf{r.System, r.Workflow}
		if p := r.Ours / s.Mean("latency"); p > power[of] {
			power[of], best[of] = p, r
		}
		if r.Ours > peak[of].Ours {
			peak[of] = r
		}
	}
	for _, s := range one.run.Series { // their order
		of := sweepOf{s.Scheduler, shortWorkflow(s.Workflow)}
		knee, top := best[of], peak[of]
		rows = append(rows,
			row(of.system, of.workflow, "sync", "knee_clients", "1", knee.X), row(of.system, of.workflow, "sync", "knee_throughput", "1/min", knee.Ours),
			row(of.system, of.workflow, "sync", "peak_clients", "1", top.X), row(of.system, of.workflow, "sync", "peak_throughput", "1/min", top.Ours))
	}
	return rows, nil
}

func throughputOf(s *analysis.Series, clients float64) Row {
	summary, _ := s.Of("throughput")
	r := row(s.Scheduler, shortWorkflow(s.Workflow), "sync", "throughput", "1/min", summary.Mean)
	r.X, r.Lo, r.Hi = clients, summary.Interval.Lo, summary.Interval.Hi
	return r
}

// clients of a closed loop.
func clients(e *experiment, s *analysis.Series) float64 {
	return float64(e.plan.Trial(s.Point, 0).Loads[0].Clients)
}

func colocation(all []*experiment) ([]Row, error) {
	e := all[0]
	level, err := axisOf(e, "level")
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, s := range e.run.Series {
		rows = append(rows, latencies(s, s.Values[level], rpm(e.plan, s), everyStatistic()...)...)
	}
	return rows, nil
}

// axisOf returns the index of an axis of a scenario.
func axisOf(e *experiment, name string) (int, error) {
	at := slices.Index(e.run.Axes, name)
	if at < 0 {
		return 0, fmt.Errorf("scenario %s has no axis %s", e.plan.Scenario.Name, name)
	}
	return at, nil
}

// burst makes rows of the time before and after the step, and one of each
// request around it in the first trial, where x is when it was sent.
func burst(all []*experiment) ([]Row, error) {
	e := all[0]
	m, err := rundir.ReadManifest(e.dir)
	if err != nil {
		return nil, err
	}
	steps := e.plan.Trial(0, 0).Loads[0].Process.Steps
	if len(steps) < 2 {
		return nil, fmt.Errorf("scenario %s has no burst", e.plan.Scenario.Name)
	}
	step := steps[0].For
	before := map[string][]float64{}
	after := map[string][]float64{}
	var requests []Row
	var systems []string
	err = rundir.EachInvocation(e.dir, m, func(k *record.Key, i *record.Invocation) {
		if !slices.Contains(systems, k.Scheduler) {
			systems = append(systems, k.Scheduler)
		}
		if !i.Measured || i.Outcome != engine.Completed {
			return
		}
		latency := float64(i.Latency()) / 1e9
		side := before
		if i.Intended >= step {
			side = after
		}
		side[k.Scheduler] = append(side[k.Scheduler], latency)
		if k.Trial == 0 {
			r := row(k.Scheduler, shortWorkflow(k.Workflow), "request", "latency", "s", latency)
			r.X = float64(i.Intended) / 1e9
			requests = append(requests, r)
		}
	})
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, system := range systems {
		for _, name := range everyStatistic() {
			b := row(system, "wordcount", "before", "latency_"+name, "s", statistic(name, before[system]))
			b.X = perMinute(steps[0].Rate)
			a := row(system, "wordcount", "after", "latency_"+name, "s", statistic(name, after[system]))
			a.X = perMinute(steps[1].Rate)
			rows = append(rows, b, a)
		}
	}
	return append(rows, requests...), nil
}

// scalability takes its x axis from the axis that each scenario is named after.
func scalability(all []*experiment) ([]Row, error) {
	var rows []Row
	for _, e := range all {
		_, axis, _ := strings.Cut(e.plan.Scenario.Name, "-")
		some, err := byAxis(axis, axis)([]*experiment{e})
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

// byAxis makes rows of the mean and the p99 of the latency along an axis of
// numbers. Variants of a workflow go by its name.
func byAxis(axis, series string) func([]*experiment) ([]Row, error) {
	return func(all []*experiment) ([]Row, error) {
		at, err := axisOf(all[0], axis)
		if err != nil {
			return nil, err
		}
		var rows []Row
		for _, s := range all[0].run.Series {
			x, err := strconv.ParseFloat(s.Values[at], 64)
			if err != nil {
				return nil, fmt.Errorf("axis %s: %w", axis, err)
			}
			for _, r := range latencies(s, series, x, "mean", "p99") {
				r.Workflow, _, _ = strings.Cut(r.Workflow, "-")
				rows = append(rows, r)
			}
		}
		return rows, nil
	}
}

func chunkSize(all []*experiment) ([]Row, error) {
	e := all[0]
	var rows []Row
	for _, s := range e.run.Series {
		chunk := float64(e.plan.Trial(s.Point, 0).Profile.Broker.Chunk) / 1024
		rows = append(rows, latencies(s, "", chunk, "mean")...)
	}
	byPoint, err := requestsBy(e, func(k *record.Key) int { return k.Point })
	if err != nil {
		return nil, err
	}
	for i := range rows {
		gap, err := gaps(byPoint[e.run.Series[i].Point], "upload end to split start")
		if err != nil {
			return nil, err
		}
		r := rows[i]
		r.Metric, r.Ours, r.Lo, r.Hi = "gap_mean", statistic("mean", gap), math.NaN(), math.NaN()
		rows = append(rows, r)
	}
	return rows, nil
}

func pressure(all []*experiment) ([]Row, error) {
	e := all[0]
	at, err := axisOf(e, "overrides.pressure.enabled")
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, s := range e.run.Series {
		series := "aware"
		if s.Values[at] == "false" {
			series = "unaware"
		}
		r := throughputOf(s, clients(e, s))
		r.Series = series
		rows = append(rows, r)
		rows = append(rows, latencies(s, series, r.X, "mean", "p99")...)
	}
	return rows, nil
}

// workers makes a row of each workflow, and one of all.
func workers(all []*experiment) ([]Row, error) {
	e := all[0]
	var rows, sums []Row
	for _, s := range e.run.Series {
		r := throughputOf(s, float64(len(e.plan.Trial(s.Point, 0).Cluster.Workers)))
		r.Series, r.Lo, r.Hi = "", math.NaN(), math.NaN()
		rows = append(rows, r)
		at := slices.IndexFunc(sums, func(sum Row) bool { return sum.System == r.System && sum.X == r.X })
		if at < 0 {
			r.Workflow = "all"
			sums = append(sums, r)
		} else {
			sums[at].Ours += r.Ours
		}
	}
	return append(sums, rows...), nil
}

// functionTimes makes the rows of figure functions: for each function of a
// workflow, and of each foreach the longest instance of a request.
func functionTimes(all []*experiment) ([]Row, error) {
	return eachFunction(all, func(e *experiment, w *workflow.Workflow, f *workflow.Function, some []*request) []Row {
		var starts, ends, durations, longest []float64
		for _, r := range some {
			most := 0.0
			for _, t := range r.of(f.Name) {
				starts = append(starts, float64(t.Started-r.Sent)/1e9)
				ends = append(ends, float64(t.Ended-r.Sent)/1e9)
				durations = append(durations, float64(t.Ended-t.Started)/1e9)
				most = max(most, durations[len(durations)-1])
			}
			if most > 0 {
				longest = append(longest, most)
			}
		}
		rows := []Row{
			functionRow(e, w, f, "start_mean", "s", statistic("mean", starts)),
			functionRow(e, w, f, "end_mean", "s", statistic("mean", ends)),
		}
		for _, name := range everyStatistic() {
			rows = append(rows, functionRow(e, w, f, "duration_"+name, "s", statistic(name, durations)))
		}
		if f.Foreach != nil {
			rows = append(rows, functionRow(e, w, f, "longest_mean", "s", statistic("mean", longest)))
		}
		return rows
	})
}

func functionRow(e *experiment, w *workflow.Workflow, f *workflow.Function, metric, unit string, ours float64) Row {
	r := row(recorded, shortWorkflow(w.Name), loop(e), metric, unit, ours)
	r.Function = f.Name
	return r
}

// eachFunction makes rows of each function that ran for DataFlower's requests.
func eachFunction(all []*experiment, rowsOf func(*experiment, *workflow.Workflow, *workflow.Function, []*request) []Row) ([]Row, error) {
	var rows []Row
	for _, e := range all {
		byWorkflow, err := requestsBy(e, recordedWorkflow)
		if err != nil {
			return nil, err
		}
		for _, w := range workflowsOf(e) {
			for i := range w.Functions {
				f, some := &w.Functions[i], byWorkflow[shortWorkflow(w.Name)]
				if slices.ContainsFunc(some, func(r *request) bool { return len(r.of(f.Name)) > 0 }) {
					rows = append(rows, rowsOf(e, w, f, some)...)
				}
			}
		}
	}
	return rows, nil
}

// workflowsOf returns the workflows of a scenario's points, each once.
func workflowsOf(e *experiment) []*workflow.Workflow {
	var all []*workflow.Workflow
	for i := range e.plan.Points {
		for _, w := range e.plan.Trial(i, 0).Workflows {
			if !slices.ContainsFunc(all, func(o *workflow.Workflow) bool { return o.Name == w.Name }) {
				all = append(all, w)
			}
		}
	}
	return all
}

// stageGaps measures the gaps that are published.
func stageGaps(all []*experiment) ([]Row, error) {
	published, err := reference.Published("dataflower")
	if err != nil {
		return nil, err
	}
	e := all[0]
	byWorkflow, err := requestsBy(e, recordedWorkflow)
	if err != nil {
		return nil, err
	}
	figure := "stage-gaps"
	if loop(e) == "sync" {
		figure = "stage-gaps-sync"
	}
	var rows []Row
	for _, p := range published {
		if p.Figure != figure {
			continue
		}
		gap, err := gaps(byWorkflow[p.Workflow], p.Series)
		if err != nil {
			return nil, err
		}
		gapP50 := statistic("p50", gap)
		if strings.HasPrefix(p.Series, "result ") {
			gapP50 += gatewayClock(e.plan.Trial(0, 0).Profile)
		}
		rows = append(rows, row(p.System, p.Workflow, p.Series, p.Metric, p.Unit, gapP50))
	}
	return rows, nil
}

// gatewayClock is how long, in seconds, the artefact's gateway has had a request
// when it begins to measure the latency: it makes a document first. What is
// published as the end of that latency is so much before the answer.
func gatewayClock(p *profile.Profile) float64 {
	if !p.Gateway.RequestDocument {
		return 0
	}
	return (p.Engine.Document + p.Store.Documents.Request).Seconds()
}

func foreachSpacing(all []*experiment) ([]Row, error) {
	return eachFunction(all, func(e *experiment, w *workflow.Workflow, f *workflow.Function, some []*request) []Row {
		if f.Foreach == nil {
			return nil
		}
		from := w.Functions[f.Foreach.Function].Name
		var starts [][]float64 // by item
		for _, r := range some {
			lists := r.of(from)
			for _, t := range r.of(f.Name) {
				at := item(&t)
				for len(starts) <= at {
					starts = append(starts, nil)
				}
				starts[at] = append(starts[at], float64(t.Started-lists[0].Ended)/1e9)
			}
		}
		var rows []Row
		for i, s := range starts {
			r := row(recorded, shortWorkflow(w.Name), loop(e), "start_p50", "s", statistic("p50", s))
			r.X = float64(i + 1)
			rows = append(rows, r)
		}
		if n := len(starts); n > 1 {
			spacing := (statistic("mean", starts[n-1]) - statistic("mean", starts[0])) / float64(n-1)
			rows = append(rows, row(recorded, shortWorkflow(w.Name), loop(e), "spacing_mean", "s", spacing))
		}
		return rows
	})
}

func peakInstances(all []*experiment) ([]Row, error) {
	return eachFunction(all, func(e *experiment, w *workflow.Workflow, f *workflow.Function, some []*request) []Row {
		most := 0
		for _, r := range some {
			most = max(most, r.atOnce(f.Name))
		}
		return []Row{functionRow(e, w, f, "instances_max", "1", float64(most))}
	})
}

// holdBack measures how long containers were held back after each task.
func holdBack(all []*experiment) ([]Row, error) {
	rules := all[0].plan.Trial(0, 0).Profile.Rules()
	return eachFunction(all, func(e *experiment, w *workflow.Workflow, f *workflow.Function, some []*request) []Row {
		var held []float64
		for _, r := range some {
			for _, t := range r.of(f.Name) {
				held = append(held, float64(rules.Pressure.Hold(t.Streamed, f.CPU, t.Ended-t.Started))/1e9)
			}
		}
		r := functionRow(e, w, f, "hold_back_mean", "s", statistic("mean", held))
		r.Series = ""
		return []Row{r}
	})
}

// resources are worked out as the published ones are: from the time in
// containers and the functions' cores.
func resources(all []*experiment) ([]Row, error) {
	var rows []Row
	for _, e := range all {
		byWorkflow, err := requestsBy(e, recordedWorkflow)
		if err != nil {
			return nil, err
		}
		for _, w := range workflowsOf(e) {
			name := shortWorkflow(w.Name)
			some := byWorkflow[name]
			busy, cores, gb := 0.0, 0.0, 0.0
			for _, r := range some {
				for _, t := range r.tasks {
					f := &w.Functions[slices.IndexFunc(w.Functions, func(f workflow.Function) bool { return f.Name == t.Function })]
					d := float64(t.Ended-t.Started) / 1e9
					busy += d
					cores += d * f.CPU
					gb += d * f.CPU * 1.25
				}
			}
			n := float64(len(some))
			window := 0.0
			for _, s := range e.run.Series {
				if s.Scheduler == recorded && s.Workflow == w.Name {
					window += windowOf(e, s) * float64(s.Trials)
				}
			}
			rows = append(rows,
				row(recorded, name, loop(e), "container_core_s_mean", "core·s", cores/n),
				row(recorded, name, loop(e), "container_gb_s_mean", "GB·s", gb/n),
				row(recorded, name, loop(e), "busy_containers_mean", "1", busy/window))
		}
	}
	return rows, nil
}

// windowOf is how long the measured window of a series lasts, in seconds.
func windowOf(e *experiment, s *analysis.Series) float64 {
	l := e.plan.Trial(s.Point, 0).Loads[0]
	return float64(l.Until-l.Warmup) / 1e9
}

// perMinute turns a rate per second into one per minute, rounded to what was
// asked for.
func perMinute(rate float64) float64 { return math.Round(rate*60*1e6) / 1e6 }
