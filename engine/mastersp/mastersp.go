// Package mastersp is the control scheme that FaaSFlow (ASPLOS'22) compares
// itself with, that of HyperFlow-serverless: one master keeps the state of all
// invocations, tells workers which functions to run, and hears from them when
// they have ended.
//
// The protocol is that of the artefact (tag v1.1, the MasterSP manager): the
// gateway calls the master once for each start function; the master evaluates
// switches itself, calls a worker once for each function (once for all
// instances of a foreach), and the worker's answer is the completion report.
// As a quirk the master asks all workers for their state, and waits for all
// answers, before each function; the function then runs where the static
// placement says.
package mastersp

import (
	"slices"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/controlflow"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Scheme is MasterSP.
type Scheme struct{}

// New returns MasterSP's part on one node, which is the master's on the
// storage node and a worker's on the others.
func (Scheme) New(n *engine.Node) engine.Control {
	c := &control{node: n, probes: make([][]probes, len(n.System().Workflows))}
	c.flow = controlflow.New(n, c, false)
	return c
}

// Participants are the master and the workers that functions of the workflow
// are placed on.
func (Scheme) Participants(s *engine.System, d *engine.Deployment, w engine.WorkflowID) []engine.NodeID {
	nodes := d.PlacedOn(w)
	if slices.Contains(nodes, s.Cluster.Storage) {
		return nodes
	}
	return append([]engine.NodeID{s.Cluster.Storage}, nodes...)
}

// EvaluatesAt is the master: switches never leave it.
func (Scheme) EvaluatesAt(c *engine.Cluster, _ *workflow.Workflow, _ workflow.FunctionID, _ []engine.NodeID) engine.NodeID {
	return c.Storage
}

type control struct {
	node   *engine.Node
	flow   *controlflow.Flow
	probes [][]probes // by workflow and slot
}

// probes are the probes of one invocation that the master waits for.
type probes struct {
	all  []probe
	free []int32
}

// probe is one round of asking all workers.
type probe struct {
	left    int32
	call    int32
	items   uint32
	subject engine.Subject
}

// Home is the master.
func (c *control) Home(engine.Invocation, workflow.FunctionID) engine.NodeID {
	return c.node.System().Cluster.Storage
}

// Start has a worker run the instances, after a round of probes where the
// quirk asks for it.
func (c *control) Start(subject engine.Subject, call int32, items uint32) {
	if c.node.System().Rules.ProbeAllWorkers {
		c.flow.Expect(subject.Invocation, call, 1)
		c.node.Document(engine.DocumentAddresses, subject, call, items)
		return
	}
	c.run(subject, call, items)
}

// run tells a worker to run the instances. All instances of a foreach are one
// call if nothing but the merge comes after them.
func (c *control) run(subject engine.Subject, call int32, items uint32) {
	i := subject.Invocation
	to := c.node.Deployment(i).Node(i.Workflow, subject.Function)
	w := c.node.Workflow(i)
	if items > 0 && len(w.Functions[subject.Function].Next) > 0 && !controlflow.MergesOnly(w, subject.Function) {
		opener := subject.Path
		for item := range items {
			subject.Path = opener.Item(item, items)
			c.run(subject, call, 0)
		}
		return
	}
	c.flow.Expect(i, call, 1)
	c.node.Send(engine.Message{Kind: engine.MessageRun, To: to, Call: call, Items: items, Subject: subject})
}

// Handle implements engine.Control.
func (c *control) Handle(e engine.Event) {
	switch e.Kind {
	case engine.EventArrive:
		c.flow.Arrive(e.Invocation)
	case engine.EventDeliver:
		c.deliver(&e.Message)
	case engine.EventItems:
		c.posted(&e)
	case engine.EventArrived:
		c.flow.Arrived(&e)
	case engine.EventTaskEnded:
		c.taskEnded(&e)
	case engine.EventSwitched:
		c.switched(&e)
	case engine.EventDocument:
		c.documented(&e)
	}
}

// OpenCalls counts what engine.Node.Open shows.
func (c *control) OpenCalls() int { return c.flow.OpenCalls() }

// Forget implements engine.Control.
func (c *control) Forget(w engine.WorkflowID, slot uint32) {
	c.flow.Forget(w, slot)
	if int(slot) < len(c.probes[w]) {
		p := &c.probes[w][slot]
		p.all, p.free = p.all[:0], p.free[:0]
	}
}

func (c *control) deliver(m *engine.Message) {
	switch m.Kind {
	case engine.MessageRun:
		c.accept(m)
	case engine.MessageProbed:
		c.probed(m)
	case engine.MessageItems:
		c.flow.Posted(m.Subject, m.Call, m.Items)
	case engine.MessageDone:
		if c.node.ID() == c.Home(m.Invocation, m.Function) {
			c.reported(m)
			return
		}
		c.flow.Deliver(m)
	default:
		c.flow.Deliver(m)
	}
}

// The worker's part.

// accept runs what the master asks for. The call is answered when all
// instances have ended.
func (c *control) accept(m *engine.Message) {
	call := c.flow.Accept(m.From, m.Call, m.Subject)
	c.flow.Expect(m.Invocation, call, int32(max(m.Items, 1)))
	if m.Items == 0 {
		c.flow.Run(m.Subject, call)
	}
	subject := m.Subject
	for item := range m.Items {
		subject.Path = m.Path.Item(item, m.Items)
		c.flow.Run(subject, call)
	}
	c.flow.Settle(m.Invocation, call, 0)
}

// posted lets the answer carry the length of the list that a function posts;
// further lists take a message of their own.
func (c *control) posted(e *engine.Event) {
	w := c.node.Workflow(e.Invocation)
	function := &w.Functions[e.Function]
	for output := range int(e.Number) {
		if function.Outputs[output].List {
			c.node.Send(engine.Message{
				Kind: engine.MessageItems, To: c.Home(e.Invocation, e.Function),
				Call: int32(e.Number), Items: e.Items, Subject: e.Subject,
			})
			return
		}
	}
	c.flow.AnswerItems(e.Invocation, e.Call, e.Items)
}

func (c *control) taskEnded(e *engine.Event) {
	if c.node.System().Rules.TimingDocuments && c.flow.Pending(e.Invocation, e.Call) == 1 {
		c.node.Document(engine.DocumentTiming, e.Subject, e.Call, 0)
		return
	}
	c.flow.Settle(e.Invocation, e.Call, 1)
}

// The master's part.

// reported goes on after what a worker has run to its end.
func (c *control) reported(m *engine.Message) {
	w := c.node.Workflow(m.Invocation)
	function := &w.Functions[m.Function]
	if m.Items > 0 || len(w.Scopes[function.Scope].Children) > 0 {
		for output := range function.Outputs {
			if function.Outputs[output].List {
				c.flow.Posted(m.Subject, int32(output), m.Items)
				break
			}
		}
	}
	if m.Path.Depth() < w.Scopes[function.Scope].Depth {
		c.flow.AllEnded(m.Subject, m.Call)
	} else {
		c.flow.Ended(m.Subject, m.Call)
	}
	c.flow.Settle(m.Invocation, m.Call, 1)
}

// switched follows a branch; in the artefact the master records how long the
// evaluation took, first.
func (c *control) switched(e *engine.Event) {
	if c.node.System().Rules.TimingDocuments {
		c.node.Document(engine.DocumentTiming, e.Subject, e.Call, uint32(e.Number)+1)
		return
	}
	c.flow.Switched(e.Subject, e.Call, int(e.Number))
}

func (c *control) documented(e *engine.Event) {
	switch {
	case e.Document == engine.DocumentAddresses:
		c.probe(e)
	case e.Document == engine.DocumentTiming && e.Items > 0:
		c.flow.Switched(e.Subject, e.Call, int(e.Items)-1)
	case e.Document == engine.DocumentTiming:
		c.flow.Settle(e.Invocation, e.Call, 1)
	default:
		c.flow.Documented(e)
	}
}

// probe asks all workers for their state.
func (c *control) probe(e *engine.Event) {
	i := e.Invocation
	for int(i.Slot) >= len(c.probes[i.Workflow]) {
		c.probes[i.Workflow] = append(c.probes[i.Workflow], probes{})
	}
	p := &c.probes[i.Workflow][i.Slot]
	workers := c.node.Deployment(i).Workers()
	round := probe{left: int32(len(workers)), call: e.Call, items: e.Items, subject: e.Subject}
	var at int32
	if last := len(p.free) - 1; last >= 0 {
		at = p.free[last]
		p.free = p.free[:last]
		p.all[at] = round
	} else {
		at = int32(len(p.all))
		p.all = append(p.all, round)
	}
	for _, to := range workers {
		c.node.Send(engine.Message{Kind: engine.MessageProbe, To: to, Call: at, Subject: engine.Subject{Invocation: i}})
	}
}

// probed runs the function when the last worker has answered.
func (c *control) probed(m *engine.Message) {
	p := &c.probes[m.Invocation.Workflow][m.Invocation.Slot]
	round := &p.all[m.Call]
	if round.left--; round.left > 0 {
		return
	}
	p.free = append(p.free, m.Call)
	c.run(round.subject, round.call, round.items)
	c.flow.Settle(m.Invocation, round.call, 1)
}
