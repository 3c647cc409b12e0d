package rundir

import (
	"bytes"
	"encoding/csv"
	"math"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/stats"
)

// SummaryColumns are the columns of summary.csv. A cell is empty where there
// is no number, and for a percentile that n does not support.
func SummaryColumns(axes []string) []string {
	return slices.Concat([]string{"backend", "scheduler", "workflow"}, axes,
		[]string{"metric", "unit", "n", "mean", "mean_lo", "mean_hi", "p50", "p90", "p95", "p99", "min", "max"})
}

// writeSummary writes summary.csv.
func writeSummary(dir string, run *analysis.Run) error {
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	if err := w.Write(SummaryColumns(run.Axes)); err != nil {
		return err
	}
	for _, s := range run.Series {
		for _, m := range s.Summaries {
			row := slices.Concat([]string{run.Backend, s.Scheduler, s.Workflow}, s.Values, []string{m.Metric.Name, m.Metric.Unit})
			row = append(row, strconv.Itoa(m.N), number(m.Mean), number(m.Interval.Lo), number(m.Interval.Hi))
			for _, p := range []struct{ rank, value float64 }{{50, m.P50}, {90, m.P90}, {95, m.P95}, {99, m.P99}} {
				cell := ""
				if stats.Supported(p.rank, m.N) {
					cell = number(p.value)
				}
				row = append(row, cell)
			}
			row = append(row, number(m.Min), number(m.Max))
			if err := w.Write(row); err != nil {
				return err
			}
		}
	}
	w.Flush()
	return WriteFile(filepath.Join(dir, "summary.csv"), text.Bytes())
}

func number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', 12, 64)
}
