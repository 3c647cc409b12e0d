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

// datum is where the outputs of one instance are.
type datum struct {
	path   workflow.Path
	at     data.Target
	memory engine.NodeID
}

func (d *Driver) put(r *Run) {
	key := dataKey{r.Subject.Invocation, r.Subject.Function}
	d.stored[key] = append(d.stored[key], datum{r.Subject.Path, r.target, r.Node})
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
	for i, in := range inputs {
		if in.From == workflow.GlobalInput {
			continue
		}
		for _, x := range d.stored[dataKey{e.Invocation, in.From}] {
			depth := min(x.path.Depth(), e.Path.Depth())
			if x.path.Outer(depth) != e.Path.Outer(depth) {
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
