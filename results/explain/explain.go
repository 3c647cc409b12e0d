// Package explain says where the time of one invocation went, to the
// nanosecond: along the chain of function instances that determined its end,
// what it waited for at each moment from its intended send time to its end.
//
// It works on records alone. Where they come from, a file or a simulation, and
// how an explanation is shown, is the business of others.
package explain

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
)

// Explanation is where the time of an invocation went.
type Explanation struct {
	Key        record.Key
	Invocation record.Invocation
	// Totals is how long each phase took along the critical path. They add up
	// to the latency.
	Totals [Phases]engine.Time
	// Path is the critical path: its steps follow one another without gaps,
	// from the intended send time to the end.
	Path []Step
	// Tasks are all runs of function instances, in the order of their
	// triggers.
	Tasks []Task
}

// Step is a part of the critical path: what it took to trigger a task, and the
// task.
type Step struct {
	// Task is its index, -1 for the answer that follows the last one.
	Task     int
	From, To engine.Time
	// Spans fill the time without gaps.
	Spans []Span
}

// Task is the run of a function instance.
type Task struct {
	record.TaskRow
	// Spans fill its time without gaps, from its trigger to its end.
	Spans []Span
}

// Name is that of the function, with its instance in a foreach.
func (t *Task) Name() string {
	if t.Instance == "" {
		return t.Function
	}
	return t.Function + " " + t.Instance
}

// Explain makes an explanation of the records of an invocation. tasks are in
// the order in which they ended, as records come. It fails if they do not
// belong together.
func Explain(key record.Key, i record.Invocation, tasks []record.TaskRow) (*Explanation, error) {
	e := &Explanation{Key: key, Invocation: i}
	e.Key.Values = slices.Clone(key.Values)
	order := make([]int, len(tasks))
	for n := range tasks {
		order[n] = n
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(tasks[a].Queued, tasks[b].Queued) })
	place := make([]int, len(tasks)) // of a record in e.Tasks
	failed := failures(tasks)
	for at, n := range order {
		place[n] = at
		t := &tasks[n]
		e.Tasks = append(e.Tasks, Task{*t, TaskSpans(&t.Task, failed[instance{t.Function, t.Instance}])})
	}
	if err := e.follow(tasks, place, failed); err != nil {
		return nil, fmt.Errorf("invocation %d: %w", i.Number, err)
	}
	return e, nil
}

// instance names a function instance.
type instance struct{ function, instance string }

// failures are the runs that failed, of each instance.
func failures(tasks []record.TaskRow) map[instance][]*record.TaskRow {
	failed := map[instance][]*record.TaskRow{}
	for n := range tasks {
		if t := &tasks[n]; t.Outcome != engine.Completed {
			at := instance{t.Function, t.Instance}
			failed[at] = append(failed[at], t)
		}
	}
	return failed
}

// chain returns the critical tasks in the order in which they followed one
// another, which need not be that of their ends: a task that has posted what
// the next one waits for may go on for longer than that.
func chain(tasks []record.TaskRow) []int {
	var critical []int
	for n := range tasks {
		if tasks[n].Critical {
			critical = append(critical, n)
		}
	}
	slices.SortStableFunc(critical, func(a, b int) int {
		return cmp.Or(cmp.Compare(tasks[a].Queued, tasks[b].Queued), cmp.Compare(tasks[a].Until, tasks[b].Until))
	})
	return critical
}

// cut is a critical task as if it had ended when it did what the next one
// waited for.
func cut(t *record.Task) *record.Task {
	if t.Until == t.Ended {
		return t
	}
	c := *t
	c.Ended, c.Put = t.Until, t.PutUntil
	c.Retry = min(t.Retry, c.Put)
	c.Compute = c.Ended - c.Started - c.Fetch - c.Put
	return &c
}

// follow goes along the critical path.
func (e *Explanation) follow(tasks []record.TaskRow, place []int, failed map[instance][]*record.TaskRow) error {
	i := &e.Invocation
	at := i.Intended
	var after record.ControlTime
	for _, n := range chain(tasks) {
		t := &tasks[n]
		s := Step{Task: place[n], From: at, To: t.Until}
		if len(e.Path) == 0 && i.Attempts > 1 {
			early := spans{at: at}
			early.add(EarlierAttempts, t.Queued-at)
			s.Spans = early.list
		} else {
			s.Spans = between(at, t.Queued, t.Before)
		}
		s.Spans = append(s.Spans, TaskSpans(cut(&t.Task), failed[instance{t.Function, t.Instance}])...)
		e.Path = append(e.Path, s)
		at, after = t.Until, t.After
	}
	s := Step{Task: -1, From: at, To: i.Ended}
	if i.Outcome == engine.Completed {
		s.Spans = between(at, i.Ended, after)
	} else {
		rest := spans{at: at}
		rest.add(Unfinished, i.Ended-at)
		s.Spans = rest.list
	}
	e.Path = append(e.Path, s)
	return e.account()
}

// account adds up the critical path, and checks that nothing is left out.
func (e *Explanation) account() error {
	at := e.Invocation.Intended
	for _, step := range e.Path {
		if err := gapless(step.Spans, at, step.To); err != nil {
			return err
		}
		for _, s := range step.Spans {
			e.Totals[s.Phase] += s.Length()
		}
		at = step.To
	}
	for n := range e.Tasks {
		if t := &e.Tasks[n]; !t.Critical {
			if err := gapless(t.Spans, t.Queued, t.Ended); err != nil {
				return err
			}
		}
	}
	return nil
}

// gapless reports spans that do not fill a stretch of time.
func gapless(spans []Span, from, to engine.Time) error {
	for _, s := range spans {
		if s.From != from || s.To < s.From {
			return fmt.Errorf("its records do not fit together: after %d ns comes %s from %d ns to %d ns", from, s.Phase, s.From, s.To)
		}
		from = s.To
	}
	if from != to {
		return fmt.Errorf("its records do not fit together: a step ends after %d ns, what it did after %d ns", to, from)
	}
	return nil
}

// Conflicts is what puts cost that the store refused.
type Conflicts struct {
	// Refused counts the uploads, Bytes is what they had sent in vain.
	Refused int
	Bytes   int64
	// Put and Retry are sums over all tasks of the time that putting took, and
	// of the part of it that was in vain; PathPut and PathRetry those of the
	// critical path.
	Put, Retry, PathPut, PathRetry engine.Time
}

// Conflicts sums up what refused puts cost.
func (e *Explanation) Conflicts() Conflicts {
	c := Conflicts{
		Refused: e.Invocation.Conflicts, Bytes: e.Invocation.ResentBytes,
		PathPut: e.Totals[Put] + e.Totals[ConflictRetry], PathRetry: e.Totals[ConflictRetry],
	}
	for n := range e.Tasks {
		c.Put += e.Tasks[n].Put
		c.Retry += e.Tasks[n].Retry
	}
	return c
}

// Storm reports whether conflicts are what the invocation suffered from: at
// least a tenth of its latency was spent on uploads that were refused.
func (c *Conflicts) Storm(latency engine.Time) bool {
	return c.PathRetry > 0 && c.PathRetry >= latency/10
}
