// Package dataflower is the control scheme of DataFlower (ASPLOS'24): there is
// no master, and nobody waits for a function to end. Each output is announced
// to the nodes that read it the moment it is posted, and a function runs when
// its inputs are there.
//
// The protocol is that of the artefact (tags v2.0 and main, the WorkerSP
// manager of the worker proxy): the gateway informs every node that will take
// part, waits for their answers, and passes on the user's input; one message
// crosses for each datum and node that reads it; what ends a branch of the
// workflow posts its result to the gateway. With the last result the
// invocation has ended: what runs then may go on, what has not begun never
// does.
//
// The artefact knows only workflows whose every edge is a datum. Here, an edge
// without data is resolved by the end of the function it leaves, and a function
// that only dead branches lead to is skipped as in the other schemes: its
// readers are told that its data will not come.
package dataflower

import (
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/inbox"
	"github.com/flowtwin/flowtwin/engine/joins"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Scheme is DataFlower's control.
type Scheme struct{}

// DataDriven says that functions are triggered by their data.
func (Scheme) DataDriven() {}

// New returns DataFlower's part on one node.
func (Scheme) New(n *engine.Node) engine.Control {
	c := &control{node: n, states: make([][]state, len(n.System().Workflows))}
	for _, w := range n.System().Workflows {
		c.edges = append(c.edges, findCarriers(w))
		c.ends = append(c.ends, findEnds(w))
	}
	return c
}

// Participants are the workers that functions of the workflow are placed on.
func (Scheme) Participants(_ *engine.System, d *engine.Deployment, w engine.WorkflowID) []engine.NodeID {
	return d.PlacedOn(w)
}

// EvaluatesAt is the node of the function whose output the switch looks at: in
// the artefact a switch is a property of that function.
func (Scheme) EvaluatesAt(_ *engine.Cluster, w *workflow.Workflow, f workflow.FunctionID, node []engine.NodeID) engine.NodeID {
	if after := w.Functions[f].After; len(after) > 0 {
		return node[after[0]]
	}
	return node[f]
}

type control struct {
	node   *engine.Node
	edges  []carriers
	ends   []ends
	states [][]state // by workflow and slot
}

// state is what a node knows of one invocation.
type state struct {
	joins   joins.State
	inbox   inbox.State
	left    int32 // nodes that the gateway has informed and not heard from
	waiting waiting
	done    bool         // nothing is waited for any more
	cause   engine.Cause // of what is being handled
}

// Forget implements engine.Control.
func (c *control) Forget(w engine.WorkflowID, slot uint32) {
	if int(slot) < len(c.states[w]) {
		s := &c.states[w][slot]
		s.joins.Clear()
		s.inbox.Clear()
		s.done = false
	}
}

// state returns what is known of an invocation, laid out at first use.
func (c *control) state(i engine.Invocation) *state {
	states := c.states[i.Workflow]
	for int(i.Slot) >= len(states) {
		states = append(states, state{})
	}
	c.states[i.Workflow] = states
	s := &states[i.Slot]
	if s.inbox.Empty() {
		s.joins.Reset(c.node.System().Layouts[i.Workflow])
		s.inbox.Reset(c.node.System().Inboxes[i.Workflow])
	}
	return s
}

// home is the node that runs a function, and counts what it waits for.
func (c *control) home(i engine.Invocation, f workflow.FunctionID) engine.NodeID {
	return c.node.Deployment(i).Node(i.Workflow, f)
}

func (c *control) gateway() engine.NodeID { return c.node.System().Cluster.Gateway }

// Handle implements engine.Control.
func (c *control) Handle(e engine.Event) {
	s := c.state(e.Invocation)
	s.cause = engine.NoCause()
	switch e.Kind {
	case engine.EventArrive:
		c.arrive(e.Invocation)
	case engine.EventDocument:
		c.inform(e.Invocation)
	case engine.EventDeliver:
		c.deliver(&e.Message)
	case engine.EventItems:
		c.counted(&e)
	case engine.EventPosted:
		c.posted(&e)
	case engine.EventArrived:
		s.cause = engine.CausedBy(e.Function, int32(e.Number), &e.Path)
		c.received(&e)
	case engine.EventTaskEnded:
		s.cause = engine.EndOf(e.Function)
		c.ended(e.Subject)
	case engine.EventSwitched:
		s.cause = engine.EndOf(e.Function)
		c.switched(e.Subject, int(e.Number))
	}
	if len(s.inbox.Ready) > 0 {
		c.startReady(e.Invocation, s)
	}
	if s.done {
		c.node.Complete(e.Invocation)
	}
}

// startReady starts what has become ready, in that order. More may become
// ready with that.
func (c *control) startReady(i engine.Invocation, s *state) {
	for at := 0; at < len(s.inbox.Ready); at++ {
		ready := &s.inbox.Ready[at]
		subject := engine.Subject{Invocation: i, Function: ready.Function, Path: ready.Path}
		switch c.node.Workflow(i).Functions[ready.Function].Kind {
		case workflow.Task:
			c.node.Run(subject, 0, s.cause)
		case workflow.Switch:
			c.node.Evaluate(subject, 0, s.cause)
		case workflow.End:
			c.ended(subject)
		}
	}
	s.inbox.Ready = s.inbox.Ready[:0]
}

// The gateway's part.

func (c *control) arrive(i engine.Invocation) {
	if c.node.System().Rules.RequestDocument {
		c.node.Document(engine.DocumentRequest, engine.Subject{Invocation: i}, 0, 0)
		return
	}
	c.inform(i)
}

// inform tells all nodes that will take part of the invocation.
func (c *control) inform(i engine.Invocation) {
	s := c.state(i)
	s.waiting = c.ends[i.Workflow].begin
	nodes := c.node.Deployment(i).Participants(i.Workflow)
	s.left = int32(len(nodes))
	for _, to := range nodes {
		c.node.Send(engine.Message{Kind: engine.MessageInform, To: to, Subject: engine.Subject{Invocation: i}})
	}
}

// informed passes on the user's input when all nodes know of the invocation.
func (c *control) informed(i engine.Invocation) {
	s := c.state(i)
	if s.left--; s.left > 0 {
		return
	}
	for _, f := range c.node.Workflow(i).Starts {
		c.trigger(engine.Subject{Invocation: i, Function: f}, 0)
	}
}

func (c *control) deliver(m *engine.Message) {
	switch m.Kind {
	case engine.MessageInform:
		c.node.Send(engine.Message{Kind: engine.MessageInformed, To: m.From, Subject: m.Subject})
	case engine.MessageInformed:
		c.informed(m.Invocation)
	case engine.MessageTrigger:
		c.owe(m)
		c.resolve(m.Subject, m.Items)
	case engine.MessageSkip:
		c.owe(m)
		c.skip(m.Subject, int32(m.Items))
	case engine.MessageSkipGather:
		c.owe(m)
		c.gather(m.Subject, false)
	case engine.MessageDead:
		c.dead(m.Subject)
	case engine.MessageCount:
		c.count(m.Subject, m.Call)
	case engine.MessageItems:
		c.listed(m.Subject, m.Call, m.Items)
	case engine.MessageResult:
		c.resulted(m.Subject)
	}
}

// Edges.

// A message along an edge says in Call what it is owed to: the number of the
// function that has ended, or of the switch that has chosen, plus 1.

// owe takes that for the cause of what follows from a message.
func (c *control) owe(m *engine.Message) {
	if m.Call > 0 {
		c.state(m.Invocation).cause = engine.EndOf(workflow.FunctionID(m.Call - 1))
	}
}

// owed is the Call of messages that follow from what is being handled.
func (c *control) owed(i engine.Invocation) int32 {
	if cause := &c.state(i).cause; cause.Output < 0 {
		return int32(cause.Function) + 1
	}
	return 0
}

// trigger resolves a control edge that carries no data, with items > 0 one that
// opens a foreach.
func (c *control) trigger(subject engine.Subject, items uint32) {
	home := c.home(subject.Invocation, subject.Function)
	if home == c.node.ID() {
		c.resolve(subject, items)
		return
	}
	c.node.Send(engine.Message{Kind: engine.MessageTrigger, To: home, Items: items, Call: c.owed(subject.Invocation), Subject: subject})
}

// resolve counts a live control edge into one instance, or into all of a
// foreach.
func (c *control) resolve(subject engine.Subject, items uint32) {
	if items == 0 {
		c.join(subject, true)
		return
	}
	opener := subject.Path
	for item := range items {
		subject.Path = opener.Item(item, items)
		c.join(subject, true)
	}
}

// join counts a control edge into an instance, and triggers it with the last.
func (c *control) join(subject engine.Subject, alive bool) {
	s := c.state(subject.Invocation)
	runs := alive
	if !alive || c.node.Workflow(subject.Invocation).Indegree[subject.Function] > 1 {
		var complete bool
		if complete, runs = s.joins.Arrive(subject.Function, &subject.Path, 1, alive); !complete {
			return
		}
	}
	if runs {
		s.inbox.Trigger(subject.Function, &subject.Path, 0)
	} else {
		c.die(subject, c.node.Workflow(subject.Invocation).DeadBehind(subject.Function))
	}
}

// skip counts dead edges into a join.
func (c *control) skip(subject engine.Subject, edges int32) {
	s := c.state(subject.Invocation)
	complete, runs := s.joins.Arrive(subject.Function, &subject.Path, edges, false)
	switch {
	case !complete:
	case runs:
		s.inbox.Trigger(subject.Function, &subject.Path, 0)
	default:
		c.die(subject, c.node.Workflow(subject.Invocation).DeadBehind(subject.Function))
	}
}

// die hands on what becomes dead at an instance.
func (c *control) die(subject engine.Subject, dead *workflow.Dead) {
	i := subject.Invocation
	for _, s := range dead.Skips {
		subject.Function = s.Function
		kind := engine.MessageSkip
		if s.Gather {
			kind = engine.MessageSkipGather
		}
		switch home := c.home(i, s.Function); {
		case home != c.node.ID():
			c.node.Send(engine.Message{Kind: kind, To: home, Items: uint32(s.Edges), Call: c.owed(i), Subject: subject})
		case s.Gather:
			c.gather(subject, false)
		default:
			c.skip(subject, s.Edges)
		}
	}
	for _, f := range dead.Functions {
		subject.Function = f
		also := engine.NoNode
		if c.ends[i.Workflow].concerns(f) {
			also = c.gateway()
		}
		if c.node.AnnounceDead(subject, also) {
			c.dead(subject)
		}
	}
}

// dead takes note that an instance, or all of a function below a path, will
// post nothing.
func (c *control) dead(subject engine.Subject) {
	i := subject.Invocation
	if c.node.ID() == c.gateway() {
		c.endDead(subject)
	}
	w := c.node.Workflow(i)
	for output := range w.Functions[subject.Function].Outputs {
		for _, r := range c.node.System().Inboxes[i.Workflow].Readers(subject.Function, int32(output)) {
			if c.home(i, r.Function) != c.node.ID() {
				continue
			}
			// That a whole list or foreach is dead, the edges are told by skips.
			complete, live := c.state(i).inbox.Arrive(r, &subject.Path, false)
			if complete && c.edges[i.Workflow].carries(r) && subject.Path.Depth() > w.Scopes[w.Functions[r.Function].Scope].Depth {
				c.join(engine.Subject{Invocation: i, Function: r.Function, Path: subject.Path.Outer(w.Scopes[w.Functions[r.Function].Scope].Depth)}, live)
			}
		}
	}
}

// Data.

// received matches a datum with those on this node that read it.
func (c *control) received(e *engine.Event) {
	i := e.Invocation
	w := c.node.Workflow(i)
	s := c.state(i)
	for _, r := range c.node.System().Inboxes[i.Workflow].Readers(e.Function, int32(e.Number)) {
		if c.home(i, r.Function) != c.node.ID() {
			continue
		}
		complete, live := s.inbox.Arrive(r, &e.Path, true)
		if complete && c.edges[i.Workflow].carries(r) {
			c.join(engine.Subject{Invocation: i, Function: r.Function, Path: e.Path.Outer(w.Scopes[w.Functions[r.Function].Scope].Depth)}, live)
		}
	}
}

// counted takes note of the length of a list that a function here has posted.
func (c *control) counted(e *engine.Event) {
	i := e.Invocation
	w := c.node.Workflow(i)
	if !c.state(i).inbox.Once(e.Function, &e.Path, 1+int(e.Number)) {
		return // It was run again.
	}
	over := workflow.OutputRef{Function: e.Function, Output: int32(e.Number)}
	for _, child := range w.Scopes[w.Functions[e.Function].Scope].Children {
		if w.Scopes[child].Over == over {
			c.state(i).joins.SetItems(child, &e.Path, e.Items)
			if c.ends[i.Workflow].open[child] {
				c.tellGateway(engine.Message{Kind: engine.MessageItems, Call: int32(e.Number), Items: e.Items, Subject: e.Subject})
			}
		}
	}
}

// count takes note, on the node of a merge, that the number of items that it
// waits for is known.
func (c *control) count(subject engine.Subject, output int32) {
	i := subject.Invocation
	w := c.node.Workflow(i)
	for _, child := range w.Scopes[w.Functions[subject.Function].Scope].Children {
		if w.Scopes[child].Over != (workflow.OutputRef{Function: subject.Function, Output: output}) {
			continue
		}
		for _, merge := range c.edges[i.Workflow].merges[child] {
			if c.home(i, merge) == c.node.ID() {
				c.state(i).inbox.Count(merge, &subject.Path, child)
			}
		}
	}
}

// posted passes on the result when a function that ends a branch of the
// workflow has posted the last of its outputs.
func (c *control) posted(e *engine.Event) {
	last := c.ends[e.Invocation.Workflow].last[e.Function]
	if last != int32(e.Number) {
		return
	}
	w := c.node.Workflow(e.Invocation)
	depth := w.Scopes[w.Functions[e.Function].Scope].Depth
	if level := e.Path.Last(); e.Path.Depth() > depth && level.Index+1 < level.Of {
		return
	}
	c.result(engine.Subject{Invocation: e.Invocation, Function: e.Function, Path: e.Path.Outer(depth)})
}

// What follows the end of a function.

// ended goes on after an instance that has ended: edges that carry no data are
// resolved now.
func (c *control) ended(subject engine.Subject) {
	i := subject.Invocation
	w := c.node.Workflow(i)
	function := &w.Functions[subject.Function]
	if c.ends[i.Workflow].isSink(subject.Function) && c.ends[i.Workflow].last[subject.Function] < 0 {
		c.result(subject)
	}
	for _, to := range function.Next {
		c.along(subject, to)
	}
	if function.Gather >= 0 && c.edges[i.Workflow].gathers[subject.Function] {
		c.gather(subject, true)
	}
	for _, child := range w.Scopes[function.Scope].Children {
		if w.Scopes[child].Over.Function != subject.Function {
			continue
		}
		if c.state(i).joins.Items(child, &subject.Path) == 0 {
			c.passEmpty(subject, child)
		}
		c.sendCounts(subject, child)
	}
}

// sendCounts tells the merges of a foreach that the number of its items is
// known, where that is a quirk.
func (c *control) sendCounts(subject engine.Subject, scope workflow.ScopeID) {
	if !c.node.System().Rules.CountAtEnd {
		return
	}
	i := subject.Invocation
	w := c.node.Workflow(i)
	here := false
	merges := c.edges[i.Workflow].merges[scope]
	for k, merge := range merges {
		home := c.home(i, merge)
		seen := false
		for _, earlier := range merges[:k] {
			seen = seen || c.home(i, earlier) == home
		}
		switch {
		case seen:
		case home == c.node.ID():
			here = true
		default:
			c.node.Send(engine.Message{Kind: engine.MessageCount, To: home, Call: w.Scopes[scope].Over.Output, Subject: subject})
		}
	}
	if here {
		c.count(subject, w.Scopes[scope].Over.Output)
	}
}

// along follows one control edge that carries no data, unless it leaves a
// foreach.
func (c *control) along(subject engine.Subject, to workflow.FunctionID) {
	i := subject.Invocation
	w := c.node.Workflow(i)
	if c.edges[i.Workflow].carried(w, subject.Function, to) {
		return
	}
	from, next := w.Functions[subject.Function].Scope, w.Functions[to].Scope
	switch {
	case next == from:
		subject.Function = to
		c.trigger(subject, 0)
	case w.Scopes[next].Parent == from:
		if items := c.state(i).joins.Items(next, &subject.Path); items > 0 {
			subject.Function = to
			c.trigger(subject, items)
		}
	}
}

// passEmpty deals with a foreach over an empty list: the merges behind it are
// triggered, and told that there are no data.
func (c *control) passEmpty(subject engine.Subject, scope workflow.ScopeID) {
	i := subject.Invocation
	w := c.node.Workflow(i)
	for _, f := range w.Scopes[scope].Gatherers {
		for _, merge := range w.Functions[f].Next {
			if w.Functions[merge].Scope == w.Scopes[scope].Parent {
				subject.Function = merge
				c.trigger(subject, 0)
			}
		}
	}
	for _, f := range w.Scopes[scope].Functions {
		subject.Function = f
		if c.node.System().Inboxes[i.Workflow].Gathered(f) && c.node.AnnounceDead(subject, engine.NoNode) {
			c.dead(subject)
		}
	}
}

// gather counts an instance that has ended or was skipped, and follows the
// edges that carry no data to the merges behind it after the last one.
func (c *control) gather(subject engine.Subject, ran bool) {
	i := subject.Invocation
	if !c.edges[i.Workflow].gathers[subject.Function] {
		return
	}
	complete, alive := c.state(i).joins.Gather(subject.Function, &subject.Path, ran)
	if !complete {
		return
	}
	w := c.node.Workflow(i)
	from := subject.Function
	function := &w.Functions[from]
	subject.Path = subject.Path.Parent()
	for _, merge := range function.Next {
		if w.Functions[merge].Scope != w.Scopes[function.Scope].Parent || c.edges[i.Workflow].carried(w, from, merge) {
			continue
		}
		subject.Function = merge
		home := c.home(i, merge)
		switch {
		case alive:
			c.trigger(subject, 0)
		case home == c.node.ID():
			c.skip(subject, 1)
		default:
			c.node.Send(engine.Message{Kind: engine.MessageSkip, To: home, Items: 1, Call: c.owed(i), Subject: subject})
		}
	}
}

// switched follows the branch that a switch has chosen, and skips the others.
func (c *control) switched(subject engine.Subject, branch int) {
	w := c.node.Workflow(subject.Invocation)
	for _, to := range w.Functions[subject.Function].Branches[branch].To {
		c.along(subject, to)
	}
	c.die(subject, w.DeadByBranch(subject.Function, branch))
}
