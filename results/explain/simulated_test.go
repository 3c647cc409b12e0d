package explain_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/explain"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/sim"
)

// witness explains every invocation of a trial.
type witness struct {
	trial    *scenarios.Trial
	tasks    map[[2]int64][]record.TaskRow
	explain  func(*record.Invocation, *explain.Explanation, error)
	measured int
}

func (w *witness) WantsTasks() bool { return true }

func (w *witness) Task(t *record.Task) {
	key := [2]int64{int64(t.Workflow), t.Number}
	w.tasks[key] = append(w.tasks[key], t.Row(w.trial.Workflows[t.Workflow].Functions[t.Function].Name, fmt.Sprint(t.Node)))
}

func (w *witness) Invocation(i *record.Invocation) {
	key := [2]int64{int64(i.Workflow), i.Number}
	e, err := explain.Explain(record.Key{}, *i, w.tasks[key])
	delete(w.tasks, key)
	w.explain(i, e, err)
}

// simulate runs the first trial of each point of a scenario, and explains every
// invocation.
func simulate(t *testing.T, p *scenarios.Plan, explained func(point int, i *record.Invocation, e *explain.Explanation)) {
	t.Helper()
	for point := range p.Points {
		trial := p.Trial(point, 0)
		w := &witness{trial: trial, tasks: map[[2]int64][]record.TaskRow{}}
		w.explain = func(i *record.Invocation, e *explain.Explanation, err error) {
			if err != nil {
				t.Fatalf("point %d (%s %v): %v", point, p.Points[point].Scheduler, p.Points[point].Values, err)
			}
			w.measured++
			explained(point, i, e)
		}
		if err := (sim.World{}).Run(context.Background(), trial, w); err != nil {
			t.Fatal(err)
		}
		if w.measured == 0 {
			t.Fatalf("point %d has no invocations", point)
		}
	}
}

// check demands that every nanosecond is accounted for, once, and that the
// phases are those that every run records, only finer.
func check(t *testing.T, what string, i *record.Invocation, e *explain.Explanation) {
	t.Helper()
	sum, at := engine.Time(0), i.Intended
	for _, step := range e.Path {
		for _, s := range step.Spans {
			if s.From != at || s.To <= s.From {
				t.Fatalf("%s, invocation %d: after %d ns comes %v", what, i.Number, at, s)
			}
			at = s.To
		}
	}
	if at != i.Ended {
		t.Fatalf("%s, invocation %d: the path ends after %d ns, the invocation after %d ns", what, i.Number, at, i.Ended)
	}
	for _, time := range e.Totals {
		sum += time
	}
	if sum != i.Latency() {
		t.Fatalf("%s, invocation %d: the phases add up to %d ns, its latency is %d ns", what, i.Number, sum, i.Latency())
	}
	for n := range e.Tasks {
		at := e.Tasks[n].Queued
		for _, s := range e.Tasks[n].Spans {
			if s.From != at || s.To <= s.From {
				t.Fatalf("%s, invocation %d, %s: after %d ns comes %v", what, i.Number, e.Tasks[n].Name(), at, s)
			}
			at = s.To
		}
		if at != e.Tasks[n].Ended {
			t.Fatalf("%s, invocation %d: %s ends after %d ns, its spans after %d ns", what, i.Number, e.Tasks[n].Name(), e.Tasks[n].Ended, at)
		}
	}
	x := e.Totals
	fine := [record.Phases]engine.Time{
		record.Control:   x[explain.EarlierAttempts] + x[explain.Engine] + x[explain.Message] + x[explain.StateSync] + x[explain.Unfinished],
		record.Queue:     i.Phases[record.Queue],
		record.ColdStart: i.Phases[record.ColdStart],
		record.Fetch:     x[explain.Fetch],
		record.Compute:   x[explain.Compute],
		record.Put:       x[explain.Put] + x[explain.ConflictRetry],
		record.Transfer:  x[explain.Transfer],
		record.HoldBack:  x[explain.HoldBack],
	}
	// A failed try hides in whichever wait the last try ended.
	if fine != i.Phases || x[explain.Queue]+x[explain.ColdStart]+x[explain.FailedTry] != i.Phases[record.Queue]+i.Phases[record.ColdStart] {
		t.Fatalf("%s, invocation %d: the phases are %v, recorded are %v", what, i.Number, x, i.Phases)
	}
}

