// Package workersp is the control scheme of FaaSFlow (ASPLOS'22): there is no
// master. Each worker counts the joins of the functions placed on it, runs
// them, and triggers their successors, by a message where they are placed
// elsewhere.
//
// The protocol is that of the artefact (tag v1.1, the WorkerSP manager): the
// gateway triggers the start functions; one message crosses for each control
// edge between workers, never more than one edge in a message; a foreach is
// one trigger, and the worker that hosts the function runs all instances and
// triggers the merge once.
package workersp

import (
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/controlflow"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Scheme is WorkerSP.
type Scheme struct{}

// New returns WorkerSP's part on one node.
func (Scheme) New(n *engine.Node) engine.Control {
	c := &control{node: n}
	c.flow = controlflow.New(n, c, n.System().Rules.TimingDocuments)
	return c
}

// Participants are the workers that functions of the workflow are placed on.
func (Scheme) Participants(_ *engine.System, d *engine.Deployment, w engine.WorkflowID) []engine.NodeID {
	return d.PlacedOn(w)
}

type control struct {
	node *engine.Node
	flow *controlflow.Flow
}

// Home is the worker that runs the function.
func (c *control) Home(i engine.Invocation, f workflow.FunctionID) engine.NodeID {
	return c.node.Deployment(i).Node(i.Workflow, f)
}

// Start runs the instances here.
func (c *control) Start(subject engine.Subject, call int32, items uint32) {
	if items == 0 {
		c.flow.Expect(subject.Invocation, call, 1)
		c.flow.Run(subject, call)
		return
	}
	c.flow.Expect(subject.Invocation, call, int32(items))
	opener := subject.Path
	for i := range items {
		subject.Path = opener.Item(i, items)
		c.flow.Run(subject, call)
	}
}

// Handle implements engine.Control.
func (c *control) Handle(e engine.Event) {
	switch e.Kind {
	case engine.EventArrive:
		c.flow.Arrive(e.Invocation)
	case engine.EventDeliver:
		c.flow.Deliver(&e.Message)
	case engine.EventItems:
		c.flow.Posted(e.Subject, int32(e.Number), e.Items)
	case engine.EventArrived:
		c.flow.Arrived(&e)
	case engine.EventTaskEnded:
		c.flow.Ended(e.Subject, e.Call)
		c.flow.Settle(e.Invocation, e.Call, 1)
	case engine.EventSwitched:
		c.flow.Switched(e.Subject, e.Call, int(e.Number))
	case engine.EventDocument:
		c.flow.Documented(&e)
	}
}

// OpenCalls counts what engine.Node.Open shows.
func (c *control) OpenCalls() int { return c.flow.OpenCalls() }

// Forget implements engine.Control.
func (c *control) Forget(w engine.WorkflowID, slot uint32) { c.flow.Forget(w, slot) }
