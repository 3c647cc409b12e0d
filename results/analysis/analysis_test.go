package analysis_test

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/metrics"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/stats"
)

const second = engine.Time(1e9)

// took is a measured invocation that was sent at number seconds.
func took(number int64, latency float64) record.Invocation {
	sent := number * second
	return record.Invocation{Number: number, Measured: true, Intended: sent, Ended: sent + engine.Time(latency*1e9)}
}

// trial makes the samples of a trial.
func trial(records ...record.Invocation) *analysis.Samples {
	s := analysis.NewSamples(0, 60*second)
	for _, i := range records {
		s.Add(metrics.All(), &i)
	}
	s.Tally.Close()
	return s
}

// latencies makes a trial of invocations 0, 1, 2 and so on.
func latencies(values ...float64) *analysis.Samples {
	var records []record.Invocation
	for i, v := range values {
		records = append(records, took(int64(i), v))
	}
	return trial(records...)
}

func key(point int, scheduler string, values ...string) analysis.Key {
	return analysis.Key{Point: point, Scheduler: scheduler, Workflow: "w", Values: values}
}

// of returns a summary of the only series.
func of(t *testing.T, run *analysis.Run, metric string) analysis.Summary {
	t.Helper()
	s, ok := run.Series[0].Of(metric)
	if !ok {
		t.Fatalf("there is no %s", metric)
	}
	return s
}

func TestSummaryIsOverAllTrials(t *testing.T) {
	a := analysis.New("sim", nil, 1)
	a.Trial(key(0, "faasflow"), latencies(1, 2, 3))
	a.Trial(key(0, "faasflow"), latencies(4, 5))
	run := a.Finish()
	s := run.Series[0]
	if len(run.Series) != 1 || s.Trials != 2 || s.Measured != 5 || !slices.Equal(s.Latencies, []float64{1, 2, 3, 4, 5}) {
		t.Errorf("the series is %+v", s)
	}
	latency := of(t, run, "latency")
	if latency.N != 5 || latency.Mean != 3 || latency.Min != 1 || latency.P50 != 3 || latency.Max != 5 {
		t.Errorf("the latency is %+v", latency.Summary)
	}
	// 3 and 2 completed within the minute.
	if throughput := of(t, run, "throughput"); throughput.N != 2 || throughput.Mean != 2.5 || throughput.Max != 3 {
		t.Errorf("the throughput is %+v, want that of each trial", throughput.Summary)
	}
	if s.Mean("latency") != 3 || !math.IsNaN(s.Mean("lateness")) {
		t.Errorf("the mean latency is %v, that of what there is not %v", s.Mean("latency"), s.Mean("lateness"))
	}
}

func TestOnlyMeasuredAndCompletedInvocationsCount(t *testing.T) {
	warmup, failed, late := took(0, 100), took(2, 100), took(3, 60)
	warmup.Measured = false
	failed.Outcome, late.Outcome = engine.Failed, engine.TimedOut
	a := analysis.New("sim", nil, 1)
	a.Trial(key(0, "faasflow"), trial(warmup, took(1, 2), failed, late, took(4, 4)))
	run := a.Finish()
	if latency := of(t, run, "latency"); latency.N != 2 || latency.Mean != 3 || latency.Max != 4 || latency.Missing != 2 {
		t.Errorf("the latency is %+v, want that of invocations 1 and 4", latency.Summary)
	}
	for metric, want := range map[string]float64{"completed": 2, "failed": 1, "timed_out": 1} {
		if got := of(t, run, metric).Mean; got != want {
			t.Errorf("%v %s, want %v", got, metric, want)
		}
	}
	if s := run.Series[0]; s.Measured != 4 || !slices.Equal(s.Latencies, []float64{2, 4}) {
		t.Errorf("%d measured, latencies %v", s.Measured, s.Latencies)
	}
}

// Nothing is divided by zero, and what is not there is no number.
func TestNothingCompleted(t *testing.T) {
	failed := took(0, 1)
	failed.Outcome = engine.Failed
	for name, samples := range map[string]*analysis.Samples{"nothing sent": trial(), "all failed": trial(failed, failed)} {
		a := analysis.New("sim", nil, 1)
		a.Trial(key(0, "mastersp"), latencies(1, 2))
		a.Trial(key(1, "faasflow"), samples)
		run := a.Finish()
		s := run.Series[1]
		latency, _ := s.Of("latency")
		if latency.N != 0 || !math.IsNaN(latency.Mean) || !math.IsNaN(latency.P50) || latency.Interval.Method != stats.None {
			t.Errorf("%s: the latency is %+v", name, latency.Summary)
		}
		if throughput := s.Mean("throughput"); throughput != 0 {
			t.Errorf("%s: the throughput is %v", name, throughput)
		}
		if len(s.Latencies) != 0 || s.Median != -1 {
			t.Errorf("%s: latencies %v, median %d", name, s.Latencies, s.Median)
		}
		if v := s.Versus[0]; v.Pairs != 0 || !math.IsNaN(v.Ratio) {
			t.Errorf("%s: compared %+v", name, v.Comparison)
		}
	}
	if run := analysis.New("sim", nil, 1).Finish(); len(run.Series) != 0 {
		t.Errorf("a run without trials has series %v", run.Series)
	}
}

