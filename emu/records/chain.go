package records

import (
	"cmp"
	"slices"
	"sort"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
)

// chain finds the tasks that determined when an invocation ended.
type chain struct {
	*invocation
	workflow *workflow.Workflow
	// done are the tasks of the last attempt that completed, by function.
	done [][]*task
	// driven: functions are triggered by their data, and the end waits for
	// results, not for the ends of functions.
	driven bool
}

// link is a task on the chain, until the moment at which it did what the next
// one waited for, by which time it had spent so much on putting.
type link struct {
	task       *task
	until, put engine.Time
	streamed   bool // what it posted then went through the broker
}

// upToEnd is the link of a task whose end was waited for.
func upToEnd(t *task) link {
	if t == nil {
		return link{}
	}
	return link{task: t, until: t.Ended, put: t.Put}
}

func newChain(w *workflow.Workflow, i *invocation, driven bool) *chain {
	// Agents report at the same time, so the order is made certain here.
	slices.SortStableFunc(i.tasks, func(a, b *task) int { return cmp.Compare(a.Ended, b.Ended) })
	c := &chain{invocation: i, workflow: w, done: make([][]*task, len(w.Functions)), driven: driven}
	for _, t := range i.tasks {
		if t.Outcome == engine.Completed && t.attempt == i.attempt {
			c.done[t.Function] = append(c.done[t.Function], t)
		}
	}
	return c
}

// last returns what the end of the invocation waited for last.
func (c *chain) last() link {
	var last link
	consider := func(l link) {
		if l.until <= c.record.Ended && (last.task == nil || l.until > last.until) {
			last = l
		}
	}
	var latest *task
	for _, all := range c.done {
		for _, t := range all {
			if latest == nil || t.Ended > latest.Ended {
				latest = t
			}
			if !c.driven || len(c.workflow.Functions[t.Function].Next) > 0 {
				continue
			}
			for _, p := range t.posts {
				consider(link{task: t, until: p.At, put: p.Put})
			}
			if len(c.workflow.Functions[t.Function].Outputs) == 0 {
				consider(upToEnd(t))
			}
		}
	}
	if last.task == nil && latest != nil && latest.Ended <= c.record.Ended {
		return upToEnd(latest)
	}
	return last
}

// phases divides the latency of an invocation along the chain of tasks that
// determined its end: from the one that did last what the end waited for, each
// time to the one whose end, or whose output, triggered it. What lies between
// is the control plane's, or the transfer's of an output that was streamed.
func (c *chain) phases() {
	p := &c.record.Phases
	until := c.record.Ended
	for l := c.last(); l.task != nil; l = c.trigger(l.task) {
		t := l.task
		t.Critical, t.Until, t.PutUntil = true, l.until, l.put
		between := record.Control
		if l.streamed {
			between = record.Transfer
		}
		p[between] += until - l.until
		p[record.Put] += l.put
		p[record.Fetch] += t.Fetch
		p[record.Compute] += l.until - t.Started - t.Fetch - l.put
		p[record.HoldBack] += t.Held
		wait := record.Queue
		if t.Cold {
			wait = record.ColdStart
		}
		p[wait] += t.Started - t.Queued - t.Held
		until = t.Queued
	}
	p[record.Control] += until - c.record.Intended
}

// trigger returns what the trigger of a task waited for last, or nothing for
// one of a start function.
func (c *chain) trigger(of *task) link {
	if of.cause.Function == engine.NoFunction {
		return upToEnd(c.latestBefore(of.Function, of))
	}
	path := of.cause.Path(c.workflow, &of.Path)
	if of.cause.Output < 0 {
		if c.workflow.Functions[of.cause.Function].Kind == workflow.Task {
			return upToEnd(c.latestOf(of.cause.Function, of, nil))
		}
		return upToEnd(c.latestBefore(of.cause.Function, of))
	}
	for _, t := range c.done[of.cause.Function] {
		for _, p := range t.posts {
			if p.Key.Output == of.cause.Output && p.Key.Path == path && p.At <= of.Queued {
				return link{task: t, until: p.At, put: p.Put, streamed: p.Way&data.Pipe != 0}
			}
		}
	}
	return link{}
}

// latestBefore returns the task that ended last of those that could have
// triggered a function, seen through functions that run no task.
func (c *chain) latestBefore(f workflow.FunctionID, of *task) *task {
	var best *task
	for _, p := range c.workflow.Functions[f].After {
		if c.workflow.Functions[p].Kind == workflow.Task {
			best = c.latestOf(p, of, best)
		} else if t := c.latestBefore(p, of); t != nil && (best == nil || t.Ended > best.Ended) {
			best = t
		}
	}
	return best
}

// latestOf returns the latest of the tasks of a function that have to do with
// another, or the best so far.
func (c *chain) latestOf(f workflow.FunctionID, of, best *task) *task {
	depth := min(c.workflow.Scopes[c.workflow.Functions[f].Scope].Depth, of.Path.Depth())
	for _, t := range c.done[f] {
		if t.Ended <= of.Queued && (best == nil || t.Ended > best.Ended) && t.Path.Outer(depth) == of.Path.Outer(depth) {
			best = t
		}
	}
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
	last := c.last()
	if last.task == nil {
		return
	}
	// The answers that tell the end pass by many functions.
	last.task.After = divide(all, last.until, c.record.Ended, func(*control) bool { return true })
	for t := last.task; t != nil; {
		before := c.trigger(t)
		from := c.record.Intended
		if before.task != nil {
			from = before.until
		}
		if before.streamed {
			t.Before = record.ControlTime{Transfer: t.Queued - from}
		} else {
			t.Before = divide(all, from, t.Queued, func(r *control) bool {
				return r.kind == controlProbe || c.workflow.Functions[r.function].Kind != workflow.Task ||
					r.function == t.Function && related(&r.path, &t.Path) ||
					before.task != nil && r.function == before.task.Function && related(&r.path, &before.task.Path)
			})
		}
		t = before.task
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
