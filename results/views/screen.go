package views

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/results/stats"
)

// mostComparisons is how many comparisons of schedulers a screen shows.
const mostComparisons = 12

// Screen is what a run ends with on a terminal of a width (0: any): what was
// run, the table of results, how the schedulers compare, and where the figures
// are.
func Screen(dir string, m *rundir.Manifest, run *analysis.Run, figures []string, width int) string {
	table, tableWidth, leftOut := Results(run).Fit(width)
	var out strings.Builder
	say := func(text string) { out.WriteString(strings.Join(wrap(text, width, ""), "\n") + "\n") }

	what := fmt.Sprintf("%s · %s · profile %s · %s × %s", m.Scenario, m.Backend, m.Profile, counted(len(m.Points), "point"), counted(m.Trials, "trial"))
	done := fmt.Sprintf("%d/%d", m.Done, m.Trials*len(m.Points))
	if m.Status != "complete" {
		done += " partial"
	}
	done += "  " + wall(m.Host.WallSeconds)
	gap := max(tableWidth-utf8.RuneCountInString(what)-utf8.RuneCountInString(done), 2*columnGap)
	say(what + strings.Repeat(" ", gap) + done)
	if len(run.Series) > 0 {
		out.WriteString(table)
		if len(leftOut) > 0 {
			say(fmt.Sprintf("left out, for want of width: %s; all is in %s", strings.Join(leftOut, ", "), filepath.Join(dir, "summary.csv")))
		}
		say(IntervalNote(run) + bracketNote(run))
	}
	comparisons := Comparisons(run)
	for i, line := range comparisons {
		if i == mostComparisons {
			say(fmt.Sprintf("and %d more such lines: flowtwin report %s", len(comparisons)-i, dir))
			break
		}
		say(line)
	}
	if len(figures) > 0 {
		names := []string{figures[0]}
		for _, path := range figures[1:] {
			names = append(names, filepath.Base(path))
		}
		say("figures  " + strings.Join(names, " · "))
	}
	say("results  " + dir)
	return out.String()
}

// bracketNote says what brackets mean, if any are there.
func bracketNote(run *analysis.Run) string {
	for _, s := range run.Series {
		if latency, _ := s.Of("latency"); latency.N > 0 && !stats.Supported(99, latency.N) {
			return "; percentiles in brackets: too few samples"
		}
	}
	return ""
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// wall shows how long a run took.
func wall(seconds float64) string {
	if seconds < 60 {
		return fmt.Sprintf("%.1f s", seconds)
	}
	return time.Duration(seconds * 1e9).Round(time.Second).String()
}