func TestIntervalSaysWhatItIsOver(t *testing.T) {
	many := make([]float64, 40)
	for i := range many {
		many[i] = 1 + float64(i%7)
	}
	for _, test := range []struct {
		trials int
		values []float64
		want   stats.Method
		units  int
	}{
		{5, []float64{1, 2}, stats.Trials, 5},
		{6, many, stats.Trials, 6},
		{4, many, stats.Blocks, 160 / 6}, // blocks of n^(1/3), rounded up
		{1, many, stats.Blocks, 10},
		{4, []float64{1, 2}, stats.None, 0},
		{1, []float64{1}, stats.None, 0},
	} {
		a := analysis.New("sim", nil, 1)
		for i := range test.trials {
			values := slices.Clone(test.values)
			values[0] += float64(i)
			a.Trial(key(0, "faasflow"), latencies(values...))
		}
		latency := of(t, a.Finish(), "latency")
		i := latency.Interval
		if i.Method != test.want || i.Units != test.units {
			t.Errorf("%d trials of %d: over %d %s, want %d %s", test.trials, len(test.values), i.Units, i.Method, test.units, test.want)
		}
		if i.Method == stats.None != math.IsNaN(i.Lo) || i.Method != stats.None && !(i.Lo < latency.Mean && latency.Mean < i.Hi) {
			t.Errorf("%d trials of %d: the interval of %v is %v to %v", test.trials, len(test.values), latency.Mean, i.Lo, i.Hi)
		}
	}
}

func TestSchedulersAreComparedInPairs(t *testing.T) {
	failed := took(3, 99)
	failed.Outcome = engine.TimedOut
	a := analysis.New("sim", []string{"rate"}, 1)
	// Whatever the order in which invocations ended.
	a.Trial(key(0, "mastersp", "1"), trial(took(2, 6), took(0, 2), took(1, 4), took(3, 8)))
	a.Trial(key(0, "mastersp", "1"), trial(took(0, 10), took(1, 20), took(7, 1000)))
	a.Trial(key(1, "faasflow", "1"), trial(took(0, 1), took(1, 2), took(2, 3), failed))
	a.Trial(key(1, "faasflow", "1"), trial(took(1, 10), took(0, 5), took(6, 1000)))
	a.Trial(key(1, "faasflow", "1"), trial(took(0, 1000)))
	// Another rate: compared with its own only.
	a.Trial(key(2, "mastersp", "2"), latencies(3))
	a.Trial(key(3, "faasflow", "2"), latencies(1))
	run := a.Finish()
	if len(run.Series) != 4 || len(run.Series[0].Versus) != 0 || len(run.Series[2].Versus) != 0 {
		t.Fatalf("the series are %+v", run.Series)
	}
	v := run.Series[1].Versus
	if len(v) != 1 || v[0].Scheduler != "mastersp" {
		t.Fatalf("faasflow is compared with %+v", v)
	}
	// Pairs: 0, 1, 2 of the first trial, 0 and 1 of the second. Alone: 3 of
	// the first, 6 and 7 of the second, 0 of the third.
	if v[0].Pairs != 5 || v[0].Unpaired != 4 || v[0].Ratio != 2 {
		t.Errorf("%d pairs, %d alone, ratio %v; want 5, 4, 2", v[0].Pairs, v[0].Unpaired, v[0].Ratio)
	}
	if v := run.Series[3].Versus[0]; v.Pairs != 1 || v.Ratio != 3 {
		t.Errorf("at the other rate: %+v, want 1 pair, ratio 3", v.Comparison)
	}
}

