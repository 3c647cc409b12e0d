package explain_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/explain"
	"github.com/flowtwin/flowtwin/results/record"
)

// twoSteps is an invocation of a, then two instances of b of which the second
// is the later one; it was refused a put, and ran a second time.
func twoSteps() (record.Invocation, []record.TaskRow) {
	i := record.Invocation{Number: 7, Intended: 100, Ended: 1000, Attempts: 1, Outcome: engine.Completed}
	a := record.TaskRow{Function: "a", Node: "worker-1", Task: record.Task{
		Number: 7, Container: 1, Cold: true, Critical: true, Queued: 130, Started: 230, Ended: 300, Fetch: 10, Compute: 40, Put: 20,
		Before: record.ControlTime{Message: 20, Sync: 4},
	}}
	early := record.TaskRow{Function: "b", Instance: "0/2", Node: "worker-1", Task: record.Task{
		Number: 7, Container: 2, Queued: 310, Started: 310, Ended: 350, Compute: 40,
	}}
	crashed := record.TaskRow{Function: "b", Instance: "1/2", Node: "worker-2", Task: record.Task{
		Number: 7, Container: 1, Outcome: engine.Failed, Queued: 320, Started: 330, Ended: 400, Compute: 70,
	}}
	late := record.TaskRow{Function: "b", Instance: "1/2", Node: "worker-2", Task: record.Task{
		Number: 7, Container: 2, Try: 1, Critical: true, Queued: 320, Started: 450, Ended: 990, Fetch: 40, Compute: 200, Put: 300,
		Retry: 250, Conflicts: 3, Before: record.ControlTime{Message: 15}, After: record.ControlTime{Message: 3, Sync: 2},
	}}
	a.Until, a.PutUntil = a.Ended, a.Put
	late.Until, late.PutUntil = late.Ended, late.Put
	return i, []record.TaskRow{a, early, crashed, late}
}

// show writes the critical path in a line for each step.
func show(e *explain.Explanation) string {
	var out strings.Builder
	for _, s := range e.Path {
		name := "end"
		if s.Task >= 0 {
			name = e.Tasks[s.Task].Name()
		}
		fmt.Fprintf(&out, "%d-%d %s:", s.From, s.To, name)
		for _, span := range s.Spans {
			fmt.Fprintf(&out, " %v %d", span.Phase, span.Length())
		}
		out.WriteString("\n")
	}
	return out.String()
}