const everything = `name: everything
workflows: [faasflow/wordcount]
cluster: {workers: 4, storage: {cap: 50MB/s}}
load: {arrivals: poisson, rate: 1/s, duration: 20s}
schedulers:
- mastersp
- faasflow
- dataflower
- mastersp+faasflow+faastore
- mastersp+hash+pipe
- workersp+hash+remote
- workersp+spread+pipe
- dataflower+hash+remote
- dataflower+faasflow+faastore
axes:
  workflows: [[faasflow/wordcount], [faasflow/genome], [faasflow/video], [faasflow/soykb], [faasflow/recognizer], [faasflow/fileprocessing], [dataflower/svd], [dataflower/recognizer], [dataflower/video]]
  profile: [ideal, faasflow-testbed, dataflower-testbed]
`

func TestEveryNanosecondIsAccountedFor(t *testing.T) {
	p, err := scenarios.Parse("everything.yaml", []byte(everything), ".", scenarios.Options{})
	if err != nil {
		t.Fatal(err)
	}
	simulate(t, p, func(point int, i *record.Invocation, e *explain.Explanation) {
		what := fmt.Sprint(p.Points[point].Scheduler, p.Points[point].Values)
		check(t, what, i, e)
		// Ideal engines take no time, so that the control plane's is all
		// messages and operations.
		if p.Points[point].Values[1] == "ideal" && e.Totals[explain.Engine] != 0 {
			t.Fatalf("%s, invocation %d: %d ns of engines that take none", what, i.Number, e.Totals[explain.Engine])
		}
	})
}

// faulty has what calm weather lacks: containers that are few, a node that
// dies, a function that crashes, a store that stops, invocations that time out.
const faulty = `name: faulty
workflows: [faasflow/video, faasflow/wordcount]
cluster: {workers: 3}
load: {arrivals: constant, rate: 2/s, limit: 60}
schedulers: [mastersp, faasflow, dataflower, workersp+spread+pipe, dataflower+spread+faastore]
timeout: 8s
overrides: {invocation: {attempts: 6, task_retries: 2, detect: 500ms}}
faults:
  - {at: 4s, crash_function: "faasflow/wordcount:count"}
  - {at: 5s, crash_function: "faasflow/video:transcode"}
  - {at: 10s, kill: worker-1, for: 4s}
  - {at: 15s, stop_service: worker-2}
  - {at: 20s, stop_service: store, for: 3s}
  - {at: 25s, partition: worker-3, from: [storage], for: 1s}
axes:
  profile: [ideal, faasflow-testbed, dataflower-testbed]
`

func TestEveryNanosecondIsAccountedForAmidFaults(t *testing.T) {
	p, err := scenarios.Parse("faulty.yaml", []byte(faulty), ".", scenarios.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var all [explain.Phases]engine.Time
	simulate(t, p, func(point int, i *record.Invocation, e *explain.Explanation) {
		check(t, fmt.Sprint(p.Points[point].Scheduler, p.Points[point].Values), i, e)
		for phase, time := range e.Totals {
			all[phase] += time
		}
	})
	for phase, time := range all {
		rare := explain.Phase(phase) == explain.ConflictRetry || explain.Phase(phase) == explain.HoldBack
		if !rare && time == 0 {
			t.Errorf("no invocation spent time on %v: the test does not show what it should", explain.Phase(phase))
		}
	}
}

// Under MasterSP at 50 MB/s, with all outputs of a request in one document,
// most of what genome's put takes is uploads in vain. With a document for each
// key nothing is.
func TestConflictStormOfGenomeIsNamed(t *testing.T) {
	p, err := scenarios.Load("studies/write-conflicts", scenarios.Options{})
	if err != nil {
		t.Fatal(err)
	}
	simulate(t, p, func(point int, i *record.Invocation, e *explain.Explanation) {
		check(t, p.Points[point].Values[0], i, e)
		c := e.Conflicts()
		if quirk := p.Points[point].Values[0] == "one document per request"; !quirk {
			if c != (explain.Conflicts{Put: c.Put, PathPut: c.PathPut}) || c.Storm(i.Latency()) {
				t.Fatalf("invocation %d: conflicts without the quirk: %+v", i.Number, c)
			}
			return
		}
		if !c.Storm(i.Latency()) || c.Refused < 100 || c.PathRetry*10 < c.PathPut*9 || c.Retry*10 < c.Put*8 {
			t.Errorf("invocation %d: the storm is not seen: %+v of %d ns", i.Number, c, i.Latency())
		}
		refused := 0
		for n := range e.Tasks {
			refused += e.Tasks[n].Conflicts
		}
		if refused != i.Conflicts {
			t.Errorf("invocation %d: its functions were refused %d times, the invocation %d times", i.Number, refused, i.Conflicts)
		}
	})
}
