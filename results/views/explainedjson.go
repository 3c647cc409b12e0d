package views

import (
	"encoding/json"
	"fmt"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/explain"
)

// JSONExplanation is what --json prints of an explanation. Times are in whole
// nanoseconds, since the start of the trial where they are points in time.
type JSONExplanation struct {
	Directory string `json:"directory"`
	Scenario  string `json:"scenario"`
	Backend   string `json:"backend"`
	Profile   string `json:"profile"`
	JSONInvocation
	Conflicts JSONConflicts `json:"conflicts"`
	// CriticalPath follows the invocation without gaps from Intended to Ended.
	CriticalPath []JSONStep   `json:"critical_path"`
	Tasks        []JSONTask   `json:"tasks"`
	Against      *JSONAgainst `json:"against,omitempty"`
}

// JSONInvocation names an invocation, and says where its time went. Phases add
// up to Latency.
type JSONInvocation struct {
	Point      int                    `json:"point"`
	Trial      int                    `json:"trial"`
	Scheduler  string                 `json:"scheduler"`
	Workflow   string                 `json:"workflow"`
	Axes       map[string]string      `json:"axes,omitempty"`
	Invocation int64                  `json:"invocation"`
	Outcome    string                 `json:"outcome"`
	Attempts   int                    `json:"attempts"`
	Intended   engine.Time            `json:"intended_ns"`
	Ended      engine.Time            `json:"ended_ns"`
	Latency    engine.Time            `json:"latency_ns"`
	Phases     map[string]engine.Time `json:"phases_ns"`
}

// JSONConflicts is what puts cost that the store refused: on the critical path,
// and over all function instances. Storm: it was at least a tenth of the
// latency.
type JSONConflicts struct {
	Storm     bool        `json:"storm"`
	Refused   int         `json:"refused"`
	Bytes     int64       `json:"bytes"`
	PathRetry engine.Time `json:"path_retry_ns"`
	PathPut   engine.Time `json:"path_put_ns"`
	Retry     engine.Time `json:"retry_ns"`
	Put       engine.Time `json:"put_ns"`
}

// JSONStep is a step of the critical path. Task is an index of tasks, null for
// the answer at the end.
type JSONStep struct {
	Task  *int        `json:"task"`
	From  engine.Time `json:"from_ns"`
	To    engine.Time `json:"to_ns"`
	Spans []JSONSpan  `json:"spans"`
}

// JSONSpan is a stretch of time spent on one thing.
type JSONSpan struct {
	Phase string      `json:"phase"`
	From  engine.Time `json:"from_ns"`
	To    engine.Time `json:"to_ns"`
}

// JSONTask is the run of a function instance.
type JSONTask struct {
	Function  string      `json:"function"`
	Instance  string      `json:"instance,omitempty"`
	Try       int         `json:"try"`
	Node      string      `json:"node"`
	Container uint32      `json:"container"`
	Outcome   string      `json:"outcome"`
	Critical  bool        `json:"critical"`
	Conflicts int         `json:"conflicts"`
	From      engine.Time `json:"from_ns"`
	To        engine.Time `json:"to_ns"`
	Spans     []JSONSpan  `json:"spans"`
}

// JSONAgainst are the invocations at the median and the 99th percentile of the
// N that completed, which support it or not.
type JSONAgainst struct {
	N         int            `json:"n"`
	Supported bool           `json:"p99_supported"`
	Median    JSONInvocation `json:"median"`
	P99       JSONInvocation `json:"p99"`
}

// JSON returns an explanation for machines.
func (e Explained) JSON() JSONExplanation {
	c := e.Conflicts()
	j := JSONExplanation{
		Directory: e.Directory, Scenario: e.Manifest.Scenario, Backend: e.Manifest.Backend, Profile: e.Manifest.Profile,
		JSONInvocation: jsonInvocation(e.Explanation, e.Manifest.Axes),
		Conflicts:      JSONConflicts{c.Storm(e.Invocation.Latency()), c.Refused, c.Bytes, c.PathRetry, c.PathPut, c.Retry, c.Put},
		Tasks:          []JSONTask{},
	}
	for _, s := range e.Path {
		step := JSONStep{From: s.From, To: s.To, Spans: jsonSpans(s.Spans)}
		if s.Task >= 0 {
			step.Task = &s.Task
		}
		j.CriticalPath = append(j.CriticalPath, step)
	}
	for n := range e.Tasks {
		t := &e.Tasks[n]
		j.Tasks = append(j.Tasks, JSONTask{
			t.Function, t.Instance, t.Try, t.Node, t.Container, t.Outcome.String(), t.Critical, t.Conflicts, t.Queued, t.Ended, jsonSpans(t.Spans),
		})
	}
	if a := e.Against; a != nil {
		j.Against = &JSONAgainst{a.N, a.Supported, jsonInvocation(a.Median, e.Manifest.Axes), jsonInvocation(a.P99, e.Manifest.Axes)}
	}
	return j
}

