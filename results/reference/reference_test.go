package reference

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var workflows = []string{"cycles", "epigenomics", "genome", "soykb", "video", "recognizer", "fileprocessing", "wordcount"}

func faasflow(t *testing.T) []Row {
	t.Helper()
	rows, err := Published("faasflow")
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// lookup looks one row up; it fails the test if there is none.
func lookup(t *testing.T, rows []Row, key Key) Row {
	t.Helper()
	i := slices.IndexFunc(rows, func(r Row) bool { return r.Key == key })
	if i < 0 {
		t.Fatalf("no row %+v", key)
	}
	return rows[i]
}

func TestEveryFigureHasAllItsNumbers(t *testing.T) {
	type count struct{ rows, timeouts, notRun int }
	got := map[string]count{}
	for _, r := range faasflow(t) {
		c := got[r.Figure]
		c.rows++
		if r.Timeout {
			c.timeouts++
		}
		if r.NotRun {
			c.notRun++
		}
		got[r.Figure] = c
	}
	want := map[string]count{
		"scheduling-overhead": {16, 0, 0},
		"data-overhead":       {16, 0, 0},
		"latency":             {16, 0, 0},
		"tail-latency":        {16, 2, 0},
		"rate-bandwidth":      {20, 9, 5},
		"partition-cost":      {10, 0, 0},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestBarFiguresHaveBothSystemsForEveryWorkflow(t *testing.T) {
	rows := faasflow(t)
	for _, f := range []Key{
		{Figure: "scheduling-overhead", Metric: "scheduling_overhead_mean"},
		{Figure: "data-overhead", Metric: "data_overhead_mean"},
		{Figure: "latency", Metric: "latency_mean"},
		{Figure: "tail-latency", Metric: "latency_max", Series: "50MB/s", X: 6},
	} {
		for _, w := range workflows {
			for _, s := range []string{"mastersp", "faasflow"} {
				f.Workflow, f.System = w, s
				if r := lookup(t, rows, f); r.Unit != "s" || !r.Timeout && r.Value <= 0 {
					t.Errorf("%+v", r)
				}
			}
		}
	}
}

// reductions returns 1 - faasflow/mastersp for every workflow that finished
// under both.
func reductions(t *testing.T, key Key) map[string]float64 {
	rows := faasflow(t)
	out := map[string]float64{}
	for _, w := range workflows {
		key.Workflow = w
		key.System = "mastersp"
		base := lookup(t, rows, key)
		key.System = "faasflow"
		ours := lookup(t, rows, key)
		if !base.Timeout && !ours.Timeout {
			out[w] = 1 - ours.Value/base.Value
		}
	}
	return out
}

func mean(values map[string]float64) float64 {
	total := 0.0
	for _, w := range workflows { // in order, for the same rounding each time
		total += values[w]
	}
	return total / float64(len(values))
}

func near(t *testing.T, what string, got, want, slack float64) {
	t.Helper()
	if math.Abs(got-want) > slack {
		t.Errorf("%s: got %.4f, want %.4f", what, got, want)
	}
}

func TestHeadlineClaimsOfThePaper(t *testing.T) {
	scheduling := reductions(t, Key{Figure: "scheduling-overhead", Metric: "scheduling_overhead_mean"})
	near(t, "mean reduction of the scheduling overhead", mean(scheduling), 0.746, 0.0005)

	data := reductions(t, Key{Figure: "data-overhead", Metric: "data_overhead_mean"})
	near(t, "reduction of cycles' data overhead", data["cycles"], 0.95, 0.0005)
	near(t, "reduction of soykb's data overhead", data["soykb"], 0.052, 0.0005)
	near(t, "mean reduction of the data overhead", mean(data), 0.558, 0.0005)
	for w, r := range data {
		if r > data["cycles"] {
			t.Errorf("%s reduces more than cycles", w)
		}
	}

	tail := reductions(t, Key{Figure: "tail-latency", Metric: "latency_max", Series: "50MB/s", X: 6})
	if len(tail) != 6 {
		t.Errorf("%d workflows finish under both systems, want 6", len(tail))
	}
	near(t, "mean reduction of the tail latency, closest to the claimed 23 %", mean(tail), 0.2326, 0.0005)
}

func TestLatencyAlone(t *testing.T) {
	solo := reductions(t, Key{Figure: "latency", Metric: "latency_mean"})
	logs := 0.0
	for _, w := range workflows {
		logs += math.Log(1 / (1 - solo[w]))
	}
	near(t, "geometric mean of the ratios", math.Exp(logs/8), 1.61, 0.005)
	near(t, "mean reduction", mean(solo), 0.296, 0.0005)
}

func TestHighestRateWithoutTimeout(t *testing.T) {
	for _, c := range []struct {
		workflow, system string
		rate             float64
	}{
		{"genome", "mastersp", 4}, {"genome", "faasflow", 6}, {"video", "mastersp", 24}, {"video", "faasflow", 24},
	} {
		highest := 0.0
		for _, r := range faasflow(t) {
			if r.Figure == "rate-bandwidth" && r.Workflow == c.workflow && r.System == c.system && !r.Timeout {
				highest = max(highest, r.X)
			}
		}
		if highest != c.rate {
			t.Errorf("%s under %s: %v rpm, want %v", c.workflow, c.system, highest, c.rate)
		}
	}
}

func TestOnlyRatesAboveATimeoutWereNotRun(t *testing.T) {
	rows := faasflow(t)
	for _, r := range rows {
		if !r.NotRun {
			continue
		}
		measured := slices.ContainsFunc(rows, func(other Row) bool {
			key := other.Key
			key.X = r.X
			return key == r.Key && other.X < r.X && other.Timeout && !other.NotRun
		})
		if !measured {
			t.Errorf("%+v: no lower rate timed out", r)
		}
	}
}

func TestPartitionCostGrows(t *testing.T) {
	rows := faasflow(t)
	key := Key{Figure: "partition-cost", System: "faasflow", Workflow: "genome", Metric: "core_seconds"}
	small, large := key, key
	small.X, large.X = 10, 200
	near(t, "processor time of 200 functions over that of 10", lookup(t, rows, large).Value/lookup(t, rows, small).Value, 30.4, 0.05)
	small.Metric, large.Metric = "memory_mb", "memory_mb"
	near(t, "memory of 200 functions over that of 10", lookup(t, rows, large).Value/lookup(t, rows, small).Value, 1.42, 0.005)
}

func TestEveryPaperCanBeRead(t *testing.T) {
	papers := Papers()
	if !slices.Contains(papers, "faasflow") {
		t.Errorf("papers: %v", papers)
	}
	for _, p := range papers {
		if rows, err := Published(p); err != nil || len(rows) == 0 {
			t.Errorf("%s: %d rows, %v", p, len(rows), err)
		}
	}
}

func TestUnknownPaperNamesTheKnownOnes(t *testing.T) {
	for _, name := range []string{"sonic", "", "../reference", "faasflow-not-run.csv"} {
		if _, err := Published(name); err == nil || !strings.Contains(err.Error(), "faasflow") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

const header = "figure,series,system,workflow,x,metric,unit,published\n"

func TestReadErrorsNameTheLine(t *testing.T) {
	good := "latency,,faasflow,video,,latency_mean,s,3.9\n"
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "empty file"},
		{"wrong columns", "a,b,c,d,e,f,g,h\n", "line 1: columns are a,b"},
		{"too few fields", header + "latency,,faasflow\n", "line 2: wrong number of fields"},
		{"no system", header + good + "latency,,,video,,latency_mean,s,3.9\n", "line 3: system is missing"},
		{"no unit", header + "latency,,faasflow,video,,latency_mean,,3.9\n", "line 2: the unit is missing"},
		{"x is neither a number nor a name", header + "latency,,faasflow,video,8 rpm,latency_mean,s,3.9\n", `line 2: x: "8 rpm" is not a number`},
		{"x is no number", header + "latency,,faasflow,video,nan,latency_mean,s,3.9\n", `line 2: x: "nan" is not a number`},
		{"x is 0", header + "latency,,faasflow,video,0,latency_mean,s,3.9\n", "line 2: x: leave it empty"},
		{"no number", header + "latency,,faasflow,video,,latency_mean,s,fast\n", "or the word timeout"},
		{"not finite", header + "latency,,faasflow,video,,latency_mean,s,NaN\n", "is not a number ≥ 0"},
		{"negative", header + "latency,,faasflow,video,,latency_mean,s,-1\n", "is not a number ≥ 0"},
		{"twice", header + good + good, "line 3: the same number as in line 2"},
	} {
		_, err := Read(strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestReadTimeout(t *testing.T) {
	rows, err := Read(strings.NewReader(header + "tail-latency,50MB/s,mastersp,genome,6,latency_max,s,timeout\n"))
	want := []Row{{Key: Key{"tail-latency", "50MB/s", "mastersp", "genome", 6, "latency_max", ""}, Unit: "s", Timeout: true}}
	if err != nil || !reflect.DeepEqual(rows, want) {
		t.Errorf("got %+v, %v", rows, err)
	}
}

func TestNotRunMustBeAPublishedTimeout(t *testing.T) {
	key := Key{"rate-bandwidth", "50MB/s", "mastersp", "genome", 8, "latency_max", ""}
	list := "figure,series,system,workflow,x,metric\nrate-bandwidth,50MB/s,mastersp,genome,8,latency_max\n"
	for _, c := range []struct {
		name string
		rows []Row
		ok   bool
	}{
		{"a timeout", []Row{{Key: key, Timeout: true}}, true},
		{"a number", []Row{{Key: key, Value: 3}}, false},
		{"nothing", nil, false},
	} {
		err := markNotRun(c.rows, strings.NewReader(list))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.ok && !c.rows[0].NotRun {
			t.Errorf("%s: not marked", c.name)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(header)
	f.Add(header + "latency,,faasflow,video,,latency_mean,s,3.9\n")
	f.Add(header + "tail-latency,50MB/s,mastersp,genome,6,latency_max,s,timeout\n")
	f.Add(header + "functions,async,dataflower,video,split,duration_mean,s,0.8\n")
	f.Add("a,b\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, r := range rows {
			if r.Figure == "" || r.System == "" || r.Unit == "" || r.Value < 0 || math.IsInf(r.Value, 0) || math.IsNaN(r.Value) ||
				r.Timeout && r.Value != 0 || r.NotRun {
				t.Errorf("accepted %+v", r)
			}
		}
	})
}
