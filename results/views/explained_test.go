package views

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/explain"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/rundir"
)

// explained is an invocation of three functions on the critical path and others
// beside it. Writing, the last one was refused for as long as retry.
func explained(t *testing.T, latency, retry engine.Time, beside int) *explain.Explanation {
	t.Helper()
	const ms = engine.Millisecond
	i := record.Invocation{
		Number: 12, Intended: 60e9, Ended: 60e9 + latency, Attempts: 1, Tasks: 3 + beside, ColdStarts: 1, Messages: 24, Outcome: engine.Completed,
	}
	if retry > 0 {
		i.Conflicts, i.ResentBytes = 9, 45e6
	}
	key := record.Key{Point: 2, Trial: 1, Scheduler: "mastersp", Workflow: "faasflow/genome", Values: []string{"50MB/s"}}
	at := i.Intended
	task := func(function, instance string, critical bool, control record.ControlTime, wait, fetch, compute, retry, put engine.Time) record.TaskRow {
		r := record.TaskRow{Function: function, Instance: instance, Node: "worker-1", Task: record.Task{
			Critical: critical, Before: control, Queued: at + 5*ms + control.Message + control.Sync, Fetch: fetch, Compute: compute, Retry: retry, Put: put + retry,
		}}
		r.Started = r.Queued + wait
		r.Ended = r.Started + fetch + compute + r.Put
		r.Until, r.PutUntil = r.Ended, r.Put
		return r
	}
	var tasks []record.TaskRow
	first := task("split", "", true, record.ControlTime{Message: 600_000, Sync: 7_100_000}, 800*ms, 0, 120*ms, 0, 40*ms)
	first.Cold = true
	tasks = append(tasks, first)
	at = first.Ended
	for n := range beside {
		tasks = append(tasks, task(fmt.Sprintf("beside_%d", n/2), fmt.Sprintf("%d/2", n%2), false, record.ControlTime{}, 0, ms, engine.Time(n+1)*ms, 0, 2*ms))
	}
	second := task("work", "3/8", true, record.ControlTime{Message: 300_000}, 3*ms, 31*ms, 450*ms+1, 0, 80*ms)
	tasks = append(tasks, second)
	at = second.Ended
	last := task("a_function_with_a_name_that_is_rather_long", "", true, record.ControlTime{Message: 300_000, Sync: 2_300_000}, 0, 90*ms, 50*ms, retry, 60*ms)
	last.Conflicts, last.After = i.Conflicts, record.ControlTime{Message: 300_000}
	tasks = append(tasks, last)
	e, err := explain.Explain(key, i, tasks)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestExplained compares explanations with the texts in testdata/explained; see
// TestViews.
func TestExplained(t *testing.T) {
	m := &rundir.Manifest{Scenario: "example", Backend: "sim", Profile: "faasflow-testbed", Axes: []string{"cluster.storage.cap"}}
	datadriven.Walk(t, filepath.Join("testdata", "explained"), func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			width, beside, n := 0, 4, 0
			retry := engine.Time(0)
			d.MaybeScanArgs(t, "width", &width)
			d.MaybeScanArgs(t, "beside", &beside)
			d.MaybeScanArgs(t, "against", &n)
			if d.HasArg("storm") {
				retry = 2 * engine.Second
			}
			e := Explained{"out/example", m, explained(t, 1_790_000_000+retry, retry, beside), nil}
			if n > 0 {
				e.Against = &Against{n, n >= 299, explained(t, 1_760_000_000, 0, beside), explained(t, 1_780_000_000+retry, retry, beside)}
			}
			switch d.Cmd {
			case "text":
				return e.Text(width)
			case "json":
				text, err := json.MarshalIndent(e.JSON(), "", " ")
				if err != nil {
					return err.Error()
				}
				return string(text)
			case "perfetto":
				text, err := e.Perfetto()
				if err != nil {
					return err.Error()
				}
				return strings.ReplaceAll(string(text), "},{", "},\n{")
			default:
				t.Fatalf("%s: there is no command %s", d.Pos, d.Cmd)
				return ""
			}
		})
	})
}

// On a terminal of 80 columns no line is longer.
func TestExplanationFitsTheTerminal(t *testing.T) {
	e := Explained{"out/example", &rundir.Manifest{Axes: []string{"cluster.storage.cap"}}, explained(t, 4_000_000_000, 2*engine.Second, 40), nil}
	e.Against = &Against{400, true, e.Explanation, e.Explanation}
	for n, line := range strings.Split(e.Text(80), "\n") {
		if length := len([]rune(line)); length > 80 {
			t.Errorf("line %d has %d columns: %s", n+1, length, line)
		}
	}
}

// Slices of one thread lie within each other, or Perfetto would show other ones.
func TestSlicesOfTheTraceNest(t *testing.T) {
	e := Explained{"out/example", &rundir.Manifest{}, explained(t, 4_000_000_000, 2*engine.Second, 6), nil}
	for n := range e.Tasks {
		e.Tasks[n].Container = uint32(n)
	}
	text, err := e.Perfetto()
	if err != nil {
		t.Fatal(err)
	}
	var trace struct {
		TraceEvents []struct {
			Name     string
			Ph       string
			Pid, Tid int
			Ts, Dur  float64
		}
	}
	if err := json.Unmarshal(text, &trace); err != nil {
		t.Fatal(err)
	}
	open := map[[2]int][]float64{} // ends
	slices, arrows := 0, 0
	for _, s := range trace.TraceEvents {
		switch s.Ph {
		case "s", "f":
			arrows++
		case "X":
			slices++
			at := [2]int{s.Pid, s.Tid}
			const rounding = 1e-4
			for len(open[at]) > 0 && open[at][len(open[at])-1] <= s.Ts+rounding {
				open[at] = open[at][:len(open[at])-1]
			}
			if n := len(open[at]); n > 0 && s.Ts+s.Dur > open[at][n-1]+rounding {
				t.Errorf("%s ends after the slice that it is in", s.Name)
			}
			open[at] = append(open[at], s.Ts+s.Dur)
		}
	}
	if slices < 40 || arrows != 4 {
		t.Errorf("%d slices and %d ends of arrows, want 40 or more and 4", slices, arrows)
	}
}
