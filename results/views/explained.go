package views

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/explain"
	"github.com/flowtwin/flowtwin/results/figures"
	"github.com/flowtwin/flowtwin/results/rundir"
)

// Explained is an explanation that is shown, and what goes with it.
type Explained struct {
	Directory string
	Manifest  *rundir.Manifest
	*explain.Explanation
	// Against is set if the invocation is the slowest of its point.
	Against *Against
}

// Against is what the slowest invocation is held against: those at the median
// and at the 99th percentile of the N that completed at its point.
type Against struct {
	N           int
	Supported   bool
	Median, P99 *explain.Explanation
}

// Text shows an explanation on a terminal of a width (0: any).
func (e Explained) Text(width int) string {
	var out strings.Builder
	e.heading(&out, width)
	e.totals(&out)
	e.storm(&out, width)
	e.path(&out, width)
	e.rest(&out, width)
	if e.Against != nil {
		e.Against.text(&out, e.Explanation, width)
	}
	return strings.ReplaceAll(out.String(), noBreak, " ")
}

// noBreak stands for a space at which no line is to end.
const noBreak = "\u00a0"

// length shows a time in one piece.
func length(t engine.Time) string {
	return strings.ReplaceAll(duration(float64(t)/1e9), " ", noBreak)
}

// exact shows a time in seconds to the nanosecond.
func exact(t engine.Time) string {
	sign := ""
	if t < 0 {
		sign, t = "-", -t
	}
	return fmt.Sprintf("%s%d.%09d", sign, t/1e9, t%1e9)
}

// paragraph writes text in lines of a width, which are indented.
func paragraph(out *strings.Builder, indent, text string, width int) {
	if width > 0 {
		width = max(width-len(indent), 20)
	}
	for _, line := range wrap(text, width, "") {
		out.WriteString(indent + line + "\n")
	}
}

// place names an invocation for people.
func place(e *explain.Explanation, axes []string) string {
	parts := []string{fmt.Sprintf("point %d", e.Key.Point), fmt.Sprintf("trial %d", e.Key.Trial)}
	for n, value := range e.Key.Values {
		parts = append(parts, axisName(axes, n)+" "+value)
	}
	return strings.Join(parts, ", ")
}

func (e Explained) heading(out *strings.Builder, width int) {
	i := &e.Invocation
	slowest := ""
	if e.Against != nil {
		slowest = ", the slowest"
	}
	paragraph(out, "", fmt.Sprintf("invocation %d of %s under %s (%s)%s", i.Number, shortName(e.Key.Workflow), e.Key.Scheduler, place(e.Explanation, e.Manifest.Axes), slowest), width)
	facts := []string{
		fmt.Sprintf("%s in %s, sent at %s", strings.ReplaceAll(i.Outcome.String(), "_", " "), length(i.Latency()), length(i.Intended)),
		counted(i.Tasks, "function instance"), counted(i.ColdStarts, "cold start"), counted(i.Messages, "message"),
	}
	if i.Conflicts > 0 {
		facts = append(facts, counted(i.Conflicts, "write conflict"))
	}
	if i.Attempts > 1 {
		facts = append(facts, counted(i.Attempts, "attempt"))
	}
	paragraph(out, "", strings.Join(facts, ", "), width)
}

func (e Explained) totals(out *strings.Builder) {
	fmt.Fprintf(out, "\nwhere the time went, along the critical path\n")
	t := Table{Columns: []Column{{Name: "  phase"}, {Name: "seconds", Number: true}, {Name: "share", Number: true}, {}}}
	latency := e.Invocation.Latency()
	for p, time := range e.Totals {
		if time != 0 {
			share := float64(time) / float64(latency)
			t.Rows = append(t.Rows, []string{"  " + explain.Phase(p).Label(), exact(time), percent(share), strings.Repeat("█", int(math.Round(share*30)))})
		}
	}
	t.Rows = append(t.Rows, []string{"  sum = latency", exact(latency), "100" + noBreak + "%", ""})
	out.WriteString(t.String())
}