func jsonInvocation(e *explain.Explanation, axes []string) JSONInvocation {
	i := &e.Invocation
	j := JSONInvocation{
		Point: e.Key.Point, Trial: e.Key.Trial, Scheduler: e.Key.Scheduler, Workflow: e.Key.Workflow, Axes: map[string]string{},
		Invocation: i.Number, Outcome: i.Outcome.String(), Attempts: i.Attempts,
		Intended: i.Intended, Ended: i.Ended, Latency: i.Latency(), Phases: map[string]engine.Time{},
	}
	for n, axis := range axes {
		j.Axes[axis] = e.Key.Values[n]
	}
	for p, time := range e.Totals {
		j.Phases[explain.Phase(p).String()] = time
	}
	return j
}

func jsonSpans(spans []explain.Span) []JSONSpan {
	list := []JSONSpan{}
	for _, s := range spans {
		list = append(list, JSONSpan{s.Phase.String(), s.From, s.To})
	}
	return list
}

// traceEvent is an event of Chrome's trace format, which Perfetto reads. Times
// are in µs.
type traceEvent struct {
	Name     string         `json:"name"`
	Category string         `json:"cat,omitempty"`
	Kind     string         `json:"ph"`
	Process  int            `json:"pid"`
	Thread   int            `json:"tid"`
	At       json.Number    `json:"ts,omitempty"`
	Length   json.Number    `json:"dur,omitempty"`
	ID       int            `json:"id,omitempty"`
	Binding  string         `json:"bp,omitempty"`
	Args     map[string]any `json:"args,omitempty"`
}

// micros is a time in µs, exact to the nanosecond.
func micros(t engine.Time) json.Number { return json.Number(fmt.Sprintf("%d.%03d", t/1e3, t%1e3)) }

// Perfetto returns an explanation as a trace in Chrome's format: the critical
// path as a process of its own, then a process a node with a thread a
// container, and arrows from each task of the critical path to the next.
// Waiting for a container is shown beside the threads, as it is in none.
func (e Explained) Perfetto() ([]byte, error) {
	const path = 1
	start := e.Invocation.Intended
	var events []traceEvent
	name := func(what string, process, thread int, name string) {
		events = append(events, traceEvent{Name: what, Kind: "M", Process: process, Thread: thread, Args: map[string]any{"name": name}})
	}
	slice := func(label string, process, thread int, from, to engine.Time, args map[string]any) {
		events = append(events, traceEvent{Name: label, Category: "flowtwin", Kind: "X", Process: process, Thread: thread, At: micros(from - start), Length: micros(to - from), Args: args})
	}
	name("process_name", path, 0, fmt.Sprintf("critical path of invocation %d", e.Invocation.Number))
	name("thread_name", path, 1, "steps")
	for _, s := range e.Path {
		label := "(end)"
		if s.Task >= 0 {
			label = e.Tasks[s.Task].Name()
		}
		slice(label, path, 1, s.From, s.To, nil)
		for _, span := range s.Spans {
			slice(span.Phase.Label(), path, 1, span.From, span.To, nil)
		}
	}
	processes := map[string]int{}
	type container struct {
		node  string
		index uint32
	}
	known := map[container]bool{}
	for n := range e.Tasks {
		t := &e.Tasks[n]
		process, there := processes[t.Node]
		if !there {
			process = path + 1 + len(processes)
			processes[t.Node] = process
			name("process_name", process, 0, t.Node)
		}
		thread := int(t.Container) + 1
		if c := (container{t.Node, t.Container}); !known[c] {
			known[c] = true
			name("thread_name", process, thread, fmt.Sprintf("container %d", t.Container))
		}
		slice(t.Name(), process, thread, t.Started, t.Ended, map[string]any{
			"critical": t.Critical, "outcome": t.Outcome.String(), "try": t.Try, "conflicts": t.Conflicts, "cold": t.Cold,
		})
		for _, s := range t.Spans {
			if s.From >= t.Started {
				slice(s.Phase.Label(), process, thread, s.From, s.To, nil)
				continue
			}
			for _, end := range []traceEvent{{Kind: "b", At: micros(s.From - start)}, {Kind: "e", At: micros(s.To - start)}} {
				end.Name, end.Category, end.Process, end.Thread, end.ID = t.Name()+": "+s.Phase.Label(), "wait", process, thread, n+1
				events = append(events, end)
			}
		}
	}
	arrow := func(kind, binding string, id int, t *explain.Task, at engine.Time) {
		events = append(events, traceEvent{
			Name: "triggers", Category: "critical path", Kind: kind, Process: processes[t.Node], Thread: int(t.Container) + 1,
			At: micros(at - start), ID: id, Binding: binding,
		})
	}
	before := -1
	for id, s := range e.Path {
		if s.Task >= 0 && before >= 0 {
			from, to := &e.Tasks[before], &e.Tasks[s.Task]
			// An arrow begins within a slice, not at its end.
			arrow("s", "", id, from, max(from.Ended-1, from.Started))
			arrow("f", "e", id, to, to.Started)
		}
		before = s.Task
	}
	return json.Marshal(map[string]any{"traceEvents": events, "displayTimeUnit": "ms"})
}
