package sim

import (
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/chain"
	"github.com/flowtwin/flowtwin/results/record"
)

// invocation is what the simulation knows of the occupant of a slot.
type invocation struct {
	id       engine.Invocation
	alive    bool
	revision uint32 // of the document that guards its outputs
	record   record.Invocation
	chain    chain.Chain
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
	spent := *i
	if i.alive { // Some tasks of the one that had the slot before are still running.
		w.ending = append(w.ending, spent)
		spent = invocation{}
	}
	*i = invocation{
		id: e.Invocation, alive: true, streams: none, chain: spent.chain, begun: spent.begun[:0], spilled: spent.spilled[:0],
		record: record.Invocation{
			Workflow: int(e.Invocation.Workflow), Number: a.number, Client: int(a.client),
			Measured: l.plan.Measured(a.number, a.at), Intended: a.at, Sent: a.at, Started: -1, Attempts: 1,
		},
	}
	i.chain.Begin(w.workflowOf(e.Invocation), w.driven)
}

// taskStarts counts a task that a container has taken up. With the first of a
// new attempt, what earlier ones have done is void.
func (i *invocation) taskStarts(now engine.Time, attempt uint16, cold bool) {
	if attempt > i.id.Attempt {
		i.id.Attempt = attempt
		i.chain.Attempt(attempt)
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
	// What the phases do not cover, the start of the container's work, is
	// part of the time the function takes.
	compute := (w.now - t.started) - t.fetch - t.put
	i.chain.Ended(chain.Task{Attempt: t.subject.Invocation.Attempt, Cause: t.cause, AtHand: t.atHand, Told: w.now, Task: record.Task{
		Workflow: i.record.Workflow, Number: i.record.Number, Function: t.subject.Function, Path: t.subject.Path, Try: int(t.try),
		Node: t.node, Container: t.container.Index, Cold: t.cold, Outcome: o,
		Queued: t.queued, Started: t.started, Ended: w.now, Fetch: t.fetch, Compute: compute, Put: t.put,
		Retry: t.retry, Conflicts: int(t.conflicts), Streamed: t.streamed, Held: t.held,
	}})
	i.record.FetchTime += t.fetch
	i.record.PutTime += t.put
	memory := w.workflowOf(i.id).Functions[t.subject.Function].Memory
	if memory == 0 {
		memory = w.cost.containerMemory
	}
	i.record.ContainerByteTime += float64(memory) * float64(w.now-t.started)
}

// recordPost keeps when a datum was posted.
func (w *world) recordPost(t *task, output int32, path *workflow.Path, way data.Target) {
	if i := w.invocation(t.subject.Invocation); i != nil {
		i.chain.Posted(chain.Post{
			Function: t.subject.Function, Output: output, Path: *path, Attempt: t.subject.Invocation.Attempt, Node: t.node,
			Way: way, At: w.now, Put: t.put + w.now - t.mark,
		})
	}
}

// recordWait keeps what the control plane waits for, or will.
func (w *world) recordWait(s *engine.Subject, kind chain.WaitKind, from, to engine.Time) {
	if !w.traced {
		return
	}
	if i := w.invocation(s.Invocation); i != nil {
		i.chain.Waited(chain.Wait{Kind: kind, Attempt: s.Invocation.Attempt, Function: s.Function, Path: s.Path, From: from, To: to})
	}
}

// memoryLost reports whether what was put into a node's memory by some time
// has been lost.
func (w *world) memoryLost(node engine.NodeID, put engine.Time) bool {
	return put <= w.nodes[node].emptied
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
	i.chain.Close(&i.record)
	price := &w.trial.Profile.Price
	i.record.Cost = price.GBSecond*i.record.ContainerByteTime/1e18 + price.Task*float64(i.record.Tasks)
	if w.traced {
		tasks := i.chain.Tasks()
		for t := range tasks {
			w.recorder.Task(&tasks[t].Task)
		}
	}
	w.recorder.Invocation(&i.record)
	i.alive = false
	w.open--
	for at := range w.ending {
		if i == &w.ending[at] {
			w.ending = append(w.ending[:at], w.ending[at+1:]...)
			break
		}
	}
}
