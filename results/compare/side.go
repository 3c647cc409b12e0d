package compare

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/metrics"
)

// Table shows several runs side by side.
type Table struct {
	// Runs are their headings: the back ends, with what tells those of the same
	// one apart.
	Runs []string  `json:"runs"`
	Axes []string  `json:"axes,omitempty"`
	Rows []SideRow `json:"rows"`
}

// SideRow is a metric of one series.
type SideRow struct {
	Scheduler string   `json:"scheduler"`
	Workflow  string   `json:"workflow"`
	Values    []string `json:"values,omitempty"`
	Metric    string   `json:"metric"`
	Unit      string   `json:"unit,omitempty"`
	// Means has one of each run, Ratios what it is of the first run's. Either is
	// null where there is none.
	Means  []*float64 `json:"means"`
	Ratios []*float64 `json:"ratios"`
}

// shown are the metrics that stand side by side when none is named: what is
// measured, and what must be the same.
func shown() []string {
	return []string{
		"latency", "scheduling_overhead", "data_overhead", "hop_overhead",
		"bytes_remote_read", "bytes_remote_written", "bytes_local_read", "bytes_local_written", "cold_starts",
	}
}

// SideBySide puts runs that vary the same beside each other: every series that
// one of them has, and of each the metrics named, or what is usually asked for.
// names tell runs of the same back end apart. The error says why the runs cannot
// be put beside each other.
func SideBySide(runs []*analysis.Run, names []string, chosen ...string) (*Table, error) {
	if len(chosen) == 0 {
		chosen = shown()
	}
	t := &Table{Rows: []SideRow{}}
	var all []*analysis.Series
	common := false
	for i, r := range runs {
		if !slices.Equal(r.Axes, runs[0].Axes) {
			return nil, fmt.Errorf("the runs do not vary the same: the axes are %s in %s and %s in %s", list(runs[0].Axes), names[0], list(r.Axes), names[i])
		}
		heading := r.Backend
		if count(runs, r.Backend) > 1 {
			heading += " " + names[i]
		}
		t.Runs = append(t.Runs, heading)
		for _, s := range r.Series {
			if slices.ContainsFunc(all, func(o *analysis.Series) bool { return alike(s, o) }) {
				common = true
			} else {
				all = append(all, s)
			}
		}
	}
	if !common {
		return nil, errors.New("the runs have no scheduler, workflow and axis values in common")
	}
	t.Axes = runs[0].Axes
	for _, s := range all {
		for _, name := range chosen {
			metric, ok := metrics.Find(name)
			if !ok {
				return nil, known(name)
			}
			row := SideRow{Scheduler: s.Scheduler, Workflow: s.Workflow, Values: s.Values, Metric: name, Unit: metric.Unit}
			for _, r := range runs {
				mean := math.NaN()
				if own := find(r, s); own != nil {
					mean = own.Mean(name)
				}
				row.Means = append(row.Means, finite(mean))
				row.Ratios = append(row.Ratios, ratio(mean, row.Means[0]))
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t, nil
}

// ratio is what a mean is of the first; nil if that says nothing.
func ratio(mean float64, first *float64) *float64 {
	switch {
	case first == nil:
		return nil
	case mean == *first:
		return finite(1)
	default:
		return finite(mean / *first)
	}
}

func count(runs []*analysis.Run, backend string) int {
	n := 0
	for _, r := range runs {
		if r.Backend == backend {
			n++
		}
	}
	return n
}
