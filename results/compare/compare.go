// Package compare holds runs against each other: yesterday's against today's, or
// one back end's against another's.
package compare

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/metrics"
	"github.com/flowtwin/flowtwin/results/stats"
)

// Tolerance is how far a metric's mean may be off, as a fraction of the first
// run's.
type Tolerance struct {
	Metric   string
	Fraction float64
}

// ParseTolerance reads metric=5% or metric=0.05.
func ParseTolerance(text string) (Tolerance, error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok || known(name) != nil {
		return Tolerance{}, fmt.Errorf("tolerance %q: write metric=5%%, with one of the metrics %s", text, names())
	}
	number, percent := strings.CutSuffix(value, "%")
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !(f >= 0) || math.IsInf(f, 0) {
		return Tolerance{}, fmt.Errorf("tolerance %q: %q is not a percentage such as 5%%", text, value)
	}
	if percent {
		f /= 100
	} else if f > 1 {
		return Tolerance{}, fmt.Errorf("tolerance %q: write %s=%s%% for %s percent, or a fraction up to 1", text, name, value, value)
	}
	return Tolerance{name, f}, nil
}

// known returns an error that names the metrics there are if a name is none of
// theirs.
func known(name string) error {
	if _, ok := metrics.Find(name); !ok {
		return fmt.Errorf("there is no metric %q: there are %s", name, names())
	}
	return nil
}

func names() string {
	var all []string
	for _, m := range metrics.All() {
		all = append(all, m.Name)
	}
	return strings.Join(all, ", ")
}

// Row compares a metric of one series.
type Row struct {
	Scheduler string   `json:"scheduler"`
	Workflow  string   `json:"workflow"`
	Values    []string `json:"values,omitempty"`
	Metric    string   `json:"metric"`
	Unit      string   `json:"unit,omitempty"`
	// A and B are the means, Difference is (B - A) / |A|, null if A is 0 and B
	// is not.
	A          *float64 `json:"a"`
	B          *float64 `json:"b"`
	Difference *float64 `json:"difference"`
	// Apart: the 95 % intervals do not overlap.
	Apart bool `json:"apart"`
	// Tolerance, if one was given, and whether it was missed.
	Tolerance *float64 `json:"tolerance,omitempty"`
	Missed    bool     `json:"missed"`
}

// Result is the comparison of two runs.
type Result struct {
	Rows []Row `json:"rows"`
	// OnlyA and OnlyB are series that one run alone has.
	OnlyA []string `json:"only_a,omitempty"`
	OnlyB []string `json:"only_b,omitempty"`
}

// Missed counts tolerances that were missed.
func (r *Result) Missed() int {
	n := 0
	for _, row := range r.Rows {
		if row.Missed {
			n++
		}
	}
	return n
}

// usual are the metrics compared when none is named.
func usual() []string {
	return []string{"latency", "scheduling_overhead", "data_overhead", "throughput", "failed", "timed_out", "cold_starts"}
}

// Runs compares two runs, series by series. The metrics are those with a
// tolerance and those to be shown, or if there are none the usual ones. What only one run has is named, and misses no
// tolerance. The error says why the runs cannot be compared.
func Runs(a, b *analysis.Run, tolerances []Tolerance, show ...string) (*Result, error) {
	if !slices.Equal(a.Axes, b.Axes) {
		return nil, fmt.Errorf("the runs do not vary the same: the axes are %s here and %s there", list(a.Axes), list(b.Axes))
	}
	for i, t := range tolerances {
		if slices.ContainsFunc(tolerances[:i], func(o Tolerance) bool { return o.Metric == t.Metric }) {
			return nil, fmt.Errorf("there are two tolerances for %s", t.Metric)
		}
	}
	var chosen []string
	for _, t := range tolerances {
		chosen = append(chosen, t.Metric)
	}
	for _, name := range show {
		if err := known(name); err != nil {
			return nil, err
		}
		if !slices.Contains(chosen, name) {
			chosen = append(chosen, name)
		}
	}
	if len(chosen) == 0 {
		chosen = usual()
	}
	r := &Result{Rows: []Row{}}
	for _, s := range a.Series {
		o := find(b, s)
		if o == nil {
			r.OnlyA = append(r.OnlyA, name(s))
			continue
		}
		for _, metric := range chosen {
			r.Rows = append(r.Rows, row(s, o, metric, tolerances))
		}
	}
	for _, s := range b.Series {
		if find(a, s) == nil {
			r.OnlyB = append(r.OnlyB, name(s))
		}
	}
	if len(r.Rows) == 0 {
		return nil, fmt.Errorf("the runs have no scheduler, workflow and axis values in common")
	}
	return r, nil
}

func list(axes []string) string {
	if len(axes) == 0 {
		return "none"
	}
	return strings.Join(axes, ", ")
}

func find(r *analysis.Run, like *analysis.Series) *analysis.Series {
	for _, s := range r.Series {
		if alike(s, like) {
			return s
		}
	}
	return nil
}

func alike(a, b *analysis.Series) bool {
	return a.Scheduler == b.Scheduler && a.Workflow == b.Workflow && slices.Equal(a.Values, b.Values)
}

func name(s *analysis.Series) string {
	return strings.Join(slices.Concat([]string{s.Scheduler, s.Workflow}, s.Values), " ")
}

func row(a, b *analysis.Series, metric string, tolerances []Tolerance) Row {
	x, _ := a.Of(metric)
	y, _ := b.Of(metric)
	r := Row{
		Scheduler: a.Scheduler, Workflow: a.Workflow, Values: a.Values, Metric: metric, Unit: x.Metric.Unit,
		A: finite(x.Mean), B: finite(y.Mean),
	}
	difference := math.NaN()
	switch {
	case x.Mean == y.Mean:
		difference = 0
	case x.Mean != 0:
		difference = (y.Mean - x.Mean) / math.Abs(x.Mean)
	}
	r.Difference = finite(difference)
	r.Apart = x.Interval.Method != stats.None && y.Interval.Method != stats.None &&
		(x.Interval.Hi < y.Interval.Lo || y.Interval.Hi < x.Interval.Lo)
	for _, t := range tolerances {
		if t.Metric == metric {
			r.Tolerance = &t.Fraction
			bothMissing := r.A == nil && r.B == nil
			// The allowance is for rounding: 1.05 is 5 % off 1.
			r.Missed = !bothMissing && !(math.Abs(difference) <= t.Fraction+1e-12)
		}
	}
	return r
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
