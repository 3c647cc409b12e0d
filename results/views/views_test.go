package views

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/analysis"
	"github.com/flowtwin/flowtwin/results/compare"
	"github.com/flowtwin/flowtwin/results/metrics"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/scenarios"
)

// TestViews compares what people and machines are shown with the texts in
// testdata/screens.
//
//	go test ./results/views -rewrite
//
// writes the texts anew. The command run (axes=NAMES, trials=N of the scenario,
// partial) makes a run of a line for each scheduler, workflow and axis values:
//
//	faasflow faasflow/wordcount 30/min: 1 1.5 | 2 timeout
//
// has two trials of two invocations, whose latencies are given in seconds. Of
// each latency a tenth is fetch, the rest compute; each invocation reads 2 MB
// remotely and writes 3 kB locally. The other commands show that run, or what
// is given to them as JSON, on a terminal of a width.
func TestViews(t *testing.T) {
	datadriven.Walk(t, filepath.Join("testdata", "screens"), func(t *testing.T, path string) {
		var run *analysis.Run
		var manifest *rundir.Manifest
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			width := 0
			d.MaybeScanArgs(t, "width", &width)
			switch d.Cmd {
			case "run":
				var err error
				if manifest, run, err = runOf(t, d); err != nil {
					return err.Error() + "\n"
				}
				return ""
			case "screen":
				var figures []string
				for i := range d.CmdArgs {
					if d.CmdArgs[i].Key == "figures" {
						for _, name := range d.CmdArgs[i].Vals {
							figures = append(figures, filepath.Join("out", "small", "figures", name+".svg"))
						}
					}
				}
				return Screen(filepath.Join("out", "small"), manifest, run, figures, width)
			case "json":
				report := JSON("out/small", manifest, run, []string{})
				for _, series := range report.Series { // one metric shows them all
					maps.DeleteFunc(series.Metrics, func(name string, _ JSONMetric) bool { return name != "latency" })
				}
				return asJSON(t, report)
			case "catalogue":
				return Catalogue(fromJSON(t, d, &scenarios.Catalogue{}), width)
			case "outlook":
				return Outlook(fromJSON(t, d, &scenarios.Outlook{}), width)
			case "compared":
				var axes []string
				if d.HasArg("axes") {
					arg, _ := d.Arg("axes")
					axes = arg.Vals
				}
				return Compared(fromJSON(t, d, &compare.Result{}), axes, width)
			case "side-by-side":
				return SideBySide(fromJSON(t, d, &compare.Table{}), width)
			}
			t.Fatalf("%s: there is no command %s", d.Pos, d.Cmd)
			return ""
		})
	})
}

func fromJSON[T any](t *testing.T, d *datadriven.TestData, into *T) *T {
	r := json.NewDecoder(strings.NewReader(d.Input))
	r.DisallowUnknownFields()
	if err := r.Decode(into); err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	return into
}

func asJSON(t *testing.T, v any) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", " ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// runOf makes a run from its latencies; see TestViews.
func runOf(t *testing.T, d *datadriven.TestData) (*rundir.Manifest, *analysis.Run, error) {
	var axes []string
	if arg, ok := d.Arg("axes"); ok {
		axes = arg.Vals
	}
	m := &rundir.Manifest{Scenario: "small", Backend: "sim", Profile: "ideal", Seed: 1, Axes: axes, Status: "complete", Host: rundir.Host{WallSeconds: 1.64}}
	a := analysis.New(m.Backend, axes, m.Seed)
	d.MaybeScanArgs(t, "seconds", &m.Host.WallSeconds)
	for _, line := range strings.Split(d.Input, "\n") {
		name, samples, ok := strings.Cut(line, ": ")
		names := strings.Fields(name)
		if !ok || len(names) != 2+len(axes) {
			return nil, nil, fmt.Errorf("%q: write SCHEDULER WORKFLOW VALUE...: LATENCIES", line)
		}
		key := analysis.Key{Scheduler: names[0], Workflow: names[1], Values: names[2:]}
		key.Point = slices.IndexFunc(m.Points, func(p rundir.ManifestPoint) bool {
			return p.Scheduler == key.Scheduler && slices.Equal(p.Values, key.Values)
		})
		if key.Point < 0 {
			key.Point = len(m.Points)
			m.Points = append(m.Points, rundir.ManifestPoint{Scheduler: key.Scheduler, Values: key.Values})
		}
		trials := strings.Split(samples, "|")
		m.Trials = max(m.Trials, len(trials))
		for _, trial := range trials {
			s := analysis.NewSamples(-1, 0)
			for i, text := range strings.Fields(trial) {
				invocation := record.Invocation{
					Number: int64(i), Measured: true, Intended: engine.Time(i) * 1e9, RemoteRead: 2e6, LocalWritten: 3e3, ColdStarts: i % 2,
				}
				seconds, err := strconv.ParseFloat(text, 64)
				switch {
				case text == "timeout":
					seconds, invocation.Outcome = 60, engine.TimedOut
				case err != nil:
					return nil, nil, err
				}
				latency := engine.Time(seconds * 1e9)
				invocation.Ended = invocation.Intended + latency
				invocation.Phases[record.Fetch] = latency / 10
				invocation.Phases[record.Compute] = latency - latency/10
				s.Add(metrics.All(), &invocation)
			}
			a.Trial(key, s)
		}
	}
	m.Done = len(m.Points) * m.Trials
	if d.HasArg("partial") {
		m.Status = "partial"
		d.ScanArgs(t, "partial", &m.Done)
	}
	return m, a.Finish(), nil
}

