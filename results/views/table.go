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

// Column is a column's heading, and how it is shown.
type Column struct {
	Name string
	// Number: the cells hold numbers, and stand to the right.
	Number bool
	// Spare columns are left out, the last one first, where there is no room
	// for them.
	Spare bool
}

// columnGap is between columns.
const columnGap = 2

// String lays the table out in aligned columns, numbers to the right.
func (t Table) String() string {
	text, _, _ := t.Fit(0)
	return text
}

// Fit is String for a terminal of a width, 0 for any width. It wraps long
// cells, and leaves out spare columns whose names it returns. It also returns
// the width that the table has come to.
func (t Table) Fit(terminal int) (text string, width int, leftOut []string) {
	const readable, narrowest = 16, 8
	widths := t.widths()
	if terminal > 0 {
		narrow(widths, terminal, readable)
		for tableWidth(widths) > terminal {
			last := -1
			for i, c := range t.Columns {
				if c.Spare {
					last = i
				}
			}
			if last < 0 {
				break
			}
			leftOut = append([]string{t.Columns[last].Name}, leftOut...)
			t = t.without(last)
			widths = t.widths()
			narrow(widths, terminal, readable)
		}
		narrow(widths, terminal, narrowest)
	}
	var out strings.Builder
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	t.write(&out, widths, names)
	for _, row := range t.Rows {
		t.write(&out, widths, row)
	}
	return out.String(), tableWidth(widths), leftOut
}

// widths are those that no cell needs to be wrapped for.
func (t Table) widths() []int {
	widths := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		widths[i] = utf8.RuneCountInString(c.Name)
		for _, row := range t.Rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	return widths
}

func tableWidth(widths []int) int {
	total := columnGap * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	return total
}

