package views

import (
	"fmt"
	"math"
	"strings"

	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/results/stats"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Catalogue shows what there is.
func Catalogue(c *scenarios.Catalogue) string {
	var text strings.Builder
	for i, s := range c.Sections {
		if i > 0 {
			text.WriteString("\n")
		}
		t := Table{Columns: []Column{{Name: s.Topic}, {}}}
		for _, item := range s.Items {
			t.Rows = append(t.Rows, []string{"  " + item.Name, item.About})
		}
		text.WriteString(t.String())
	}
	return text.String()
}

// Outlook shows what a plan would run.
func Outlook(o *scenarios.Outlook) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s", o.Name)
	if o.Title != "" {
		fmt.Fprintf(&text, ": %s", o.Title)
	}
	fmt.Fprintf(&text, "\nprofile %s · %d points × %d trials\n\n", o.Profile, len(o.Points), o.Trials)
	t := Table{Columns: []Column{
		{Name: "workflow"}, {"functions", true}, {"edges", true}, {"instances", true}, {"critical path", true}, {"written", true}, {"read", true},
	}}
	for _, w := range o.Workflows {
		t.Rows = append(t.Rows, []string{
			w.Name, fmt.Sprint(w.Functions), fmt.Sprint(w.Edges), fmt.Sprintf("%.4g", w.Tasks), duration(w.CriticalPath),
			size(w.BytesWritten), size(w.BytesRead),
		})
	}
	text.WriteString(t.String() + "\n")
	t = Table{Columns: []Column{{Name: "scheduler"}}}
	for _, a := range o.Axes {
		t.Columns = append(t.Columns, Column{a.Name, true})
	}
	t.Columns = append(t.Columns, Column{"workers", true}, Column{"invocations a trial", true})
	const most = 60
	for i, p := range o.Points {
		if i == most {
			break
		}
		row := append([]string{p.Scheduler}, p.Values...)
		t.Rows = append(t.Rows, append(row, fmt.Sprint(p.Workers), fmt.Sprintf("%.0f", p.Invocations)))
	}
	text.WriteString(t.String())
	if len(o.Points) > most {
		fmt.Fprintf(&text, "and %d more points\n", len(o.Points)-most)
	}
	if math.IsInf(o.Seconds, 1) {
		return text.String()
	}
	fmt.Fprintf(&text, "\nabout %.3g invocations and %.3g function instances in all: about %s here\n", o.Invocations, o.Tasks, about(o.Seconds))
	return text.String()
}

// about rounds a time that is only an estimate.
func about(seconds float64) string {
	if seconds < 1 {
		return "a second"
	}
	return duration(math.Pow(10, math.Round(math.Log10(seconds)*5)/5))
}

// Report is what --json prints of a run.
type Report struct {
	Directory string       `json:"directory"`
	Scenario  string       `json:"scenario"`
	Backend   string       `json:"backend"`
	Profile   string       `json:"profile"`
	Status    string       `json:"status"`
	Intervals string       `json:"intervals"`
	Series    []JSONSeries `json:"series"`
	Figures   []string     `json:"figures"`
}

// JSONSeries is the results of one workflow at one point.
type JSONSeries struct {
	Scheduler string                `json:"scheduler"`
	Workflow  string                `json:"workflow"`
	Axes      map[string]string     `json:"axes,omitempty"`
	Trials    int                   `json:"trials"`
	Metrics   map[string]JSONMetric `json:"metrics"`
	Versus    []JSONVersus          `json:"versus,omitempty"`
}

// JSONMetric is a metric's statistics. A number that there is not, or a
// percentile that n does not support, is null.
type JSONMetric struct {
	Unit   string   `json:"unit,omitempty"`
	N      int      `json:"n"`
	Mean   *float64 `json:"mean"`
	MeanLo *float64 `json:"mean_lo"`
	MeanHi *float64 `json:"mean_hi"`
	P50    *float64 `json:"p50"`
	P90    *float64 `json:"p90"`
	P95    *float64 `json:"p95"`
	P99    *float64 `json:"p99"`
	Min    *float64 `json:"min"`
	Max    *float64 `json:"max"`
}

// JSONVersus compares with another scheduler: Ratio is the other's mean latency
// over this one's.
type JSONVersus struct {
	Scheduler string   `json:"scheduler"`
	Pairs     int      `json:"pairs"`
	Ratio     *float64 `json:"ratio"`
	RatioLo   *float64 `json:"ratio_lo"`
	RatioHi   *float64 `json:"ratio_hi"`
}

// JSON returns the results of a run for machines.
func JSON(dir string, m *rundir.Manifest, run *analysis.Run, figures []string) Report {
	r := Report{
		Directory: dir, Scenario: m.Scenario, Backend: m.Backend, Profile: m.Profile, Status: m.Status,
		Intervals: IntervalNote(run), Figures: figures, Series: []JSONSeries{},
	}
	for _, s := range run.Series {
		j := JSONSeries{Scheduler: s.Scheduler, Workflow: s.Workflow, Axes: map[string]string{}, Trials: s.Trials, Metrics: map[string]JSONMetric{}}
		for i, axis := range run.Axes {
			j.Axes[axis] = s.Values[i]
		}
		for _, x := range s.Summaries {
			supported := func(rank, v float64) *float64 {
				if !stats.Supported(rank, x.N) {
					return nil
				}
				return finite(v)
			}
			j.Metrics[x.Metric.Name] = JSONMetric{
				Unit: x.Metric.Unit, N: x.N, Mean: finite(x.Mean), MeanLo: finite(x.Interval.Lo), MeanHi: finite(x.Interval.Hi),
				P50: supported(50, x.P50), P90: supported(90, x.P90), P95: supported(95, x.P95), P99: supported(99, x.P99),
				Min: finite(x.Min), Max: finite(x.Max),
			}
		}
		for _, v := range s.Versus {
			j.Versus = append(j.Versus, JSONVersus{v.Scheduler, v.Pairs, finite(v.Ratio), finite(v.Interval.Lo), finite(v.Interval.Hi)})
		}
		r.Series = append(r.Series, j)
	}
	return r
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