// small is a run with two schedulers at three rates.
func small(t *testing.T) (*rundir.Manifest, *analysis.Run) {
	m, run, err := runOf(t, &datadriven.TestData{
		CmdArgs: []datadriven.CmdArg{{Key: "axes", Vals: []string{"load.rate"}}},
		Input: `mastersp faasflow/wordcount 30/min: 1 1.1 1.2
faasflow faasflow/wordcount 30/min: 0.5 0.6 0.7
mastersp faasflow/wordcount 60/min: 1 1.1 1.2
faasflow faasflow/wordcount 60/min: 0.5 0.6 0.7
mastersp faasflow/wordcount 120/min: timeout timeout timeout
faasflow faasflow/wordcount 120/min: 0.5 0.6 timeout`,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, run
}

// Whatever a table holds, it fits the terminal as long as its columns can be
// eight wide, and says all that it does not leave out.
func TestTablesFitTheTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-zé/ -]{0,30}`)
		table := Table{}
		for i := range rapid.IntRange(1, 6).Draw(t, "columns") {
			table.Columns = append(table.Columns, Column{Name: word.Draw(t, "name"), Number: rapid.Bool().Draw(t, "number"), Spare: i > 2})
		}
		for range rapid.IntRange(0, 4).Draw(t, "rows") {
			var row []string
			for range table.Columns {
				row = append(row, word.Draw(t, "cell"))
			}
			table.Rows = append(table.Rows, row)
		}
		terminal := rapid.IntRange(30, 120).Draw(t, "width")
		text, width, leftOut := table.Fit(terminal)
		for _, line := range strings.Split(text, "\n") {
			if n := utf8.RuneCountInString(line); n > terminal || n > width {
				t.Fatalf("a line of %d in a table of %d on a terminal of %d:\n%s", n, width, terminal, text)
			}
		}
		shown := table.Columns[:len(table.Columns)-len(leftOut)]
		letters := func(text string) int { return len(text) - strings.Count(text, " ") - strings.Count(text, "\n") }
		want := 0
		for i, c := range shown {
			want += letters(c.Name)
			for _, row := range table.Rows {
				want += letters(row[i])
			}
		}
		if got := letters(text); got != want {
			t.Fatalf("%d letters are shown, want %d:\n%s", got, want, text)
		}
	})
}

func TestEveryKindOfFigureIsDrawn(t *testing.T) {
	m, run := small(t)
	m.Title = "A small run"
	for _, k := range scenarios.FigureKinds() {
		if k.Name != "gantt" { // which is drawn from tasks.csv: see cmd/flowtwin
			m.Figures = append(m.Figures, scenarios.FigureUse{Kind: k.Name})
		}
	}
	m.Figures = append(m.Figures, scenarios.FigureUse{Kind: "bars", Metric: "bytes_remote_read"}, scenarios.FigureUse{Kind: "cdf", Log: true})
	drawn, err := Draw(t.TempDir(), m, run)
	if err != nil {
		t.Fatal(err)
	}
	if len(drawn) != len(m.Figures) {
		t.Fatalf("%d figures are drawn, want %d", len(drawn), len(m.Figures))
	}
	texts := map[string]string{}
	for _, d := range drawn {
		svg, err := d.Figure.SVG()
		if err != nil {
			t.Fatal(err)
		}
		texts[d.Name] = string(svg)
	}
	for name, wants := range map[string][]string{
		"bars":                   {"A small run: latency", "mean latency (s)", "timeout", "60/min", "mastersp", "faasflow"},
		"bars-bytes_remote_read": {"mean bytes remote read (MB)"},
		"latency-by-rate":        {"rate (1/min)", "A small run: latency by rate"},
		"breakdown":              {"fetch", "compute", "30/min"},
		"cdf":                    {"120/min", "latency (s)"},
		"cdf-2":                  {"latency (s)"}, // the second of that name
		"timeline":               {"time (s)", "120/min"},
	} {
		for _, want := range wants {
			if !strings.Contains(texts[name], want) {
				t.Errorf("figure %s does not say %q", name, want)
			}
		}
	}
}

// drawnAs draws one figure of a run, as SVG.
func drawnAs(t *testing.T, m *rundir.Manifest, run *analysis.Run, use scenarios.FigureUse) string {
	t.Helper()
	m.Figures = []scenarios.FigureUse{use}
	drawn, err := Draw(t.TempDir(), m, run)
	if err != nil {
		t.Fatal(err)
	}
	svg, err := drawn[0].Figure.SVG()
	if err != nil {
		t.Fatal(err)
	}
	return string(svg)
}

func TestTimelineOfSeveralWorkflowsHasAPanelForEach(t *testing.T) {
	m, run, err := runOf(t, &datadriven.TestData{Input: `mastersp faasflow/video: 1 2 3
mastersp faasflow/wordcount: 1 2 3
faasflow faasflow/video: 1 2 3
faasflow faasflow/wordcount: 1 2 3`})
	if err != nil {
		t.Fatal(err)
	}
	svg := drawnAs(t, m, run, scenarios.FigureUse{Kind: "timeline"})
	for text, want := range map[string]int{"video (s)": 1, "wordcount (s)": 1, ">mastersp<": 1, ">faasflow<": 1, "under way": 0} {
		if got := strings.Count(svg, text); got != want {
			t.Errorf("the timeline says %q %d times, want %d", text, got, want)
		}
	}
}

func TestAnAxisMayHaveAPanelForEachOfItsValues(t *testing.T) {
	m, run, err := runOf(t, &datadriven.TestData{CmdArgs: []datadriven.CmdArg{{Key: "axes", Vals: []string{"workflow alone", "load.rate"}}}, Input: `mastersp faasflow/video video 30/min: 1 2 3
mastersp faasflow/video video 60/min: 1 2 3
mastersp faasflow/wordcount wordcount 30/min: 1 2 3
mastersp faasflow/wordcount wordcount 60/min: 1 2 3`})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"bars", "breakdown"} {
		svg := drawnAs(t, m, run, scenarios.FigureUse{Kind: kind, Panels: "workflow alone"})
		// The panel says which workflow it is, so groups say the rate alone.
		for text, want := range map[string]int{">video<": 1, ">wordcount<": 1, ">30/min<": 2, ">60/min<": 2, "video 30/min": 0} {
			if got := strings.Count(svg, text); got != want {
				t.Errorf("%s says %q %d times, want %d", kind, text, got, want)
			}
		}
	}
}

func TestFigureThatCannotBeDrawnKeepsNoneBack(t *testing.T) {
	m, run := small(t)
	m.Figures = []scenarios.FigureUse{{Kind: "latency-by-rate", X: "cluster.workers"}, {Kind: "cdf"}}
	drawn, err := Draw(t.TempDir(), m, run)
	if want := "figure latency-by-rate: the scenario has no axis of numbers to draw along"; err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
	if len(drawn) != 1 || drawn[0].Name != "cdf" {
		t.Errorf("%v is drawn, want the cdf", drawn)
	}
}

func TestRunWithoutResultsHasNoFigures(t *testing.T) {
	drawn, err := Draw(t.TempDir(), &rundir.Manifest{Figures: []scenarios.FigureUse{{Kind: "timeline"}}}, &analysis.Run{})
	if err != nil || len(drawn) != 0 {
		t.Errorf("%v, %v", drawn, err)
	}
}

func TestPageIsSelfContained(t *testing.T) {
	m, run := small(t)
	m.Title = `A <b>title</b> & more`
	m.Figures = []scenarios.FigureUse{{Kind: "cdf"}}
	m.Status, m.Done = "partial", 5
	m.Constants = &rundir.Constants{Pace: true, Paced: []string{"engine.send", "store.put"}, NotApplied: []string{"store.read"}}
	drawn, err := Draw(t.TempDir(), m, run)
	if err != nil {
		t.Fatal(err)
	}
	section, err := RunSection(m, run, drawn)
	if err != nil {
		t.Fatal(err)
	}
	html, err := Page{Title: "small", Lead: "Two runs.", Sections: []PageSection{section, section}}.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<svg", "A &lt;b&gt;title", "The run was interrupted: 5 of 6 trials are here", "mean latency", "faasflow is 1.83", "phase_fetch",
		"(--pace)", "paced: engine.send, store.put\nnot applied: store.read<",
	} {
		if !bytes.Contains(html, []byte(want)) {
			t.Errorf("the page does not hold %q", want)
		}
	}
	if err := selfContained(html); err != nil {
		t.Error(err)
	}
	if selfContained([]byte(`<img src="figure.png">`)) == nil || selfContained([]byte(`<p style="background: url(x.png)">`)) == nil {
		t.Error("a page that loads a picture passes as self-contained")
	}
}

// selfContained reports what a page would load.
func selfContained(html []byte) error {
	for _, loads := range []string{"src=", "<link", "<script", "@import", "url(", "<iframe", "<object", "<embed"} {
		// A clip path or a pattern within the page is none.
		text := bytes.ReplaceAll(html, []byte("url(#"), nil)
		if bytes.Contains(text, []byte(loads)) {
			return errors.New("the page has " + loads)
		}
	}
	return nil
}
