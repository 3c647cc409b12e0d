package compare_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/compare"
	"github.com/flowtwin/flowtwin/results/metrics"
	"github.com/flowtwin/flowtwin/results/stats"
)

// series has the given mean of the latency, with an interval of 10 % around,
// and no failures.
func series(scheduler, workflow string, latency float64, values ...string) *analysis.Series {
	s := &analysis.Series{Scheduler: scheduler, Workflow: workflow, Values: values}
	for _, m := range metrics.All() {
		summary := stats.Summary{Interval: stats.Interval{Method: stats.None, Lo: math.NaN(), Hi: math.NaN()}}
		if m.Name == "latency" {
			summary.Mean = latency
			summary.Interval = stats.Interval{Method: stats.Trials, Lo: 0.9 * latency, Hi: 1.1 * latency}
		}
		s.Summaries = append(s.Summaries, analysis.Summary{Metric: m, Summary: summary})
	}
	return s
}

func run(series ...*analysis.Series) *analysis.Run {
	r := &analysis.Run{Series: series}
	for i := range series[0].Values {
		r.Axes = append(r.Axes, fmt.Sprint("axis", i))
	}
	return r
}

func TestParseTolerance(t *testing.T) {
	for text, want := range map[string]compare.Tolerance{
		"latency=5%":        {Metric: "latency", Fraction: 0.05},
		"latency=0.05":      {Metric: "latency", Fraction: 0.05},
		"latency=1":         {Metric: "latency", Fraction: 1},
		"latency=250%":      {Metric: "latency", Fraction: 2.5},
		"throughput=0":      {Metric: "throughput", Fraction: 0},
		"phase_put=12.5%":   {Metric: "phase_put", Fraction: 0.125},
		"bytes_resent=1e1%": {Metric: "bytes_resent", Fraction: 0.1},
	} {
		if got, err := compare.ParseTolerance(text); err != nil || got != want {
			t.Errorf("%s is %+v, %v; want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":             `tolerance "": write metric=5%, with one of the metrics latency, scheduling_overhead, `,
		"latency":      `tolerance "latency": write metric=5%, with one of the metrics latency, `,
		"5%":           `tolerance "5%": write metric=5%, with one of the metrics latency, `,
		"lateness=5%":  `tolerance "lateness=5%": write metric=5%, with one of the metrics latency, `,
		"latency=":     `tolerance "latency=": "" is not a percentage such as 5%`,
		"latency=%":    `tolerance "latency=%": "%" is not a percentage such as 5%`,
		"latency=five": `tolerance "latency=five": "five" is not a percentage such as 5%`,
		"latency=-5%":  `tolerance "latency=-5%": "-5%" is not a percentage such as 5%`,
		"latency=NaN":  `tolerance "latency=NaN": "NaN" is not a percentage such as 5%`,
		"latency=Inf":  `tolerance "latency=Inf": "Inf" is not a percentage such as 5%`,
		"latency=5%%":  `tolerance "latency=5%%": "5%%" is not a percentage such as 5%`,
		"latency=5":    `tolerance "latency=5": write latency=5% for 5 percent, or a fraction up to 1`,
	} {
		if _, err := compare.ParseTolerance(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: the error is %v, want %s", text, err, want)
		}
	}
}

func FuzzParseTolerance(f *testing.F) {
	for _, seed := range []string{"latency=5%", "latency=0.05", "=", "latency=1e400", "latency=0x1p-2%", "%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tolerance, err := compare.ParseTolerance(text)
		if err == nil && (!(tolerance.Fraction >= 0) || math.IsInf(tolerance.Fraction, 0)) {
			t.Errorf("%q is %+v", text, tolerance)
		}
	})
}

func TestWhatMissesATolerance(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		name       string
		a, b       float64
		tolerance  float64
		difference float64 // NaN: none can be told
		missed     bool
	}{
		{"equal", 2, 2, 0, 0, false},
		{"within", 2, 2.08, 0.05, 0.04, false},
		{"exactly at it, above", 1, 1.05, 0.05, 0.05, false},
		{"exactly at it, below", 1, 0.95, 0.05, -0.05, false},
		{"beyond, slower", 1, 1.051, 0.05, 0.051, true},
		{"beyond, faster", 1, 0.949, 0.05, -0.051, true},
		{"the first run is what it is measured by", 2, 1, 0.5, -0.5, false},
		{"a negative mean", -2, -1, 0.4, 0.5, true},
		{"none before and now", 0, 0, 0, 0, false},
		{"none before, some now", 0, 1, 10, nan, true},
		{"some before, none now", 1, 0, 0.99, -1, true},
		{"no number in both", nan, nan, 0, nan, false},
		{"no number now", 1, nan, 10, nan, true},
		{"no number before", nan, 1, 10, nan, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := compare.Runs(run(series("s", "w", test.a)), run(series("s", "w", test.b)),
				[]compare.Tolerance{{Metric: "latency", Fraction: test.tolerance}})
			if err != nil {
				t.Fatal(err)
			}
			row := r.Rows[0]
			if len(r.Rows) != 1 || row.Metric != "latency" || row.Unit != "s" || row.Tolerance == nil || *row.Tolerance != test.tolerance {
				t.Fatalf("the rows are %+v", r.Rows)
			}
			if row.Missed != test.missed || (r.Missed() == 1) != test.missed {
				t.Errorf("missed is %v, %d in all; want %v", row.Missed, r.Missed(), test.missed)
			}
			if (row.Difference == nil) != math.IsNaN(test.difference) || row.Difference != nil && math.Abs(*row.Difference-test.difference) > 1e-9 {
				t.Errorf("the difference is %v, want %v", row.Difference, test.difference)
			}
			for i, mean := range []*float64{row.A, row.B} {
				if want := []float64{test.a, test.b}[i]; (mean == nil) != math.IsNaN(want) || mean != nil && *mean != want {
					t.Errorf("mean %d is %v, want %v", i, mean, want)
				}
			}
		})
	}
}