// Workflows that run together are not compared with each other.
func TestWorkflowsAreKeptApart(t *testing.T) {
	a := analysis.New("sim", nil, 1)
	for point, scheduler := range []string{"mastersp", "faasflow"} {
		for range 2 {
			factor := float64(2 - point)
			a.Trial(analysis.Key{Point: point, Scheduler: scheduler, Workflow: "v"}, latencies(factor, factor))
			a.Trial(analysis.Key{Point: point, Scheduler: scheduler, Workflow: "w"}, latencies(10*factor, 10*factor))
		}
	}
	run := a.Finish()
	var got []string
	for _, s := range run.Series {
		line := fmt.Sprint(s.Point, s.Scheduler, s.Workflow, s.Trials, s.Mean("latency"))
		for _, v := range s.Versus {
			line += fmt.Sprint(" ", v.Scheduler, v.Pairs, v.Ratio)
		}
		got = append(got, line)
	}
	want := []string{"0masterspv2 2", "0masterspw2 20", "1faasflowv2 1 mastersp4 2", "1faasfloww2 10 mastersp4 2"}
	if !slices.Equal(got, want) {
		t.Errorf("the series are %q, want %q", got, want)
	}
}

func TestMedianIsAnInvocationOfTheFirstTrial(t *testing.T) {
	a := analysis.New("sim", nil, 1)
	a.Trial(key(0, "faasflow"), trial(took(5, 9), took(6, 1), took(7, 3), took(8, 7)))
	a.Trial(key(0, "faasflow"), latencies(3, 3, 3))
	if median := a.Finish().Series[0].Median; median != 7 {
		t.Errorf("the median is invocation %d, want 7", median)
	}
}

func TestTimelineIsOfTheFirstTrial(t *testing.T) {
	a := analysis.New("sim", nil, 1)
	// From 0 to 60 s: an interval is a second.
	a.Trial(key(0, "faasflow"), trial(took(0, 1.5), took(1, 0.5), took(10, 50)))
	a.Trial(key(0, "faasflow"), latencies(7, 7, 7))
	line := a.Finish().Series[0].Timeline
	if len(line) != 60 {
		t.Fatalf("%d moments, want 60", len(line))
	}
	for i, want := range map[int]analysis.Moment{
		0:  {At: 0.5, Sent: 1, UnderWay: 1},
		1:  {At: 1.5, Sent: 1, Ended: 2, Latency: 1},
		2:  {At: 2.5},
		10: {At: 10.5, Sent: 1, UnderWay: 1},
		30: {At: 30.5, UnderWay: 1},
		59: {At: 59.5, Ended: 1, Latency: 50},
	} {
		got := line[i]
		if want.Ended == 0 && math.IsNaN(got.Latency) {
			got.Latency = 0
		}
		if got != want {
			t.Errorf("moment %d is %+v, want %+v", i, got, want)
		}
	}
}

// An interval does not depend on what else is in the run, so that figures of
// a part of it show the same.
func TestIntervalsDependOnSeedAndSeriesAlone(t *testing.T) {
	interval := func(seed uint64, first bool) stats.Interval {
		a := analysis.New("sim", nil, seed)
		if first {
			a.Trial(key(0, "mastersp"), latencies(1, 2, 3, 4))
		}
		for i := range 6 {
			a.Trial(key(1, "faasflow"), latencies(1, 2, 3, 5*float64(i)))
		}
		run := a.Finish()
		latency, _ := run.Series[len(run.Series)-1].Of("latency")
		return latency.Interval
	}
	alone, beside, other := interval(1, false), interval(1, true), interval(2, false)
	if alone.Lo != beside.Lo || alone.Hi != beside.Hi {
		t.Errorf("alone %v to %v, beside another %v to %v", alone.Lo, alone.Hi, beside.Lo, beside.Hi)
	}
	if alone.Lo == other.Lo && alone.Hi == other.Hi {
		t.Error("the seed makes no difference")
	}
}

// Of a run of many points, one latency an invocation is kept, and all metrics
// of one point at a time.
func TestMemoryDoesNotGrowByRecords(t *testing.T) {
	const points, trials, invocations = 12, 5, 2000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	all := metrics.All()
	before := heap()
	a := analysis.New("sim", []string{"rate"}, 1)
	for p := range points {
		for range trials {
			s := analysis.NewSamples(0, 0)
			for n := range int64(invocations) {
				i := took(n, 1+float64(n%100))
				s.Add(all, &i)
			}
			// All are schedulers of one combination of axis values.
			a.Trial(key(p, fmt.Sprint("s", p)), s)
		}
	}
	// What is left is the latencies and numbers of all points, to compare
	// them, and all metrics of the last one.
	kept := float64(heap()-before) / (points * trials * invocations)
	runtime.KeepAlive(a)
	if kept > 70 {
		t.Errorf("%.0f bytes are kept for an invocation", kept)
	}
	run := a.Finish()
	a = nil
	kept = float64(heap()-before) / (points * trials * invocations)
	runtime.KeepAlive(run)
	if kept > 11 {
		t.Errorf("%.0f bytes are kept for an invocation of a finished run", kept)
	}
	if n := len(run.Series[0].Latencies); n != trials*invocations {
		t.Errorf("%d latencies", n)
	}
}
