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

// Catalogue shows what there is, on a terminal of a width (0: any).
func Catalogue(c *scenarios.Catalogue, width int) string {
	var text strings.Builder
	for i, s := range c.Sections {
		if i > 0 {
			text.WriteString("\n")
		}
		t := Table{Columns: []Column{{Name: s.Topic}, {}}}
		for _, item := range s.Items {
			t.Rows = append(t.Rows, []string{"  " + item.Name, item.About})
		}
		lines, _, _ := t.Fit(width)
		text.WriteString(lines)
	}
	return text.String()
}

// Outlook shows what a plan would run, on a terminal of a width (0: any).
func Outlook(o *scenarios.Outlook, width int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s", o.Name)
	if o.Title != "" {
		fmt.Fprintf(&text, ": %s", o.Title)
	}
	fmt.Fprintf(&text, "\nprofile %s · %s × %s\n\n", o.Profile, counted(len(o.Points), "point"), counted(o.Trials, "trial"))
	t := Table{Columns: []Column{
		{Name: "workflow"}, {Name: "functions", Number: true}, {Name: "edges", Number: true, Spare: true}, {Name: "instances", Number: true},
		{Name: "critical path", Number: true}, {Name: "written", Number: true, Spare: true}, {Name: "read", Number: true, Spare: true},
	}}
	for _, w := range o.Workflows {
		t.Rows = append(t.Rows, []string{
			w.Name, fmt.Sprint(w.Functions), fmt.Sprint(w.Edges), fmt.Sprintf("%.4g", w.Tasks), duration(w.CriticalPath),
			size(w.BytesWritten), size(w.BytesRead),
		})
	}
	lines, _, _ := t.Fit(width)
	text.WriteString(lines + "\n")
	t = Table{Columns: []Column{{Name: "scheduler"}}}
	axes := make([]string, len(o.Axes))
	for i, a := range o.Axes {
		axes[i] = a.Name
	}
	for i := range axes {
		t.Columns = append(t.Columns, Column{Name: axisName(axes, i), Number: true})
	}
	t.Columns = append(t.Columns, Column{Name: "workers", Number: true}, Column{Name: "invocations a trial", Number: true})
	const most = 60
	for i, p := range o.Points {
		if i == most {
			break
		}
		row := append([]string{p.Scheduler}, p.Values...)
		t.Rows = append(t.Rows, append(row, fmt.Sprint(p.Workers), fmt.Sprintf("%.0f", p.Invocations)))
	}
	lines, _, _ = t.Fit(width)
	text.WriteString(lines)
	if len(o.Points) > most {
		fmt.Fprintf(&text, "and %d more points\n", len(o.Points)-most)
	}
	if math.IsInf(o.Seconds, 1) {
		return text.String()
	}
	fmt.Fprintf(&text, "\nabout %s invocations and %s function instances in all: about %s here\n", roughly(o.Invocations), roughly(o.Tasks), about(o.Seconds))
	return text.String()
}

// roughly shows a number of which two digits matter.
func roughly(n float64) string {
	switch {
	case n < 1e4:
		return fmt.Sprintf("%.0f", n)
	case n < 1e6:
		return fmt.Sprintf("%.0f thousand", n/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.1f million", n/1e6)
	default:
		return fmt.Sprintf("%.3g billion", n/1e9)
	}
}

// about shows a time that is only an estimate.
func about(seconds float64) string {
	switch {
	case seconds < 1.5:
		return "a second"
	case seconds < 90:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 5400:
		return fmt.Sprintf("%.0f min", seconds/60)
	default:
		return fmt.Sprintf("%.1f h", seconds/3600)
	}
}

// Report is what --json prints of a run.
type Report struct {
	Directory string `json:"directory"`
	Scenario  string `json:"scenario"`
	Backend   string `json:"backend"`
	Profile   string `json:"profile"`
	Status    string `json:"status"`
	// Done counts the trials that are here, of Trials in all.
	Done        int          `json:"done"`
	Trials      int          `json:"trials"`
	WallSeconds float64      `json:"wall_seconds"`
	Intervals   string       `json:"intervals"`
	Series      []JSONSeries `json:"series"`
	Figures     []string     `json:"figures"`
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
	Unpaired  int      `json:"unpaired"`
	Ratio     *float64 `json:"ratio"`
	RatioLo   *float64 `json:"ratio_lo"`
	RatioHi   *float64 `json:"ratio_hi"`
}

// JSON returns the results of a run for machines.
func JSON(dir string, m *rundir.Manifest, run *analysis.Run, figures []string) Report {
	r := Report{
		Directory: dir, Scenario: m.Scenario, Backend: m.Backend, Profile: m.Profile, Status: m.Status,
		Done: m.Done, Trials: m.Trials * len(m.Points), WallSeconds: m.Host.WallSeconds,
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
			j.Versus = append(j.Versus, JSONVersus{v.Scheduler, v.Pairs, v.Unpaired, finite(v.Ratio), finite(v.Interval.Lo), finite(v.Interval.Hi)})
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
