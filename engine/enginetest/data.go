package enginetest

import (
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// dataKey names what a function has put on behalf of an attempt.
type dataKey struct {
	invocation engine.Invocation
	function   workflow.FunctionID
}

// datum is where an output of one instance is.
type datum struct {
	output int32
	path   workflow.Path
	at     data.Target
	memory engine.NodeID
}

func (d *Driver) put(r *Run) {
	key := dataKey{r.Subject.Invocation, r.Subject.Function}
	for output, target := range r.targets {
		d.stored[key] = append(d.stored[key], datum{int32(output), r.Subject.Path, target, r.Node})
	}
}

// drop empties a node's memory of an attempt.
func (d *Driver) drop(id engine.NodeID, i engine.Invocation) {
	for f := range d.System.Workflows[i.Workflow].Functions {
		key := dataKey{i, workflow.FunctionID(f)}
		for at := range d.stored[key] {
			if x := &d.stored[key][at]; x.memory == id {
				x.at &^= data.Memory
			}
		}
	}
}

func (d *Driver) forgetMemory(id engine.NodeID) {
	for _, all := range d.stored {
		for at := range all {
			if all[at].memory == id {
				all[at].at &^= data.Memory
			}
		}
	}
}

// checkPlan makes sure that inputs are where the engine says. Those of
// functions that a switch skipped are nowhere.
func (d *Driver) checkPlan(id engine.NodeID, e *engine.Effect) {
	inputs := d.function(&e.Subject).Inputs
	if len(e.Plan.Sources) != len(inputs) {
		d.breach(id, e, "it has %d inputs", len(inputs))
		return
	}
	if e.Plan.Announce {
		d.checkInputs(id, e)
		return
	}
	for i, in := range inputs {
		if in.From == workflow.GlobalInput {
			continue
		}
		for _, x := range d.stored[dataKey{e.Invocation, in.From}] {
			depth := min(x.path.Depth(), e.Path.Depth())
			if x.output != in.Output || x.path.Outer(depth) != e.Path.Outer(depth) {
				continue
			}
			switch source := e.Plan.Sources[i]; {
			case source == engine.FromStore && x.at&data.Store != 0:
			case source == engine.FromMemory && x.at&data.Memory != 0 && x.memory == id:
			default:
				d.breach(id, e, "input %d is not there but in %v of node %d", i, x.at, x.memory)
			}
		}
	}
}

// post names a datum that was announced on behalf of an attempt.
type post struct {
	invocation engine.Invocation
	function   workflow.FunctionID
	output     int32
	path       workflow.Path
}

// whereabouts is where a datum is: everywhere, or in the memory or on the disk
// of nodes.
type whereabouts struct {
	everywhere bool
	on         map[engine.NodeID]bool
}

func postOf(e *engine.Event) post {
	return post{e.Invocation, e.Function, int32(e.Number), e.Path}
}

// note takes down where a datum that is announced is.
func (d *Driver) note(id engine.NodeID, e *engine.Event) {
	w := d.posted[postOf(e)]
	if w == nil {
		w = &whereabouts{on: map[engine.NodeID]bool{}}
		d.posted[postOf(e)] = w
	}
	if e.Way&(data.Store|data.Inline) != 0 {
		w.everywhere = true
	}
	if e.Way&data.Memory != 0 {
		w.on[id] = true
	}
}

// leaveMemory makes sure that what is to be moved to disk, or dropped, is
// there.
func (d *Driver) leaveMemory(id engine.NodeID, e *engine.Effect) {
	w := d.posted[post{e.Invocation, e.Function, int32(e.Number), e.Path}]
	if w == nil || !w.on[id] {
		d.breach(id, e, "it is not there")
		return
	}
	if e.Kind == engine.EffectDrop {
		w.on[id] = false
	}
}

// checkInputs makes sure that all inputs of a task have been announced, and
// are on its node: those of all instances that run at all.
func (d *Driver) checkInputs(id engine.NodeID, e *engine.Effect) {
	reference := NewReference(d.System, e.Invocation.Workflow, d.Facts, d.Number(e.Invocation))
	w := reference.w
	for i, in := range d.function(&e.Subject).Inputs {
		if in.From == workflow.GlobalInput {
			continue
		}
		for _, s := range reference.sources(Instance{e.Function, e.Path}, in) {
			if !reference.Runs(Instance{in.From, s.Outer(w.Scopes[w.Functions[in.From].Scope].Depth)}) {
				continue
			}
			switch at := d.posted[post{e.Invocation, in.From, in.Output, s}]; {
			case at == nil && d.System.Rules.ForeachRace:
			case at == nil:
				d.breach(id, e, "input %d, %s%v, has not been posted", i, w.Functions[in.From].Name, s)
			case !at.everywhere && !at.on[id] && !d.System.Rules.EarlyStart && !d.System.Rules.ForeachRace:
				d.breach(id, e, "input %d, %s%v, is not on the node", i, w.Functions[in.From].Name, s)
			}
		}
	}
}

// sources returns the paths of the data that an instance reads through an
// input.
func (r *Reference) sources(i Instance, in workflow.Input) []workflow.Path {
	from := r.w.Functions[in.From].Scope
	producer := i.Path.Outer(r.w.Scopes[from].Depth)
	var paths []workflow.Path
	switch in.Access {
	case workflow.AccessItem:
		return []workflow.Path{i.Path.Outer(r.w.ItemLevel(i.Function, in) + 1)}
	case workflow.AccessAllItems:
		n := r.items(workflow.OutputRef{Function: in.From, Output: in.Output}, producer)
		for item := range n {
			paths = append(paths, producer.Item(item, n))
		}
	case workflow.AccessGather:
		outer := i.Path.Outer(r.w.Scopes[from].Depth - 1)
		if opener := r.w.Scopes[from].Over; r.Runs(Instance{opener.Function, outer}) {
			n := r.items(opener, outer)
			for item := range n {
				paths = append(paths, outer.Item(item, n))
			}
		}
	default:
		return []workflow.Path{producer}
	}
	return paths
}
