// Package views shows the results of a run: as a table on a terminal, as
// figures, and as a page.
package views

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/stats"
	"github.com/flowtwin/flowtwin/scenarios/units"
)

// Table is rows of cells under a heading.
type Table struct {
	Columns []Column
	Rows    [][]string
}

// Column is a column's heading, and whether it holds numbers.
type Column struct {
	Name   string
	Number bool
}

// String lays the table out in aligned columns, numbers to the right.
func (t Table) String() string {
	widths := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		widths[i] = utf8.RuneCountInString(c.Name)
		for _, row := range t.Rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	var text strings.Builder
	line := func(cells func(int) string) {
		var row strings.Builder
		for i, c := range t.Columns {
			cell := cells(i)
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				row.WriteString("  ")
			}
			if c.Number {
				row.WriteString(padding + cell)
			} else {
				row.WriteString(cell + padding)
			}
		}
		text.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	line(func(i int) string { return t.Columns[i].Name })
	for _, row := range t.Rows {
		line(func(i int) string { return row[i] })
	}
	return text.String()
}

// Results is the table that a run ends with: a row for each point and
// workflow.
func Results(run *analysis.Run) Table {
	several := severalWorkflows(run) && !namedByAxis(run)
	t := Table{Columns: []Column{{Name: "scheduler"}}}
	if several {
		t.Columns = append(t.Columns, Column{Name: "workflow"})
	}
	for _, axis := range run.Axes {
		t.Columns = append(t.Columns, Column{Name: axis, Number: true})
	}
	unfinished := false
	for _, s := range run.Series {
		unfinished = unfinished || s.Mean("failed") > 0 || s.Mean("timed_out") > 0
	}
	for _, name := range []string{"n", "mean latency", "p50", "p99", "cold", "remote", "local"} {
		t.Columns = append(t.Columns, Column{Name: name, Number: true})
	}
	if unfinished {
		t.Columns = append(t.Columns, Column{"failed", true}, Column{"timed out", true})
	}
	for _, s := range run.Series {
		row := []string{s.Scheduler}
		if several {
			row = append(row, s.Workflow)
		}
		row = append(row, s.Values...)
		latency, _ := s.Of("latency")
		row = append(row, fmt.Sprint(latency.N), withInterval(latency.Summary), percentile(latency.Summary, 50, latency.P50),
			percentile(latency.Summary, 99, latency.P99), count(total(s, "cold_starts")),
			size(s.Mean("bytes_remote_read")+s.Mean("bytes_remote_written")),
			size(s.Mean("bytes_local_read")+s.Mean("bytes_local_written")))
		if unfinished {
			row = append(row, count(total(s, "failed")), count(total(s, "timed_out")))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// total is the sum of a metric of trials over all trials.
func total(s *analysis.Series, metric string) float64 {
	return s.Mean(metric) * float64(s.Trials)
}

// namedByAxis reports whether the values of an axis name the workflow of every
// series.
func namedByAxis(run *analysis.Run) bool {
	for _, s := range run.Series {
		if !slices.Contains(s.Values, s.Workflow) {
			return false
		}
	}
	return true
}

func severalWorkflows(run *analysis.Run) bool {
	for _, s := range run.Series {
		if s.Workflow != run.Series[0].Workflow {
			return true
		}
	}
	return false
}

// Comparisons says how schedulers compare, in a line for each pair.
func Comparisons(run *analysis.Run) []string {
	several := severalWorkflows(run) && !namedByAxis(run)
	var lines []string
	for _, s := range run.Series {
		for _, v := range s.Versus {
			if math.IsNaN(v.Ratio) {
				continue
			}
			var where []string
			if several {
				where = append(where, shortName(s.Workflow))
			}
			for _, value := range s.Values {
				where = append(where, shortName(value))
			}
			line := compared(s.Scheduler, v)
			if len(where) > 0 {
				line += " at " + strings.Join(where, ", ")
			}
			lines = append(lines, fmt.Sprintf("%s, %d pairs", line, v.Pairs))
		}
	}
	return lines
}

// compared says how a scheduler's latency compares with that of an earlier
// one.
func compared(scheduler string, v analysis.Versus) string {
	ratio, lo, hi, word := v.Ratio, v.Interval.Lo, v.Interval.Hi, "faster"
	if ratio < 1 {
		ratio, lo, hi, word = 1/ratio, 1/hi, 1/lo, "slower"
	}
	interval := ""
	if v.Interval.Method != stats.None {
		interval = fmt.Sprintf(" (%.2f–%.2f)", lo, hi)
	}
	if v.Interval.Method != stats.None && lo <= 1 && hi >= 1 {
		return fmt.Sprintf("%s and %s do not differ: %.2f×%s", scheduler, v.Scheduler, v.Ratio, interval)
	}
	return fmt.Sprintf("%s is %.2f×%s %s than %s", scheduler, ratio, interval, word, v.Scheduler)
}

// IntervalNote says what the intervals of a run are.
func IntervalNote(run *analysis.Run) string {
	for _, s := range run.Series {
		latency, _ := s.Of("latency")
		switch latency.Interval.Method {
		case stats.Trials:
			return fmt.Sprintf("95 %% intervals: bootstrap over %d trials", s.Trials)
		case stats.Blocks:
			return "95 % intervals: bootstrap over blocks of invocations (five trials or more give intervals over trials)"
		}
	}
	return "too few samples for intervals"
}

func withInterval(s stats.Summary) string {
	if s.N == 0 {
		return "–"
	}
	text := duration(s.Mean)
	if s.Interval.Method != stats.None {
		text += fmt.Sprintf(" (%s–%s)", bare(s.Mean, s.Interval.Lo), bare(s.Mean, s.Interval.Hi))
	}
	return text
}

// percentile shows one; in brackets, if there are too few samples to support
// it.
func percentile(s stats.Summary, rank, value float64) string {
	if s.N == 0 {
		return "–"
	}
	text := duration(value)
	if !stats.Supported(rank, s.N) {
		return "(" + text + ")"
	}
	return text
}

func duration(seconds float64) string {
	if math.IsNaN(seconds) {
		return "–"
	}
	return units.Duration(math.Round(seconds * 1e9)).Human()
}

// bare shows an end of an interval in the unit of the mean, without the unit.
func bare(mean, value float64) string {
	unit := duration(mean)
	unit = unit[strings.LastIndexByte(unit, ' ')+1:]
	scale := map[string]float64{"ns": 1e9, "µs": 1e6, "ms": 1e3, "s": 1, "min": 1.0 / 60, "h": 1.0 / 3600}[unit]
	if scale == 0 {
		return duration(value)
	}
	v := value * scale
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func size(bytes float64) string {
	if math.IsNaN(bytes) {
		return "–"
	}
	return units.Bytes(math.Round(bytes)).Human()
}

func count(n float64) string {
	if math.IsNaN(n) {
		return "–"
	}
	return fmt.Sprintf("%.0f", n)
}
