package sim

import (
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
)

// invocation is what the simulation knows of the occupant of a slot.
type invocation struct {
	id       engine.Invocation
	alive    bool
	revision uint32 // of the document that guards its outputs
	record   record.Invocation
	// functions holds, for each function, what its instances have done.
	functions []functionRecord
	// first and last of its task records, in the order they ended.
	first, last uint32
	// control is the latest of its control records.
	control uint32
}

// functionRecord sums up the instances of a function.
type functionRecord struct {
	latest  uint32 // task record that was made last, or none
	longest engine.Time
}

// taskRecord is what is kept of a task until its invocation ends.
type taskRecord struct {
	function workflow.FunctionID
	path     workflow.Path
	earlier  uint32 // of the same function
	next     uint32 // of the invocation

	queued, started, ended engine.Time
	fetch, compute, put    engine.Time
	retry                  engine.Time // of put
	before, after          record.ControlTime
	conflicts              int32

	cold     bool
	critical bool // on the chain that determined the end of the invocation
	// memoryLost: what it put into its node's memory is gone.
	memoryLost bool
	outcome    engine.Outcome
	attempt    uint16
	try        uint16
	node       engine.NodeID
	container  uint32
}

// finished is an invocation whose record is complete when the effects that
// its end came with have been applied.
type finished struct {
	id      engine.Invocation
	outcome engine.Outcome
}

// invocation returns the occupant of a slot, or nil if it is another one by
// now.
func (w *world) invocation(id engine.Invocation) *invocation {
	slots := w.invocations[id.Workflow]
	if int(id.Slot) >= len(slots) {
		return nil
	}
	i := &slots[id.Slot]
	if !i.alive || i.id.Generation != id.Generation {
		return nil
	}
	return i
}

// admit begins the record of an invocation that the gateway has taken in.
func (w *world) admit(e *engine.Effect) {
	l := &w.loads[e.Invocation.Workflow]
	a := l.takeArrival(uint32(e.Number))
	slots := w.invocations[e.Invocation.Workflow]
	for int(e.Invocation.Slot) >= len(slots) {
		slots = append(slots, invocation{})
	}
	w.invocations[e.Invocation.Workflow] = slots
	i := &slots[e.Invocation.Slot]
	functions := i.functions
	if functions == nil {
		functions = make([]functionRecord, len(w.workflowOf(e.Invocation).Functions))
	}
	for f := range functions {
		functions[f] = functionRecord{latest: none}
	}
	*i = invocation{
		id: e.Invocation, alive: true, functions: functions, first: none, last: none, control: none,
		record: record.Invocation{
			Workflow: int(e.Invocation.Workflow), Number: a.number, Client: int(a.client),
			Measured: l.plan.Measured(a.number, a.at), Intended: a.at, Sent: a.at, Started: -1, Attempts: 1,
		},
	}
}

// taskStarts counts a task that a container has taken up. With the first of a
// new attempt, what earlier ones have done is void.
func (i *invocation) taskStarts(now engine.Time, attempt uint16, cold bool) {
	if attempt > i.id.Attempt {
		i.id.Attempt = attempt
		for f := range i.functions {
			i.functions[f] = functionRecord{latest: none}
		}
	}
	i.record.Tasks++
	if cold {
		i.record.ColdStarts++
	}
	if i.record.Started < 0 {
		i.record.Started = now
	}
}

// recordTask keeps what a task has done.
func (w *world) recordTask(i *invocation, t *task, o engine.Outcome) {
	at := w.log.Take()
	r := w.log.At(at)
	*r = taskRecord{next: none}
	r.function, r.path, r.attempt = t.subject.Function, t.subject.Path, t.subject.Invocation.Attempt
	r.queued, r.started, r.ended, r.fetch, r.put = t.queued, t.started, w.now, t.fetch, t.put
	r.retry, r.conflicts = t.retry, t.conflicts
	r.cold, r.outcome, r.try, r.node, r.container = t.cold, o, t.try, t.node, t.container.Index
	// What the phases do not cover, the start of the container's work, is
	// part of the time the function takes.
	r.compute = (r.ended - r.started) - r.fetch - r.put
	i.record.FetchTime += r.fetch
	i.record.PutTime += r.put
	memory := w.workflowOf(i.id).Functions[r.function].Memory
	if memory == 0 {
		memory = w.cost.containerMemory
	}
	i.record.ContainerByteTime += float64(memory) * float64(r.ended-r.started)
	f := &i.functions[r.function]
	if r.attempt == i.id.Attempt {
		r.earlier = f.latest
		f.latest = at
		if o == engine.Completed {
			f.longest = max(f.longest, r.ended-r.queued)
		}
	}
	if i.last == none {
		i.first = at
	} else {
		w.log.At(i.last).next = at
	}
	i.last = at
}

// hasRun returns the record of an instance that has run to its end, or nil.
func (w *world) hasRun(id engine.Invocation, f workflow.FunctionID, path *workflow.Path) *taskRecord {
	i := w.invocation(id)
	if i == nil {
		return nil
	}
	for at := i.functions[f].latest; at != none; at = w.log.At(at).earlier {
		if r := w.log.At(at); r.path == *path && r.outcome == engine.Completed {
			return r
		}
	}
	return nil
}