func percent(share float64) string {
	if math.IsNaN(share) {
		return "–"
	}
	return fmt.Sprintf("%.1f%s%%", share*100, noBreak)
}

// storm names what write conflicts have cost, if it is much.
func (e Explained) storm(out *strings.Builder, width int) {
	c := e.Conflicts()
	if !c.Storm(e.Invocation.Latency()) {
		return
	}
	out.WriteString("\n")
	paragraph(out, "", fmt.Sprintf(
		"conflict storm: %s of the %s that putting took on the critical path (%s) went into uploads that the store refused, as another function "+
			"of this invocation had changed the same document meanwhile. In all %s refused, %s sent in vain; over all functions %s of %s of put.",
		length(c.PathRetry), length(c.PathPut), percent(float64(c.PathRetry)/float64(c.PathPut)),
		counted(c.Refused, "upload"), strings.ReplaceAll(size(float64(c.Bytes)), " ", noBreak), length(c.Retry), length(c.Put)), width)
}

// path shows the critical path, a row a step.
func (e Explained) path(out *strings.Builder, width int) {
	fmt.Fprintf(out, "\ncritical path (parts under 1 %% of a step are left out)\n")
	t := Table{Columns: []Column{{Name: "  at", Number: true}, {Name: "took", Number: true}, {Name: "function"}, {Name: "node"}, {Name: "of which"}}}
	for _, s := range e.Path {
		name, node := "(end)", ""
		if s.Task >= 0 {
			name, node = e.Tasks[s.Task].Name(), e.Tasks[s.Task].Node
		}
		if s.From == s.To {
			continue
		}
		t.Rows = append(t.Rows, []string{"  " + length(s.From-e.Invocation.Intended), length(s.To - s.From), name, node, parts(s)})
	}
	text, _, _ := t.Fit(width)
	out.WriteString(text)
}

// parts says what a step was spent on.
func parts(s explain.Step) string {
	var list []string
	for _, span := range s.Spans {
		if span.Length()*100 >= s.To-s.From {
			list = append(list, strings.ReplaceAll(span.Phase.Label(), " ", noBreak)+noBreak+length(span.Length()))
		}
	}
	return strings.Join(list, ", ")
}

// rest sums up what was not on the critical path, by function.
func (e Explained) rest(out *strings.Builder, width int) {
	type sum struct {
		function string
		runs     int
		from, to engine.Time
		longest  engine.Time
	}
	var sums []sum
	runs := 0
	at := map[string]int{}
	for n := range e.Tasks {
		t := &e.Tasks[n]
		if t.Critical {
			continue
		}
		runs++
		k, known := at[t.Function]
		if !known {
			k = len(sums)
			at[t.Function] = k
			sums = append(sums, sum{function: t.Function, from: t.Queued})
		}
		s := &sums[k]
		s.runs++
		s.to = max(s.to, t.Ended)
		s.longest = max(s.longest, t.Ended-t.Queued)
	}
	if runs == 0 {
		return
	}
	fmt.Fprintf(out, "\noff the critical path: %s of %s\n", counted(runs, "instance"), counted(len(sums), "function"))
	slices.SortStableFunc(sums, func(a, b sum) int { return cmp.Compare(b.longest, a.longest) })
	const most = 8
	t := Table{Columns: []Column{
		{Name: "  function"}, {Name: "instances", Number: true}, {Name: "first triggered", Number: true}, {Name: "last ended", Number: true}, {Name: "longest", Number: true},
	}}
	for _, s := range sums[:min(most, len(sums))] {
		start := e.Invocation.Intended
		t.Rows = append(t.Rows, []string{"  " + s.function, fmt.Sprint(s.runs), length(s.from - start), length(s.to - start), length(s.longest)})
	}
	text, _, _ := t.Fit(width)
	out.WriteString(text)
	if more := len(sums) - most; more > 0 {
		fmt.Fprintf(out, "  and %s, shorter ones\n", counted(more, "function"))
	}
}