// narrow takes from the widest columns, down to a width, until the table is no
// wider than the terminal.
func narrow(widths []int, terminal, least int) {
	for tableWidth(widths) > terminal {
		widest := 0
		for i := range widths {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= least {
			return
		}
		widths[widest]--
	}
}

// without leaves out a column.
func (t Table) without(column int) Table {
	out := Table{Columns: slices.Delete(slices.Clone(t.Columns), column, column+1)}
	for _, row := range t.Rows {
		out.Rows = append(out.Rows, slices.Delete(slices.Clone(row), column, column+1))
	}
	return out
}

// WithoutEmpty leaves out the columns that have no text below their heading.
func (t Table) WithoutEmpty() Table {
	for i := len(t.Columns) - 1; i >= 0; i-- {
		if !slices.ContainsFunc(t.Rows, func(row []string) bool { return row[i] != "" }) {
			t = t.without(i)
		}
	}
	return t
}

// write writes one row, on several lines if a cell is wider than its column.
func (t Table) write(out *strings.Builder, widths []int, row []string) {
	cells := make([][]string, len(row))
	lines := 1
	for i, cell := range row {
		cells[i] = wrap(cell, widths[i], "/-_,+:")
		lines = max(lines, len(cells[i]))
	}
	for n := range lines {
		var line strings.Builder
		for i, c := range t.Columns {
			cell := ""
			if n < len(cells[i]) {
				cell = cells[i][n]
			}
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				line.WriteString(strings.Repeat(" ", columnGap))
			}
			if c.Number {
				line.WriteString(padding + cell)
			} else {
				line.WriteString(cell + padding)
			}
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// wrap breaks text into lines of a width, at a space, or after one of the
// marks. Where neither is near, a word is broken if there are marks, else its
// line is longer. A width of 0 is any width.
func wrap(text string, width int, marks string) []string {
	runes := []rune(text)
	if width <= 0 {
		return []string{text}
	}
	var lines []string
	for len(runes) > width {
		at := width
		for at > 0 && runes[at] != ' ' && !strings.ContainsRune(marks, runes[at-1]) {
			at--
		}
		switch {
		case at > 0:
		case marks != "":
			at = width
		default:
			for at = width; at < len(runes) && runes[at] != ' '; {
				at++
			}
		}
		lines = append(lines, strings.TrimRight(string(runes[:at]), " "))
		for runes = runes[at:]; len(runes) > 0 && runes[0] == ' '; {
			runes = runes[1:]
		}
	}
	if len(runes) > 0 {
		lines = append(lines, string(runes))
	}
	return lines
}

// Results is the table that a run ends with: a row for each point and
// workflow.
func Results(run *analysis.Run) Table {
	several := severalWorkflows(run) && !namedByAxis(run)
	t := Table{Columns: []Column{{Name: "scheduler"}}}
	if several {
		t.Columns = append(t.Columns, Column{Name: "workflow"})
	}
	for i := range run.Axes {
		t.Columns = append(t.Columns, Column{Name: axisName(run.Axes, i), Number: true})
	}
	latencyName := "mean latency"
	unfinished := false
	for _, s := range run.Series {
		unfinished = unfinished || s.Mean("failed") > 0 || s.Mean("timed_out") > 0
		if latency, _ := s.Of("latency"); latency.Interval.Method != stats.None {
			latencyName = "mean latency (95 %)"
		}
	}
	t.Columns = append(t.Columns, Column{Name: "n", Number: true}, Column{Name: latencyName, Number: true})
	if unfinished {
		t.Columns = append(t.Columns, Column{Name: "failed", Number: true}, Column{Name: "timed out", Number: true})
	}
	for _, name := range []string{"p50", "p99", "cold", "remote", "local"} {
		t.Columns = append(t.Columns, Column{Name: name, Number: true, Spare: true})
	}
	for _, s := range run.Series {
		row := []string{s.Scheduler}
		if several {
			row = append(row, s.Workflow)
		}
		row = append(row, s.Values...)
		latency, _ := s.Of("latency")
		row = append(row, fmt.Sprint(latency.N), withInterval(latency.Summary))
		if unfinished {
			row = append(row, count(total(s, "failed")), count(total(s, "timed_out")))
		}
		row = append(row, percentile(latency.Summary, 50, latency.P50),
			percentile(latency.Summary, 99, latency.P99), count(total(s, "cold_starts")),
			size(s.Mean("bytes_remote_read")+s.Mean("bytes_remote_written")),
			size(s.Mean("bytes_local_read")+s.Mean("bytes_local_written")))
		t.Rows = append(t.Rows, row)
	}
	return t
}

// axisName is what a heading calls an axis: its path's last part, unless that
// names two of them.
func axisName(axes []string, at int) string {
	last := func(axis string) string { return axis[strings.LastIndexByte(axis, '.')+1:] }
	for i, axis := range axes {
		if i != at && last(axis) == last(axes[at]) {
			return axes[at]
		}
	}
	return last(axes[at])
}

// total is the sum of a metric of trials over all trials.
func total(s *analysis.Series, metric string) float64 {
	return s.Mean(metric) * float64(s.Trials)
}

// namedByAxis reports whether the values of an axis name the workflow of every
// series.
func namedByAxis(run *analysis.Run) bool {
	for _, s := range run.Series {
		if !slices.Contains(s.Values, s.Workflow) && !slices.Contains(s.Values, shortName(s.Workflow)) {
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
			line += ", " + counted(v.Pairs, "pair")
			if v.Unpaired > 0 {
				line += fmt.Sprintf("; %d without a partner do not count", v.Unpaired)
			}
			lines = append(lines, line)
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
	const same = "1.00"
	alike := fmt.Sprintf("%.2f", ratio) == same
	if v.Interval.Method != stats.None {
		if lo <= 1 && hi >= 1 {
			return fmt.Sprintf("%s and %s do not differ: %.2f×%s", scheduler, v.Scheduler, v.Ratio, interval)
		}
		alike = alike && fmt.Sprintf("%.2f", lo) == same && fmt.Sprintf("%.2f", hi) == same
	}
	if alike {
		return fmt.Sprintf("%s and %s are within half a percent of each other", scheduler, v.Scheduler)
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
			return "95 % intervals: bootstrap over blocks of invocations (over trials, if there are five or more)"
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
