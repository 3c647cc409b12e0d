package sim

import (
	"slices"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
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
	// first and last of its task records, in the order they ended, and the
	// latest of the records of what they have posted.
	first, last, posts uint32
	// running counts its tasks. It may have ended before they have: then its
	// record waits for theirs.
	running int
	ended   bool
	// streams is the first of its data that go through the broker, spilled
	// those that went from memory to disk, begun the instances that have run
	// if not all do.
	streams uint32
	spilled []datum
	begun   []instance
	// control is the latest of its control records.
	control uint32
}

// functionRecord sums up the instances of a function.
type functionRecord struct {
	latest  uint32 // task record that was made last, or none
	longest engine.Time
}

// instance names a function instance, datum one of its outputs.
type instance struct {
	function workflow.FunctionID
	path     workflow.Path
}

type datum struct {
	function workflow.FunctionID
	output   int32
	path     workflow.Path
}

// postRecord is kept of a datum that was announced, until its invocation ends.
type postRecord struct {
	datum
	way     data.Target
	attempt uint16
	lost    bool // it was in the memory of its node, which is gone
	node    engine.NodeID
	posted  engine.Time
	put     engine.Time // that its function had spent by then on putting
	earlier uint32
}

// taskRecord is what is kept of a task until its invocation ends.
type taskRecord struct {
	function workflow.FunctionID
	path     workflow.Path
	earlier  uint32 // of the same function
	next     uint32 // of the invocation

	queued, started, ended engine.Time
	held                   engine.Time // of the wait
	fetch, compute, put    engine.Time
	retry                  engine.Time // of put
	cause                  engine.Cause
	before, after          record.ControlTime
	conflicts              int32
	streamed               int64 // bytes

	cold bool
	// critical: it is on the chain that determined the end of the invocation,
	// until a time at which it had spent so much on putting.
	critical bool
	until    engine.Time
	putUntil engine.Time
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
	if i.alive && i.id.Generation == id.Generation {
		return i
	}
	for at := range w.ending {
		if i := &w.ending[at]; i.id.Workflow == id.Workflow && i.id.Slot == id.Slot && i.id.Generation == id.Generation {
			return i
		}
	}
	return nil
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
	functions, begun, spilled := i.functions, i.begun[:0], i.spilled[:0]
	if i.alive { // Some tasks of the one that had the slot before are still running.
		w.ending = append(w.ending, *i)
		functions, begun, spilled = nil, nil, nil
	}
	if functions == nil {
		functions = make([]functionRecord, len(w.workflowOf(e.Invocation).Functions))
	}
	for f := range functions {
		functions[f] = functionRecord{latest: none}
	}
	*i = invocation{
		id: e.Invocation, alive: true, functions: functions, first: none, last: none, control: none,
		posts: none, streams: none, begun: begun, spilled: spilled,
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
		i.begun, i.spilled = i.begun[:0], i.spilled[:0]
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
	r.retry, r.conflicts, r.streamed = t.retry, t.conflicts, t.streamed
	r.held, r.cause = t.held, t.cause
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

// report takes note of the end of invocations.
func (w *world) report() {
	for _, f := range w.finished {
		i := w.invocation(f.id)
		if i == nil || i.ended {
			continue
		}
		i.ended = true
		i.record.Ended = w.now
		i.record.Outcome = f.outcome
		i.record.Attempts = int(f.id.Attempt) + 1
		if i.record.Started < 0 {
			i.record.Started = w.now
		}
		if i.record.Client >= 0 {
			w.clientContinues(&i.record)
		}
		// What runs after the result was posted belongs to the record, unless
		// it is about to be killed.
		if f.outcome != engine.Completed || i.running == 0 {
			w.close(i)
		}
	}
	w.finished = w.finished[:0]
}

// taskGone takes note that a task is no more.
func (w *world) taskGone(id engine.Invocation) {
	if i := w.invocation(id); i != nil {
		if i.running--; i.ended && i.running == 0 {
			w.close(i)
		}
	}
}

// close hands on the records of an invocation.
func (w *world) close(i *invocation) {
	w.dropStreams(i, engine.NoNode, true)
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
	for at := i.posts; at != none; {
		earlier := w.posts.At(at).earlier
		w.posts.Give(at)
		at = earlier
	}
	i.alive = false
	w.open--
	for at := range w.ending {
		if i == &w.ending[at] {
			w.ending = append(w.ending[:at], w.ending[at+1:]...)
			break
		}
	}
}

func (w *world) reportTasks(i *invocation) {
	for at := i.first; at != none; at = w.log.At(at).next {
		r := w.log.At(at)
		w.recorder.Task(&record.Task{
			Workflow: i.record.Workflow, Number: i.record.Number, Function: r.function, Path: r.path, Try: int(r.try),
			Node: r.node, Container: r.container, Cold: r.cold, Critical: r.critical, Outcome: r.outcome,
			Queued: r.queued, Started: r.started, Ended: r.ended, Fetch: r.fetch, Compute: r.compute, Put: r.put,
			Retry: r.retry, Conflicts: int(r.conflicts), Streamed: r.streamed, Before: r.before, After: r.after,
			Held: r.held, Until: r.until, PutUntil: r.putUntil,
		})
	}
}

// phases divides the latency of an invocation along the chain of tasks that
// determined its end: from the one that did last what the end waited for, each
// time to the one whose end, or whose output, triggered it. What lies between
// is the control plane's, or the transfer's of an output that was streamed.
func (w *world) phases(i *invocation) {
	p := &i.record.Phases
	until := i.record.Ended
	l := w.lastLink(i)
	for l.task != none {
		r := w.log.At(l.task)
		r.critical, r.until, r.putUntil = true, l.until, l.put
		between := record.Control
		if l.streamed {
			between = record.Transfer
		}
		p[between] += until - l.until
		p[record.Put] += l.put
		p[record.Fetch] += r.fetch
		p[record.Compute] += l.until - r.started - r.fetch - l.put
		p[record.HoldBack] += r.held
		if r.cold {
			p[record.ColdStart] += r.started - r.queued - r.held
		} else {
			p[record.Queue] += r.started - r.queued - r.held
		}
		until = r.queued
		l = w.trigger(i, l.task)
	}
	p[record.Control] += until - i.record.Intended
}

// chainLink is a task on the chain, until the moment at which it did what the next
// one waited for, by which time it had spent so much on putting.
type chainLink struct {
	task       uint32
	until, put engine.Time
	streamed   bool // what it posted then went through the broker
}

// upToEnd is the link of a task whose end was waited for.
func (w *world) upToEnd(task uint32) chainLink {
	if task == none {
		return chainLink{task: none}
	}
	r := w.log.At(task)
	return chainLink{task: task, until: r.ended, put: r.put}
}

// recordPost keeps when a datum was posted.
func (w *world) recordPost(t *task, output int32, path *workflow.Path, way data.Target) {
	i := w.invocation(t.subject.Invocation)
	if i == nil {
		return
	}
	at := w.posts.Take()
	*w.posts.At(at) = postRecord{
		datum: datum{t.subject.Function, output, *path}, way: way, attempt: t.subject.Invocation.Attempt, node: t.node,
		posted: w.now, put: t.put + w.now - t.mark, earlier: i.posts,
	}
	i.posts = at
}

// memoryLost reports whether a datum was in memory that is gone, and has not
// been put there again.
func (w *world) memoryLost(i *invocation, d datum) bool {
	for at := i.posts; at != none; at = w.posts.At(at).earlier {
		if p := w.posts.At(at); p.datum == d && p.attempt == i.id.Attempt && p.way&data.Memory != 0 {
			return p.lost
		}
	}
	return false
}

// upToPost is the link of a task whose output was waited for.
func (w *world) upToPost(i *invocation, d datum) chainLink {
	for at := i.posts; at != none; at = w.posts.At(at).earlier {
		p := w.posts.At(at)
		if p.datum != d || p.attempt != i.id.Attempt {
			continue
		}
		wf := w.workflowOf(i.id)
		producer := d.path.Outer(wf.Scopes[wf.Functions[d.function].Scope].Depth)
		for r := i.functions[d.function].latest; r != none; r = w.log.At(r).earlier {
			if t := w.log.At(r); t.path == producer && t.started <= p.posted && p.posted <= t.ended {
				return chainLink{task: r, until: p.posted, put: p.put, streamed: p.way&data.Pipe != 0}
			}
		}
	}
	return chainLink{task: none}
}

// lastLink returns what the end of an invocation waited for last.
func (w *world) lastLink(i *invocation) chainLink {
	if _, driven := w.system.Scheduler.Control.(engine.DataDriven); !driven {
		return w.upToEnd(w.latest(i))
	}
	wf := w.workflowOf(i.id)
	last := chainLink{task: none}
	consider := func(l chainLink) {
		if l.task != none && l.until <= i.record.Ended && (last.task == none || l.until > last.until) {
			last = l
			last.streamed = false
		}
	}
	for at := i.posts; at != none; at = w.posts.At(at).earlier {
		if p := w.posts.At(at); len(wf.Functions[p.function].Next) == 0 && p.posted <= i.record.Ended {
			consider(w.upToPost(i, p.datum))
		}
	}
	for at := i.first; at != none; at = w.log.At(at).next {
		if r := w.log.At(at); r.outcome == engine.Completed && r.attempt == i.id.Attempt && r.ended <= i.record.Ended {
			f := &wf.Functions[r.function]
			if len(f.Outputs) == 0 || last.task == none && i.record.Outcome != engine.Completed {
				consider(w.upToEnd(at))
			}
		}
	}
	if last.task != none {
		return last
	}
	// Nothing was posted to the end: all that is left of the workflow is dead, or
	// a list was empty. Whoever decided that did so by what was there last.
	for at := i.posts; at != none; at = w.posts.At(at).earlier {
		consider(w.upToPost(i, w.posts.At(at).datum))
	}
	for at := i.first; at != none; at = w.log.At(at).next {
		if r := w.log.At(at); r.outcome == engine.Completed && r.attempt == i.id.Attempt {
			consider(w.upToEnd(at))
		}
	}
	return last
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

// trigger returns what the trigger of a task waited for last, or none for a
// task of a start function.
func (w *world) trigger(i *invocation, at uint32) chainLink {
	wf := w.workflowOf(i.id)
	r := w.log.At(at)
	if c := &r.cause; c.Function != engine.NoFunction && c.Output >= 0 {
		l := w.upToPost(i, datum{c.Function, c.Output, c.Path(wf, &r.path)})
		l.streamed = l.streamed && w.log.At(l.task).node != r.node // Readers nearby have it from memory.
		return l
	}
	c := &r.cause
	if c.Function == engine.NoFunction {
		return w.upToEnd(w.triggeredBy(i, r.function, &r.path, r.queued))
	}
	path := c.Path(wf, &r.path)
	if wf.Functions[c.Function].Kind == workflow.Task {
		return w.upToEnd(w.latestOf(i, c.Function, &path, r.queued))
	}
	return w.upToEnd(w.triggeredBy(i, c.Function, &path, r.queued))
}

// triggeredBy returns the task whose end triggered the instance of a function
// at path, seen through functions that run no task: the last to end of those
// that led there, or the first where the first wins.
func (w *world) triggeredBy(i *invocation, f workflow.FunctionID, path *workflow.Path, before engine.Time) uint32 {
	wf := w.workflowOf(i.id)
	first := wf.Functions[f].Join == workflow.JoinFirst
	best := none
	for _, p := range wf.Functions[f].After {
		at := none
		switch {
		case wf.Functions[p].Kind == workflow.Task:
			at = w.latestOf(i, p, path, before)
		case !first || w.leads(i, p, f, path):
			at = w.triggeredBy(i, p, path, before)
		}
		if at == none {
			continue
		}
		if best == none || first == (w.log.At(at).ended < w.log.At(best).ended) && w.log.At(at).ended != w.log.At(best).ended {
			best = at
		}
	}
	return best
}

// leads reports whether a live control edge led from p to the instance of f at
// path. Of a function in a foreach that f is outside of, it takes that for
// granted.
func (w *world) leads(i *invocation, p, f workflow.FunctionID, path *workflow.Path) bool {
	wf := w.workflowOf(i.id)
	function := &wf.Functions[p]
	depth := wf.Scopes[function.Scope].Depth
	switch {
	case depth > path.Depth():
		return true
	case function.Kind == workflow.Task:
		return w.latestOf(i, p, path, i.record.Ended) != none
	case function.Kind == workflow.Switch:
		s := engine.Subject{Invocation: i.id, Function: p, Path: path.Outer(depth)}
		if !slices.Contains(function.Branches[w.branch(&s)].To, f) {
			return false
		}
	}
	return slices.ContainsFunc(function.After, func(before workflow.FunctionID) bool { return w.leads(i, before, p, path) })
}

// latestOf returns the task of a function that was the last to end before a
// time, of those that have to do with a path.
func (w *world) latestOf(i *invocation, f workflow.FunctionID, path *workflow.Path, before engine.Time) uint32 {
	wf := w.workflowOf(i.id)
	depth := min(wf.Scopes[wf.Functions[f].Scope].Depth, path.Depth())
	best := none
	for c := i.functions[f].latest; c != none; c = w.log.At(c).earlier {
		r := w.log.At(c)
		if r.ended > before || r.outcome != engine.Completed || best != none && r.ended <= w.log.At(best).ended {
			continue
		}
		if depth == 0 || r.path.Outer(depth) == path.Outer(depth) {
			best = c
		}
	}
	return best
}

// criticalTime finds the longest chain of functions by their measured times,
// of several instances the longest. It is how the artefact finds what to
// subtract for its scheduling overhead (experiment schedule_overhead). Where the
// first of several functions triggers another, the chain leads through the
// shortest of those that ran.
func (w *world) criticalTime(i *invocation) {
	wf := w.workflowOf(i.id)
	chains := w.loads[i.id.Workflow].chains
	longest := engine.Time(0)
	for _, f := range wf.Order {
		before, any := engine.Time(0), false
		for _, p := range wf.Functions[f].After {
			if wf.Functions[f].Join == workflow.JoinAll {
				before = max(before, chains[p])
			} else if w.leads(i, p, f, &workflow.Path{}) && (!any || chains[p] < before) {
				before, any = chains[p], true
			}
		}
		chains[f] = before + i.functions[f].longest
		longest = max(longest, chains[f])
	}
	i.record.CriticalTime = longest
}