func TestTheCriticalPathIsFollowedWithoutGaps(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*record.Invocation, []record.TaskRow)
		want   string
	}{
		{"as it was", func(*record.Invocation, []record.TaskRow) {}, `
100-300 a: engine 6 state_sync 4 message 20 cold_start 100 fetch 10 compute 40 put 20
300-990 b 1/2: engine 5 message 15 queue 10 failed_try 70 queue 50 fetch 40 compute 200 conflict_retry 250 put 50
990-1000 end: engine 5 state_sync 2 message 3
`},
		{"a second attempt", func(i *record.Invocation, _ []record.TaskRow) { i.Attempts = 2 }, `
100-300 a: earlier_attempts 30 cold_start 100 fetch 10 compute 40 put 20
300-990 b 1/2: engine 5 message 15 queue 10 failed_try 70 queue 50 fetch 40 compute 200 conflict_retry 250 put 50
990-1000 end: engine 5 state_sync 2 message 3
`},
		{"a timeout before b was done", func(i *record.Invocation, tasks []record.TaskRow) {
			i.Outcome, i.Ended, tasks[3].Critical = engine.TimedOut, 600, false
		}, `
100-300 a: engine 6 state_sync 4 message 20 cold_start 100 fetch 10 compute 40 put 20
300-600 end: unfinished 300
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			i, tasks := twoSteps()
			test.change(&i, tasks)
			e, err := explain.Explain(record.Key{}, i, tasks)
			if err != nil {
				t.Fatal(err)
			}
			if got := "\n" + show(e); got != test.want {
				t.Errorf("the path is%swant%s", got, test.want)
			}
			sum := engine.Time(0)
			for _, time := range e.Totals {
				sum += time
			}
			if sum != i.Latency() {
				t.Errorf("the phases add up to %d, the latency is %d", sum, i.Latency())
			}
		})
	}
}

func TestAnInvocationWithoutTasksIsTheControlPlanes(t *testing.T) {
	e, err := explain.Explain(record.Key{}, record.Invocation{Intended: 5, Ended: 12, Attempts: 1}, nil)
	if err != nil || show(e) != "5-12 end: engine 7\n" {
		t.Errorf("it is explained as %q, %v", show(e), err)
	}
}

func TestConflictsAreSummedUp(t *testing.T) {
	i, tasks := twoSteps()
	i.Conflicts, i.ResentBytes = 3, 3000
	tasks[1].Put, tasks[1].Compute, tasks[1].Retry = 30, 10, 5
	e, err := explain.Explain(record.Key{}, i, tasks)
	if err != nil {
		t.Fatal(err)
	}
	c := e.Conflicts()
	if want := (explain.Conflicts{Refused: 3, Bytes: 3000, Put: 350, Retry: 255, PathPut: 320, PathRetry: 250}); c != want {
		t.Errorf("conflicts are %+v, want %+v", c, want)
	}
	if !c.Storm(2500) || c.Storm(2501*10) {
		t.Error("250 ns are a storm in 2500 ns, and none in 25 010 ns")
	}
}

func TestRecordsThatDoNotBelongTogetherAreAnError(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*record.Invocation, []record.TaskRow)
		want   string
	}{
		{"an end before the last function's", func(i *record.Invocation, _ []record.TaskRow) { i.Ended = 985 },
			"invocation 7: its records do not fit together: after 990 ns comes engine from 990 ns to 980 ns"},
		{"a trigger before what triggers", func(_ *record.Invocation, tasks []record.TaskRow) { tasks[3].Queued = 290 },
			"invocation 7: its records do not fit together: after 300 ns comes engine from 300 ns to 275 ns"},
		{"phases that are too long", func(_ *record.Invocation, tasks []record.TaskRow) { tasks[0].Put = 21 },
			"invocation 7: its records do not fit together: a step ends after 300 ns, what it did after 301 ns"},
		{"phases that are too short, beside the path", func(_ *record.Invocation, tasks []record.TaskRow) { tasks[1].Compute = 39 },
			"invocation 7: its records do not fit together: a step ends after 350 ns, what it did after 349 ns"},
	} {
		t.Run(test.name, func(t *testing.T) {
			i, tasks := twoSteps()
			test.change(&i, tasks)
			if _, err := explain.Explain(record.Key{}, i, tasks); err == nil || err.Error() != test.want {
				t.Errorf("the error is %v, want %s", err, test.want)
			}
		})
	}
}

// run gives a finder the records of two points of two trials: invocation n of
// trial t takes n + 10·t ns, at the second point ten times as long.
func run(q explain.Query) *explain.Finder {
	f := explain.NewFinder(q)
	for point, scheduler := range []string{"mastersp", "faasflow"} {
		for trial := range 2 {
			for n := range int64(4) {
				key := record.Key{Point: point, Trial: trial, Scheduler: scheduler, Workflow: "faasflow/genome", Values: []string{"50MB/s"}}
				latency := n + 10*int64(trial)
				if point == 1 {
					latency *= 10
				}
				f.Add(&key, &record.Invocation{Number: n, Measured: n > 0, Ended: latency})
			}
		}
	}
	return f
}

func TestAnInvocationIsNamedOrTheChoicesAre(t *testing.T) {
	anything := explain.Query{Number: 2, Point: explain.Any, Trial: explain.Any}
	for _, test := range []struct {
		name   string
		change func(*explain.Query)
		want   string
	}{
		{"ambiguous", func(*explain.Query) {}, `there are 4 invocations 2; say which one:
  --point 0 --workflow faasflow/genome --trial 0…1  (mastersp, 50MB/s)
  --point 1 --workflow faasflow/genome --trial 0…1  (faasflow, 50MB/s)`},
		{"ambiguous in one thing", func(q *explain.Query) { q.Scheduler = "faasflow" }, `there are 2 invocations 2; say which one:
  --point 1 --workflow faasflow/genome --trial 0…1  (faasflow, 50MB/s)`},
		{"by scheduler and trial", func(q *explain.Query) { q.Scheduler, q.Trial = "faasflow", 1 }, "120 ns"},
		{"by point, trial and the workflow's short name", func(q *explain.Query) { q.Point, q.Trial, q.Workflow = 0, 1, "genome" }, "12 ns"},
		{"beyond the last", func(q *explain.Query) { q.Number = 4 }, "there is no invocation 4: they are counted from 0, up to 3"},
		{"nothing of the kind", func(q *explain.Query) { q.Workflow = "nome" }, "it holds no invocations of that point, trial, scheduler and workflow"},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := anything
			test.change(&q)
			found, err := run(q).One()
			got := fmt.Sprintf("%d ns", found.Invocation.Latency())
			if err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("found %s, want %s", got, test.want)
			}
		})
	}
}

func TestTheSlowestIsHeldAgainstItsOwnPoint(t *testing.T) {
	r, err := run(explain.Query{Number: explain.Any, Point: explain.Any, Trial: explain.Any}).Slowest()
	if err != nil {
		t.Fatal(err)
	}
	// The warm-up left out, the second point has 10, 20, 30, 110, 120, 130 ns.
	query := func(trial int, number int64) explain.Query {
		return explain.Query{Number: number, Point: 1, Trial: trial, Scheduler: "faasflow", Workflow: "faasflow/genome"}
	}
	if r.Slowest.Invocation.Latency() != 130 || r.N != 6 || r.Median != query(0, 3) || r.P99 != query(1, 3) || r.Supported() {
		t.Errorf("found %+v", r)
	}
	if _, err := explain.NewFinder(explain.Query{Number: explain.Any, Point: explain.Any, Trial: explain.Any}).Slowest(); err == nil {
		t.Error("the slowest of none is found")
	}
}

func TestPhasesHaveNames(t *testing.T) {
	var names []string
	for p := range explain.Phases {
		if p.String() == "" || p.Label() == "" || slices.Contains(names, p.String()) {
			t.Errorf("phase %d is called %q and %q", p, p, p.Label())
		}
		names = append(names, p.String())
	}
}
