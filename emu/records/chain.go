package records

import (
	"cmp"
	"slices"
	"sort"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
)

// chain finds the tasks that determined when an invocation ended.
type chain struct {
	*invocation
	workflow *workflow.Workflow
	// done are the tasks of the last attempt that completed, by function.
	done [][]*task
	last *task
}

func newChain(w *workflow.Workflow, i *invocation) *chain {
	// Agents report at the same time, so the order is made certain here.
	slices.SortStableFunc(i.tasks, func(a, b *task) int { return cmp.Compare(a.Ended, b.Ended) })
	c := &chain{invocation: i, workflow: w, done: make([][]*task, len(w.Functions))}
	for _, t := range i.tasks {
		if t.Outcome == engine.Completed && t.attempt == i.attempt {
			c.done[t.Function] = append(c.done[t.Function], t)
			c.last = t
		}
	}
	return c
}

// phases divides the latency of an invocation along the chain of tasks that
// determined its end: from the task that ended last, each time to the one that
// ended last of those that could have triggered it. What lies between the end
// of one and the trigger of the next is the control plane's.
func (c *chain) phases() {
	p := &c.record.Phases
	until := c.record.Ended
	for t := c.last; t != nil; t = c.trigger(t) {
		t.Critical = true
		p[record.Control] += until - t.Ended
		p[record.Put] += t.Put
		p[record.Compute] += t.Compute
		p[record.Fetch] += t.Fetch
		if t.Cold {
			p[record.ColdStart] += t.Started - t.Queued
		} else {
			p[record.Queue] += t.Started - t.Queued
		}
		until = t.Queued
	}
	p[record.Control] += until - c.record.Intended
}

// trigger returns the task whose end let another be triggered, or nil for one
// of a start function.
func (c *chain) trigger(of *task) *task {
	var best *task
	var look func(f workflow.FunctionID)
	look = func(f workflow.FunctionID) {
		for _, p := range c.workflow.Functions[f].After {
			if c.workflow.Functions[p].Kind != workflow.Task {
				look(p) // It runs no task: whatever triggered it did.
				continue
			}
			depth := min(c.workflow.Scopes[c.workflow.Functions[p].Scope].Depth, of.Path.Depth())
			for _, t := range c.done[p] {
				if t.Ended <= of.Queued && (best == nil || t.Ended > best.Ended) && t.Path.Outer(depth) == of.Path.Outer(depth) {
					best = t
				}
			}
		}
	}
	look(of.Function)
	return best
}

// criticalTime finds the longest chain of functions by their measured times,
// of several instances the longest. It is how the artefact finds what to
// subtract for its scheduling overhead (experiment schedule_overhead).
func (c *chain) criticalTime() {
	until := make([]engine.Time, len(c.workflow.Functions))
	for _, f := range c.workflow.Order {
		for _, p := range c.workflow.Functions[f].After {
			until[f] = max(until[f], until[p])
		}
		longest := engine.Time(0)
		for _, t := range c.done[f] {
			longest = max(longest, t.Ended-t.Queued)
		}
		until[f] += longest
		c.record.CriticalTime = max(c.record.CriticalTime, until[f])
	}
}

// control is a message, or an operation that an engine waited for.
type control struct {
	kind     controlKind
	attempt  uint16
	function workflow.FunctionID
	path     workflow.Path
	from, to engine.Time
}

type controlKind uint8

const (
	controlMessage controlKind = iota
	// controlProbe is a message that does not say which function it is for.
	controlProbe
	// controlSync is an operation on the database, or the evaluation of a
	// switch.
	controlSync
)

// divideControl says of each stretch of control time on the chain how much of
// it messages and operations took.
func (c *chain) divideControl() {
	all := slices.DeleteFunc(c.controls, func(r control) bool { return r.attempt != c.attempt })
	slices.SortStableFunc(all, func(a, b control) int { return cmp.Compare(a.to, b.to) })
	if c.last == nil {
		return
	}
	// The answers that tell the end pass by many functions.
	c.last.After = divide(all, c.last.Ended, c.record.Ended, func(*control) bool { return true })
	for t := c.last; t != nil; {
		before := c.trigger(t)
		from := c.record.Intended
		if before != nil {
			from = before.Ended
		}
		t.Before = divide(all, from, t.Queued, func(r *control) bool {
			return r.kind == controlProbe || c.workflow.Functions[r.function].Kind != workflow.Task ||
				r.function == t.Function && related(&r.path, &t.Path) ||
				before != nil && r.function == before.Function && related(&r.path, &before.Path)
		})
		t = before
	}
}

// related reports whether one path is the other's, or leads to it.
func related(a, b *workflow.Path) bool {
	depth := min(a.Depth(), b.Depth())
	return a.Outer(depth) == b.Outer(depth)
}

// divide goes back through a stretch of time, from each thing that was waited
// for to what had ended last before it began. They are in the order of their
// ends.
func divide(all []control, from, until engine.Time, concerns func(*control) bool) record.ControlTime {
	var c record.ControlTime
	for n := sort.Search(len(all), func(n int) bool { return all[n].to > until }) - 1; n >= 0 && all[n].to >= from; n-- {
		r := &all[n]
		if r.to > until || r.from < from || !concerns(r) {
			continue
		}
		if r.kind == controlSync {
			c.Sync += r.to - r.from
		} else {
			c.Message += r.to - r.from
		}
		until = r.from
	}
	return c
}
