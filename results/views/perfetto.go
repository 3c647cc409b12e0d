package views

import (
	"encoding/json"
	"fmt"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/explain"
)

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