func TestIntervalsThatDoNotOverlapAreApart(t *testing.T) {
	for b, want := range map[float64]bool{1: false, 1.2: false, 1.3: true, 0.85: false, 0.8: true} {
		r, err := compare.Runs(run(series("s", "w", 1)), run(series("s", "w", b)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Rows[0].Apart != want {
			t.Errorf("means of 1 and %v with 10 %% around: apart is %v", b, r.Rows[0].Apart)
		}
		if throughput := r.Rows[3]; throughput.Metric != "throughput" || throughput.Apart {
			t.Errorf("without intervals: %+v", throughput)
		}
	}
}

func TestWithoutTolerancesTheUsualMetricsAreShown(t *testing.T) {
	r, err := compare.Runs(run(series("s", "w", 1)), run(series("s", "w", 9)), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, row := range r.Rows {
		names = append(names, row.Metric)
		if row.Tolerance != nil || row.Missed {
			t.Errorf("%s has a tolerance: %+v", row.Metric, row)
		}
	}
	if want := []string{"latency", "scheduling_overhead", "data_overhead", "throughput", "failed", "timed_out", "cold_starts"}; !slices.Equal(names, want) {
		t.Errorf("the metrics are %v, want %v", names, want)
	}
}

// Series are found by what they are of, whatever their order. What only one
// run has is named, and misses nothing.
func TestSeriesThatOnlyOneRunHas(t *testing.T) {
	a := run(series("s", "v", 1, "30/min"), series("s", "w", 2, "30/min"), series("s", "w", 3, "60/min"), series("old", "w", 4, "60/min"))
	b := run(series("s", "w", 3, "60/min"), series("new", "w", 4, "60/min"), series("s", "w", 20, "30/min"), series("s", "v", 1, "31/min"))
	r, err := compare.Runs(a, b, []compare.Tolerance{{Metric: "latency", Fraction: 0.1}, {Metric: "failed", Fraction: 0}})
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, row := range r.Rows {
		rows = append(rows, fmt.Sprint(row.Scheduler, " ", row.Workflow, " ", row.Values, " ", row.Metric, " ", row.Missed))
	}
	want := []string{"s w [30/min] latency true", "s w [30/min] failed false", "s w [60/min] latency false", "s w [60/min] failed false"}
	if !slices.Equal(rows, want) {
		t.Errorf("the rows are %q, want %q", rows, want)
	}
	if r.Missed() != 1 || !slices.Equal(r.OnlyA, []string{"s v 30/min", "old w 60/min"}) || !slices.Equal(r.OnlyB, []string{"new w 60/min", "s v 31/min"}) {
		t.Errorf("%d missed, only in the first %q, only in the second %q", r.Missed(), r.OnlyA, r.OnlyB)
	}
}

func TestRunsThatCannotBeCompared(t *testing.T) {
	plain := run(series("s", "w", 1))
	rated := run(series("s", "w", 1, "30/min"))
	capped := run(series("s", "w", 1, "30/min"))
	capped.Axes = []string{"cluster.storage.cap"}
	twice := []compare.Tolerance{{Metric: "latency", Fraction: 0.1}, {Metric: "latency", Fraction: 0.2}}
	for _, test := range []struct {
		name       string
		a, b       *analysis.Run
		tolerances []compare.Tolerance
		want       string
	}{
		{"no axis and one", plain, rated, nil, "the runs do not vary the same: the axes are none here and axis0 there"},
		{"other axes with the same labels", rated, capped, nil, "the runs do not vary the same: the axes are axis0 here and cluster.storage.cap there"},
		{"other schedulers", plain, run(series("r", "w", 1)), nil, "the runs have no scheduler, workflow and axis values in common"},
		{"nothing was done", plain, &analysis.Run{}, nil, "the runs have no scheduler, workflow and axis values in common"},
		{"two tolerances for one metric", plain, plain, twice, "there are two tolerances for latency"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := compare.Runs(test.a, test.b, test.tolerances); err == nil || err.Error() != test.want {
				t.Errorf("the error is %v, want %s", err, test.want)
			}
		})
	}
}

// one is a run on a back end.
func one(backend string, all ...*analysis.Series) *analysis.Run {
	r := run(all...)
	r.Backend = backend
	return r
}

func TestSideBySide(t *testing.T) {
	table, err := compare.SideBySide([]*analysis.Run{
		one("sim", series("mastersp", "w", 2), series("faasflow", "w", 0)),
		one("local", series("mastersp", "w", 3), series("faasflow", "w", 0)),
		one("docker", series("mastersp", "w", 1), series("dataflower", "w", 5)),
		one("docker", series("faasflow", "w", 4), series("mastersp", "w", math.NaN())),
	}, []string{"a", "b", "c", "d"}, "latency", "failed")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"sim", "local", "docker c", "docker d"}; !slices.Equal(table.Runs, want) {
		t.Errorf("the runs are called %q, want %q", table.Runs, want)
	}
	var got []string
	for _, r := range table.Rows {
		if r.Metric == "latency" {
			got = append(got, fmt.Sprint(r.Scheduler, " ", numbers(r.Means), " ", numbers(r.Ratios)))
		}
	}
	want := []string{
		"mastersp 2 3 1 – 1 1.5 0.5 –",
		"faasflow 0 0 – 4 1 1 – –", // How often 0 goes into 4 cannot be said.
		"dataflower – – 5 – – – – –",
	}
	if !slices.Equal(got, want) || len(table.Rows) != 2*len(want) || table.Rows[0].Unit != "s" || table.Rows[1].Metric != "failed" {
		t.Errorf("the rows are\n%q, want\n%q", got, want)
	}
}

func numbers(all []*float64) string {
	var texts []string
	for _, v := range all {
		text := "–"
		if v != nil {
			text = fmt.Sprint(*v)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " ")
}

func TestRunsThatCannotBeSideBySide(t *testing.T) {
	mine := one("sim", series("s", "w", 1))
	for want, err := range map[string]error{
		"the axes are none in a and axis0 in b": second(compare.SideBySide([]*analysis.Run{mine, one("local", series("s", "w", 1, "x"))}, []string{"a", "b"})),
		"have no scheduler, workflow and axis":  second(compare.SideBySide([]*analysis.Run{mine, one("local", series("t", "w", 1))}, []string{"a", "b"})),
		`there is no metric "speed"`:            second(compare.SideBySide([]*analysis.Run{mine, mine}, []string{"a", "b"}, "speed")),
		`there is no metric "pace"`:             second(compare.Runs(mine, mine, nil, "pace")),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Metrics that are named come after those that have a tolerance, each once.
func TestMetricsToBeShown(t *testing.T) {
	mine := run(series("s", "w", 1))
	r, err := compare.Runs(mine, mine, []compare.Tolerance{{Metric: "failed"}}, "latency", "failed")
	if err != nil || len(r.Rows) != 2 || r.Rows[0].Metric != "failed" || r.Rows[1].Metric != "latency" || r.Rows[1].Tolerance != nil {
		t.Errorf("the rows are %+v, %v", r, err)
	}
}