// text shows where the 99th percentile goes against the median.
func (a *Against) text(out *strings.Builder, slowest *explain.Explanation, width int) {
	fmt.Fprintf(out, "\nwhere the p99 goes against the median, of %s\n", counted(a.N, "invocation"))
	p99 := "p99"
	if !a.Supported {
		p99 = "(p99)"
	}
	t := Table{Columns: []Column{
		{Name: "  phase"}, {Name: "median", Number: true}, {Name: p99, Number: true}, {Name: "more", Number: true}, {Name: "share of it", Number: true}, {Name: "slowest", Number: true, Spare: true},
	}}
	more := a.P99.Invocation.Latency() - a.Median.Invocation.Latency()
	row := func(name string, median, p99, slowest engine.Time) {
		share := "–"
		if more > 0 {
			share = percent(float64(p99-median) / float64(more))
		}
		t.Rows = append(t.Rows, []string{"  " + name, exact(median), exact(p99), exact(p99 - median), share, exact(slowest)})
	}
	for p := range explain.Phases {
		if median, p99, most := a.Median.Totals[p], a.P99.Totals[p], slowest.Totals[p]; median != 0 || p99 != 0 || most != 0 {
			row(p.Label(), median, p99, most)
		}
	}
	row("latency (s)", a.Median.Invocation.Latency(), a.P99.Invocation.Latency(), slowest.Invocation.Latency())
	text, _, _ := t.Fit(width)
	out.WriteString(text)
	name := func(e *explain.Explanation) string {
		return fmt.Sprintf("%d of trial %d", e.Invocation.Number, e.Key.Trial)
	}
	note := fmt.Sprintf("The median is invocation %s, the p99 is %s.", name(a.Median), name(a.P99))
	if !a.Supported {
		note += " So few do not support a p99: it takes 299."
	}
	paragraph(out, "  ", note, width)
}

// Gantt draws an explanation: all function instances, or if they are many
// those of the critical path.
func (e Explained) Gantt() Named {
	i := &e.Invocation
	chart := figures.Gantt{
		Title:    fmt.Sprintf("%s: invocation %d of %s under %s", e.Manifest.Scenario, i.Number, shortName(e.Key.Workflow), e.Key.Scheduler),
		Subtitle: strings.Join([]string{e.Manifest.Backend, "profile " + e.Manifest.Profile, place(e.Explanation, e.Manifest.Axes)}, " · "),
		XLabel:   "time since the request was to be sent (s)",
	}
	const most = 150
	if len(e.Tasks) > most {
		chart.Subtitle += fmt.Sprintf(" · only the critical path of %d function instances", len(e.Tasks))
	}
	// What triggered a task of the path stands before it.
	before := map[int][]explain.Span{}
	for _, s := range e.Path {
		if s.Task >= 0 {
			before[s.Task] = s.Spans[:len(s.Spans)-len(e.Tasks[s.Task].Spans)]
		}
	}
	for n := range e.Tasks {
		t := &e.Tasks[n]
		if len(e.Tasks) > most && !t.Critical {
			continue
		}
		chart.Rows = append(chart.Rows, figures.GanttRow{
			Name: t.Name(), Node: t.Node, Critical: t.Critical,
			Spans: ganttSpans(slices.Concat(before[n], t.Spans), i.Intended),
		})
	}
	if last := e.Path[len(e.Path)-1]; last.To > last.From && len(chart.Rows) > 0 {
		chart.Rows = append(chart.Rows, figures.GanttRow{Name: "(end)", Critical: true, Spans: ganttSpans(last.Spans, i.Intended)})
	}
	return Named{"gantt", chart.Draw()}
}

// ganttSpans are spans as figures have them, in seconds since start.
func ganttSpans(spans []explain.Span, start engine.Time) []figures.GanttSpan {
	var list []figures.GanttSpan
	for _, s := range spans {
		list = append(list, figures.GanttSpan{Phase: s.Phase.Label(), From: float64(s.From-start) / 1e9, To: float64(s.To-start) / 1e9})
	}
	return list
}
