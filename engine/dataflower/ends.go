package dataflower

import (
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// ends says when a workflow has ended: when all functions that nothing comes
// after have posted their results, or were skipped. Those in a foreach that no
// merge closes count once for each item; how many items there are, the gateway
// is told as soon as it is known.
type ends struct {
	begin waiting
	// sinks and lists are, for each scope, how many functions in it end a
	// branch, and how many of the scopes directly inside are open.
	sinks, lists []int32
	// open marks the scopes with functions that end a branch, in them or
	// deeper.
	open []bool
	// last is the output that a function posts last, or -1 if it posts none
	// or others come after it.
	last []int32

	w *workflow.Workflow
}

// waiting counts what the gateway waits for, by the number of foreach around
// it: results, and lists whose length it has not been told. News may come out
// of turn, so a count can be below zero for a while.
type waiting struct {
	results, lists [workflow.MaxNesting + 2]int32
}

func (w *waiting) done() bool { return *w == waiting{} }

func findEnds(w *workflow.Workflow) ends {
	e := ends{
		w: w, sinks: make([]int32, len(w.Scopes)), lists: make([]int32, len(w.Scopes)), open: make([]bool, len(w.Scopes)),
		last: make([]int32, len(w.Functions)),
	}
	for f := range w.Functions {
		e.last[f] = -1
		if !e.isSink(workflow.FunctionID(f)) {
			continue
		}
		function := &w.Functions[f]
		e.sinks[function.Scope]++
		for o := range function.Outputs {
			if e.last[f] < 0 || function.Outputs[o].PostedAt >= function.Outputs[e.last[f]].PostedAt {
				e.last[f] = int32(o)
			}
		}
	}
	for s := len(w.Scopes) - 1; s >= 0; s-- { // Inner ones have higher numbers.
		e.open[s] = e.sinks[s] > 0 || e.lists[s] > 0
		if e.open[s] && s > 0 {
			e.lists[w.Scopes[s].Parent]++
		}
	}
	e.begin.results[0], e.begin.lists[1] = e.sinks[0], e.lists[0]
	return e
}

// isSink reports whether nothing comes after a function.
func (e *ends) isSink(f workflow.FunctionID) bool { return len(e.w.Functions[f].Next) == 0 }

// concerns reports whether the gateway waits for a function.
func (e *ends) concerns(f workflow.FunctionID) bool { return e.isSink(f) || e.opens(f) > 0 }

// opens counts the open scopes over the lists of a function.
func (e *ends) opens(f workflow.FunctionID) int32 {
	n := int32(0)
	for _, child := range e.w.Scopes[e.w.Functions[f].Scope].Children {
		if e.w.Scopes[child].Over.Function == f && e.open[child] {
			n++
		}
	}
	return n
}

// tellGateway sends the gateway a message, or handles it on the spot.
func (c *control) tellGateway(m engine.Message) {
	if m.To = c.gateway(); m.To != c.node.ID() {
		c.node.Send(m)
		return
	}
	c.deliver(&m)
}

// result reports the result of an instance.
func (c *control) result(subject engine.Subject) {
	if c.state(subject.Invocation).inbox.Once(subject.Function, &subject.Path, 0) {
		c.tellGateway(engine.Message{Kind: engine.MessageResult, Subject: subject})
	}
}

// resulted counts a result.
func (c *control) resulted(subject engine.Subject) {
	s := c.state(subject.Invocation)
	s.waiting.results[subject.Path.Depth()]--
	c.checkDone(subject.Invocation)
}

// listed takes note of how many instances a foreach has.
func (c *control) listed(subject engine.Subject, output int32, items uint32) {
	e := &c.ends[subject.Invocation.Workflow]
	s := c.state(subject.Invocation)
	depth := subject.Path.Depth() + 1
	for _, child := range e.w.Scopes[e.w.Functions[subject.Function].Scope].Children {
		if e.open[child] && e.w.Scopes[child].Over == (workflow.OutputRef{Function: subject.Function, Output: output}) {
			s.waiting.lists[depth]--
			s.waiting.results[depth] += int32(items) * e.sinks[child]
			s.waiting.lists[depth+1] += int32(items) * e.lists[child]
		}
	}
	c.checkDone(subject.Invocation)
}

// endDead takes note that an instance will not run. What is inside a foreach
// that is dead as a whole was never waited for.
func (c *control) endDead(subject engine.Subject) {
	e := &c.ends[subject.Invocation.Workflow]
	depth := subject.Path.Depth()
	if depth != e.w.Scopes[e.w.Functions[subject.Function].Scope].Depth || !e.concerns(subject.Function) {
		return
	}
	s := c.state(subject.Invocation)
	if e.isSink(subject.Function) {
		s.waiting.results[depth]--
	}
	s.waiting.lists[depth+1] -= e.opens(subject.Function)
	c.checkDone(subject.Invocation)
}

func (c *control) checkDone(i engine.Invocation) {
	if s := c.state(i); s.waiting.done() {
		s.done = true
	}
}
