package chain

import (
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
)

// addHops counts how often one node triggered a task on another where a warm
// container was idle, and adds up how long that took: messages and engines,
// and nothing else.
func (c *Chain) addHops(i *record.Invocation) {
	i.Hops, i.HopTime = 0, 0
	for at := range c.tasks {
		t := &c.tasks[at]
		if !t.AtHand || t.Cold || t.Held > 0 || t.Attempt != c.attempt || t.Outcome != engine.Completed {
			continue
		}
		if known, ok := c.triggeredFrom(t); ok {
			i.Hops++
			i.HopTime += t.Started - known
		}
	}
}

// triggeredFrom returns when another node knew what triggered a task, if one
// did: the end of a function before it, or an output that could be announced.
// What a switch led to has its evaluation before it, and what was streamed its
// way through the broker: these are no hops.
func (c *Chain) triggeredFrom(t *Task) (known engine.Time, ok bool) {
	cause := &t.Cause
	if cause.Function == engine.NoFunction {
		after := c.workflow.Functions[t.Function].After
		apart := false
		for _, f := range after {
			if c.workflow.Functions[f].Kind != workflow.Task {
				return 0, false
			}
			apart = apart || c.ranApart(f, t)
		}
		if !apart {
			return 0, false
		}
		return c.endApart(c.triggeredBy(t.Function, &t.Path, t.Queued), t)
	}
	if cause.Output >= 0 {
		if latest := c.functions[cause.Function].post; latest == none || c.posts[latest].Node == t.Node {
			return 0, false
		}
		from := cause.Path(c.workflow, &t.Path)
		p := c.LatestPost(cause.Function, cause.Output, &from)
		if p == nil || p.Way&data.Pipe != 0 {
			return 0, false
		}
		return p.At, true
	}
	if c.workflow.Functions[cause.Function].Kind != workflow.Task || !c.ranApart(cause.Function, t) {
		return 0, false
	}
	from := cause.Path(c.workflow, &t.Path)
	return c.endApart(c.latestOf(cause.Function, &from, t.Queued), t)
}

// ranApart reports whether a function ran on another node than a task: all its
// instances run on one.
func (c *Chain) ranApart(f workflow.FunctionID, t *Task) bool {
	latest := c.functions[f].latest
	return latest != none && c.tasks[latest].Node != t.Node
}

func (c *Chain) endApart(producer int32, t *Task) (known engine.Time, ok bool) {
	if producer == none || c.tasks[producer].Node == t.Node {
		return 0, false
	}
	return c.tasks[producer].Told, true
}
