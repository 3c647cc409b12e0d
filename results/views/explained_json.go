package views

import (
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