// finish notes the end of an invocation. Its record is complete only when the
// messages that release it have been counted.
func (w *world) finish(id engine.Invocation, o engine.Outcome) {
	w.finished = append(w.finished, finished{id, o})
}

// report hands on the records of the invocations that have ended.
func (w *world) report() {
	for _, f := range w.finished {
		i := w.invocation(f.id)
		if i == nil {
			continue
		}
		i.record.Ended = w.now
		i.record.Outcome = f.outcome
		i.record.Attempts = int(f.id.Attempt) + 1
		if i.record.Started < 0 {
			i.record.Started = w.now
		}
		w.phases(i)
		w.criticalTime(i)
		price := &w.trial.Profile.Price
		i.record.Cost = price.GBSecond*i.record.ContainerByteTime/1e18 + price.Task*float64(i.record.Tasks)
		if w.traced {
			w.divideControl(i)
			w.reportTasks(i)
		}
		w.recorder.Invocation(&i.record)
		for at := i.first; at != none; {
			next := w.log.At(at).next
			w.log.Give(at)
			at = next
		}
		i.alive = false
		w.open--
		if i.record.Client >= 0 {
			w.clientContinues(&i.record)
		}
	}
	w.finished = w.finished[:0]
}

func (w *world) reportTasks(i *invocation) {
	for at := i.first; at != none; at = w.log.At(at).next {
		r := w.log.At(at)
		w.recorder.Task(&record.Task{
			Workflow: i.record.Workflow, Number: i.record.Number, Function: r.function, Path: r.path, Try: int(r.try),
			Node: r.node, Container: r.container, Cold: r.cold, Critical: r.critical, Outcome: r.outcome,
			Queued: r.queued, Started: r.started, Ended: r.ended, Fetch: r.fetch, Compute: r.compute, Put: r.put,
			Retry: r.retry, Conflicts: int(r.conflicts), Before: r.before, After: r.after,
		})
	}
}

// phases divides the latency of an invocation along the chain of tasks that
// determined its end: from the task that ended last, each time to the one that
// ended last of those that could have triggered it. What lies between the end
// of one and the trigger of the next is the control plane's.
func (w *world) phases(i *invocation) {
	p := &i.record.Phases
	until := i.record.Ended
	for at := w.latest(i); at != none; at = w.trigger(i, at) {
		r := w.log.At(at)
		r.critical = true
		p[record.Control] += until - r.ended
		p[record.Put] += r.put
		p[record.Compute] += r.compute
		p[record.Fetch] += r.fetch
		if r.cold {
			p[record.ColdStart] += r.started - r.queued
		} else {
			p[record.Queue] += r.started - r.queued
		}
		until = r.queued
	}
	p[record.Control] += until - i.record.Intended
}

// latest returns the record of the task that ended last.
func (w *world) latest(i *invocation) uint32 {
	best := none
	for at := i.first; at != none; at = w.log.At(at).next {
		if r := w.log.At(at); r.outcome == engine.Completed && r.attempt == i.id.Attempt {
			best = at // Records are in the order of their end.
		}
	}
	return best
}

// trigger returns the record of the task whose end let another be triggered,
// or none for a task of a start function.
func (w *world) trigger(i *invocation, at uint32) uint32 {
	wf := w.workflowOf(i.id)
	r := w.log.At(at)
	best := none
	w.eachTrigger(i, wf, r.function, &r.path, r.queued, &best)
	return best
}

// eachTrigger looks for the latest of the tasks that may have triggered the
// instance of a function at path, through functions that run no task.
func (w *world) eachTrigger(i *invocation, wf *workflow.Workflow, f workflow.FunctionID, path *workflow.Path, before engine.Time, best *uint32) {
	for _, p := range wf.Functions[f].After {
		if wf.Functions[p].Kind != workflow.Task {
			w.eachTrigger(i, wf, p, path, before, best)
			continue
		}
		depth := min(wf.Scopes[wf.Functions[p].Scope].Depth, path.Depth())
		for c := i.functions[p].latest; c != none; c = w.log.At(c).earlier {
			r := w.log.At(c)
			if r.ended > before || r.outcome != engine.Completed || *best != none && r.ended <= w.log.At(*best).ended {
				continue
			}
			if depth == 0 || r.path.Outer(depth) == path.Outer(depth) {
				*best = c
			}
		}
	}
}

// criticalTime finds the longest chain of functions by their measured times,
// of several instances the longest. It is how the artefact finds what to
// subtract for its scheduling overhead (experiment schedule_overhead).
func (w *world) criticalTime(i *invocation) {
	wf := w.workflowOf(i.id)
	chains := w.loads[i.id.Workflow].chains
	longest := engine.Time(0)
	for _, f := range wf.Order {
		before := engine.Time(0)
		for _, p := range wf.Functions[f].After {
			before = max(before, chains[p])
		}
		chains[f] = before + i.functions[f].longest
		longest = max(longest, chains[f])
	}
	i.record.CriticalTime = longest
}
