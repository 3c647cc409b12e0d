// Package controlflow is what MasterSP and WorkerSP share: a function is
// triggered by control edges, when its predecessors have ended and stored
// their outputs.
//
// A trigger is a call. Whoever resolves a control edge calls the node that
// counts the joins of the function behind it, and that node answers when
// everything that the call set off has ended. Of the calls into a join the
// last one carries on, the others are answered at once. So the end of an
// invocation shows at the gateway when the answers to its first calls are in,
// which needs no end node and no count of sinks. It is how nested HTTP
// requests tell the end in the FaaSFlow artefact (reference: the request life
// cycle of tag v1.1), without blocking anyone.
package controlflow

import (
	"slices"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/inbox"
	"github.com/flowtwin/flowtwin/engine/joins"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Scheme is what differs between schemes that are driven by control edges.
type Scheme interface {
	// Home returns the node that counts what the joins of a function wait
	// for.
	Home(i engine.Invocation, f workflow.FunctionID) engine.NodeID
	// Start begins a function that is of kind Task and ready, as part of a
	// call. With items > 0 it is all instances of a foreach that the instance
	// at the subject's path has opened, whose call counts once for each.
	Start(subject engine.Subject, call int32, items uint32)
}

// Flow carries invocations along their control edges, as far as one node has
// to do with it.
type Flow struct {
	node   *engine.Node
	scheme Scheme
	times  bool
	states [][]state // by workflow and slot
}

// state is what a node knows of one invocation.
type state struct {
	joins joins.State
	inbox inbox.State // only where data are streamed
	calls []call
	free  []int32
}

// call is a call that this node has accepted and not yet answered.
type call struct {
	caller  engine.NodeID // NoNode: the gateway's own
	number  int32         // the caller's name for it
	pending int32         // what it has set off that has not ended
	items   uint32        // the number that the answer carries
	subject engine.Subject
}

// New returns the flow of a node. With times, it records in the database how
// long functions take before it goes on.
func New(n *engine.Node, s Scheme, times bool) *Flow {
	return &Flow{node: n, scheme: s, times: times, states: make([][]state, len(n.System().Workflows))}
}

// Forget drops the state of the occupant of a slot. The storage is kept for
// the next.
func (fl *Flow) Forget(w engine.WorkflowID, slot uint32) {
	if int(slot) < len(fl.states[w]) {
		s := &fl.states[w][slot]
		s.calls, s.free = s.calls[:0], s.free[:0]
		s.joins.Clear()
		s.inbox.Clear()
	}
}

// OpenCalls is the number of calls that the node has accepted and not yet
// answered.
func (fl *Flow) OpenCalls() int {
	n := 0
	for _, states := range fl.states {
		for i := range states {
			n += len(states[i].calls) - len(states[i].free)
		}
	}
	return n
}

func (fl *Flow) state(i engine.Invocation) *state {
	states := fl.states[i.Workflow]
	for int(i.Slot) >= len(states) {
		states = append(states, state{})
	}
	fl.states[i.Workflow] = states
	return &states[i.Slot]
}

// counters returns the join counters of an invocation, laid out on first use:
// nodes that only run what they are told never need them.
func (fl *Flow) counters(i engine.Invocation) *joins.State {
	s := &fl.state(i).joins
	if s.Empty() {
		s.Reset(fl.node.System().Layouts[i.Workflow])
	}
	return s
}

// Arrive begins an attempt at the gateway: it triggers the start functions.
func (fl *Flow) Arrive(i engine.Invocation) {
	root := fl.Accept(engine.NoNode, 0, engine.Subject{Invocation: i})
	for _, f := range fl.node.Workflow(i).Starts {
		subject := engine.Subject{Invocation: i, Function: f}
		if fl.node.System().Rules.PlacementQuery {
			fl.Expect(i, root, 1)
			fl.node.Document(engine.DocumentPlacement, subject, root, 0)
		} else {
			fl.Trigger(subject, root, 0)
		}
	}
	fl.Settle(i, root, 0)
}

// Deliver handles the messages that control edges cause.
func (fl *Flow) Deliver(m *engine.Message) {
	i := m.Invocation
	switch m.Kind {
	case engine.MessageDone:
		fl.Settle(i, m.Call, 1)
		return
	case engine.MessageDead:
		fl.Dead(m.Subject)
		return
	}
	c := fl.Accept(m.From, m.Call, m.Subject)
	switch m.Kind {
	case engine.MessageTrigger:
		fl.arrive(m.Subject, c, m.Items)
	case engine.MessageSkip:
		fl.skip(m.Subject, c, int32(m.Items))
	case engine.MessageSkipGather:
		fl.gather(m.Subject, c, false)
	}
	fl.Settle(i, c, 0)
}

// Documented goes on after a database operation that a quirk asks for.
func (fl *Flow) Documented(e *engine.Event) {
	switch e.Document {
	case engine.DocumentPlacement:
		fl.Trigger(e.Subject, e.Call, 0)
		fl.Settle(e.Invocation, e.Call, 1)
	case engine.DocumentList:
		fl.scheme.Start(e.Subject, e.Call, e.Items)
		fl.Settle(e.Invocation, e.Call, 1)
	case engine.DocumentTiming:
		if e.Items > 0 {
			fl.gathered(e.Subject, e.Call, true)
		} else {
			fl.follow(e.Subject, e.Call)
		}
		fl.Settle(e.Invocation, e.Call, 1)
	}
}

// Accept opens a call that nothing is pending for yet.
func (fl *Flow) Accept(caller engine.NodeID, number int32, subject engine.Subject) int32 {
	s := fl.state(subject.Invocation)
	var c int32
	if last := len(s.free) - 1; last >= 0 {
		c = s.free[last]
		s.free = s.free[:last]
	} else {
		c = int32(len(s.calls))
		if len(s.calls) == cap(s.calls) {
			s.calls = slices.Grow(s.calls, len(s.calls)+1)
		}
		s.calls = append(s.calls, call{})
	}
	// One is held until Settle is called with 0, so that the call is not
	// answered while it is still being set up.
	s.calls[c] = call{caller: caller, number: number, pending: 1, subject: subject}
	return c
}

// Expect notes that a call has set off n more things.
func (fl *Flow) Expect(i engine.Invocation, c, n int32) { fl.state(i).calls[c].pending += n }

// Pending is the number of things that a call has set off and that have not
// ended.
func (fl *Flow) Pending(i engine.Invocation, c int32) int32 { return fl.state(i).calls[c].pending }

// AnswerItems sets the number that the answer to a call will carry.
func (fl *Flow) AnswerItems(i engine.Invocation, c int32, items uint32) {
	fl.state(i).calls[c].items = items
}

// Settle notes that n things that a call had set off have ended; n = 0 stands
// for the setting up itself, which Accept began. It answers the call if
// nothing is left.
func (fl *Flow) Settle(i engine.Invocation, c, n int32) {
	s := fl.state(i)
	at := &s.calls[c]
	at.pending -= max(n, 1)
	if at.pending > 0 {
		return
	}
	s.free = append(s.free, c)
	if at.caller == engine.NoNode {
		fl.node.Complete(i)
		return
	}
	fl.node.Send(engine.Message{Kind: engine.MessageDone, To: at.caller, Call: at.number, Items: at.items, Subject: at.subject})
}

// Trigger resolves a control edge into a function, with items > 0 one that
// opens a foreach.
func (fl *Flow) Trigger(subject engine.Subject, c int32, items uint32) {
	home := fl.scheme.Home(subject.Invocation, subject.Function)
	if home == fl.node.ID() {
		fl.arrive(subject, c, items)
		return
	}
	fl.Expect(subject.Invocation, c, 1)
	fl.node.Send(engine.Message{Kind: engine.MessageTrigger, To: home, Call: c, Items: items, Subject: subject})
}

// arrive counts a control edge that something live has come along.
func (fl *Flow) arrive(subject engine.Subject, c int32, items uint32) {
	w := fl.node.Workflow(subject.Invocation)
	if items > 0 {
		fl.fanOut(subject, c, items)
		return
	}
	runs := true
	if w.Indegree[subject.Function] > 1 {
		var complete bool
		if complete, runs = fl.counters(subject.Invocation).Arrive(subject.Function, &subject.Path, 1, true); !complete {
			return
		}
	}
	if runs {
		fl.start(subject, c)
	}
}

// fanOut counts the control edge into every instance of a foreach.
func (fl *Flow) fanOut(subject engine.Subject, c int32, items uint32) {
	w := fl.node.Workflow(subject.Invocation)
	if w.Indegree[subject.Function] == 1 && w.Functions[subject.Function].Kind == workflow.Task {
		if fl.node.System().Rules.ListDocuments {
			fl.Expect(subject.Invocation, c, 1)
			fl.node.Document(engine.DocumentList, subject, c, items)
			return
		}
		fl.scheme.Start(subject, c, items)
		return
	}
	opener := subject.Path
	for i := range items {
		subject.Path = opener.Item(i, items)
		fl.arrive(subject, c, 0)
	}
}

// start begins a function whose inputs are there.
func (fl *Flow) start(subject engine.Subject, c int32) {
	switch fl.node.Workflow(subject.Invocation).Functions[subject.Function].Kind {
	case workflow.Task:
		fl.scheme.Start(subject, c, 0)
	case workflow.Switch:
		fl.Expect(subject.Invocation, c, 1)
		fl.Run(subject, c)
	case workflow.End:
		fl.Ended(subject, c)
	}
}

// Posted takes note of the length of a list.
func (fl *Flow) Posted(subject engine.Subject, output int32, items uint32) {
	w := fl.node.Workflow(subject.Invocation)
	for _, child := range w.Scopes[w.Functions[subject.Function].Scope].Children {
		if w.Scopes[child].Over == (workflow.OutputRef{Function: subject.Function, Output: output}) {
			fl.counters(subject.Invocation).SetItems(child, &subject.Path, items)
		}
	}
}

// Switched follows the branch that a switch has chosen, and skips the others.
func (fl *Flow) Switched(subject engine.Subject, c int32, branch int) {
	w := fl.node.Workflow(subject.Invocation)
	for _, to := range w.Functions[subject.Function].Branches[branch].To {
		fl.along(subject, c, to)
	}
	fl.die(subject, c, w.DeadByBranch(subject.Function, branch))
	fl.Settle(subject.Invocation, c, 1)
}

// Ended goes on after an instance that has ended: it is counted where a merge
// waits for it, and the control edges out of it are followed. Where the
// platform records how long functions take, that comes first; a foreach is
// recorded once for all its instances, unless they go different ways.
func (fl *Flow) Ended(subject engine.Subject, c int32) {
	w := fl.node.Workflow(subject.Invocation)
	if !fl.timed(w, subject.Function) || MergesOnly(w, subject.Function) {
		fl.follow(subject, c)
		return
	}
	fl.Expect(subject.Invocation, c, 1)
	fl.node.Document(engine.DocumentTiming, subject, c, 0)
}

// timed reports whether it is recorded how long a function takes.
func (fl *Flow) timed(w *workflow.Workflow, f workflow.FunctionID) bool {
	return fl.times && w.Functions[f].Kind == workflow.Task
}

// follow follows the control edges out of an instance.
func (fl *Flow) follow(subject engine.Subject, c int32) {
	function := &fl.node.Workflow(subject.Invocation).Functions[subject.Function]
	for _, to := range function.Next {
		fl.along(subject, c, to)
	}
	if function.Gather >= 0 {
		fl.gather(subject, c, true)
	}
}

// MergesOnly reports whether all control edges out of a function lead to the
// merge of the foreach that it is in, so that nothing is to be done when a
// single instance of several has ended.
func MergesOnly(w *workflow.Workflow, f workflow.FunctionID) bool {
	function := &w.Functions[f]
	for _, next := range function.Next {
		if w.Functions[next].Scope != w.Scopes[function.Scope].Parent {
			return false
		}
	}
	return function.Scope > 0 && len(function.Next) > 0
}

// along follows one control edge, unless it leaves a foreach: those are
// followed when all instances have been gathered.
func (fl *Flow) along(subject engine.Subject, c int32, to workflow.FunctionID) {
	w := fl.node.Workflow(subject.Invocation)
	from, next := w.Functions[subject.Function].Scope, w.Functions[to].Scope
	switch {
	case next == from:
		subject.Function = to
		fl.Trigger(subject, c, 0)
	case w.Scopes[next].Parent == from:
		items := fl.counters(subject.Invocation).Items(next, &subject.Path)
		if items == 0 {
			fl.passEmpty(subject, c, next, to)
			return
		}
		subject.Function = to
		fl.Trigger(subject, c, items)
	}
}

// passEmpty deals with a foreach over an empty list: it has no instances, so
// the merges behind it are triggered at once.
func (fl *Flow) passEmpty(subject engine.Subject, c int32, scope workflow.ScopeID, entry workflow.FunctionID) {
	w := fl.node.Workflow(subject.Invocation)
	if entry != w.Scopes[scope].Entries[0] {
		return // Once for each scope is enough.
	}
	for _, f := range w.Scopes[scope].Functions {
		if in := fl.node.System().Inboxes; in != nil && in[subject.Invocation.Workflow].Gathered(f) {
			subject.Function = f
			fl.announceDead(subject)
		}
	}
	for _, f := range w.Scopes[scope].Gatherers {
		for _, merge := range w.Functions[f].Next {
			if w.Functions[merge].Scope == w.Scopes[scope].Parent {
				subject.Function = merge
				fl.Trigger(subject, c, 0)
			}
		}
	}
}

// gather counts an instance that has ended or was skipped, and follows the
// edges to the merges behind it after the last one.
func (fl *Flow) gather(subject engine.Subject, c int32, ran bool) {
	complete, alive := fl.counters(subject.Invocation).Gather(subject.Function, &subject.Path, ran)
	if !complete {
		return
	}
	subject.Path = subject.Path.Parent()
	if w := fl.node.Workflow(subject.Invocation); fl.timed(w, subject.Function) && alive && MergesOnly(w, subject.Function) {
		fl.Expect(subject.Invocation, c, 1)
		fl.node.Document(engine.DocumentTiming, subject, c, 1)
		return
	}
	fl.gathered(subject, c, alive)
}

// AllEnded goes on after all instances of a function in a foreach. The
// subject's path is that of the merge.
func (fl *Flow) AllEnded(subject engine.Subject, c int32) { fl.gathered(subject, c, true) }

// gathered follows the edges from all instances of a function to the merges
// behind them.
func (fl *Flow) gathered(subject engine.Subject, c int32, alive bool) {
	w := fl.node.Workflow(subject.Invocation)
	function := &w.Functions[subject.Function]
	for _, merge := range function.Next {
		if w.Functions[merge].Scope != w.Scopes[function.Scope].Parent {
			continue
		}
		subject.Function = merge
		if alive {
			fl.Trigger(subject, c, 0)
		} else {
			fl.passSkip(subject, c, workflow.Skip{Function: merge, Edges: 1})
		}
	}
}

// die hands on what becomes dead at an instance.
func (fl *Flow) die(subject engine.Subject, c int32, dead *workflow.Dead) {
	for _, s := range dead.Skips {
		subject.Function = s.Function
		fl.passSkip(subject, c, s)
	}
	for _, f := range dead.Functions {
		subject.Function = f
		fl.announceDead(subject)
	}
}

// passSkip takes dead edges to the node that counts them.
func (fl *Flow) passSkip(subject engine.Subject, c int32, s workflow.Skip) {
	home := fl.scheme.Home(subject.Invocation, s.Function)
	switch {
	case home != fl.node.ID():
		kind := engine.MessageSkip
		if s.Gather {
			kind = engine.MessageSkipGather
		}
		fl.Expect(subject.Invocation, c, 1)
		fl.node.Send(engine.Message{Kind: kind, To: home, Call: c, Items: uint32(s.Edges), Subject: subject})
	case s.Gather:
		fl.gather(subject, c, false)
	default:
		fl.skip(subject, c, s.Edges)
	}
}

// skip counts dead edges into a join. If that was all it waited for, it runs,
// or is skipped itself.
func (fl *Flow) skip(subject engine.Subject, c int32, edges int32) {
	complete, runs := fl.counters(subject.Invocation).Arrive(subject.Function, &subject.Path, edges, false)
	switch {
	case !complete:
	case runs:
		fl.start(subject, c)
	default:
		fl.die(subject, c, fl.node.Workflow(subject.Invocation).DeadBehind(subject.Function))
	}
}
