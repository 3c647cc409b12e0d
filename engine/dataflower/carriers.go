package dataflower

import (
	"slices"

	"github.com/flowtwin/flowtwin/engine/inbox"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// carriers says which control edges are resolved by data: where a function
// reads what another that triggers it has posted, the edge between them is
// resolved when that arrives, not when the other ends.
type carriers struct {
	// inputs of each function that resolve an edge.
	inputs [][]bool
	// gathers marks functions in a foreach with an edge to a merge that no
	// data resolve: their ends are counted.
	gathers []bool
	// merges are, for each foreach, the functions that read from inside.
	merges [][]workflow.FunctionID
}

func findCarriers(w *workflow.Workflow) carriers {
	c := carriers{
		inputs: make([][]bool, len(w.Functions)), merges: make([][]workflow.FunctionID, len(w.Scopes)),
		gathers: make([]bool, len(w.Functions)),
	}
	for f := range w.Functions {
		c.inputs[f] = make([]bool, len(w.Functions[f].Inputs))
		for i, in := range w.Functions[f].Inputs {
			if in.From == workflow.GlobalInput {
				continue
			}
			from := &w.Functions[in.From]
			if in.Access == workflow.AccessGather {
				if merges := &c.merges[from.Scope]; !slices.Contains(*merges, workflow.FunctionID(f)) {
					*merges = append(*merges, workflow.FunctionID(f))
				}
			}
			c.inputs[f][i] = carrier(w, workflow.FunctionID(f), in.From) == i
		}
	}
	for f := range w.Functions {
		for _, merge := range w.Functions[f].Next {
			if w.Functions[merge].Scope == w.Scopes[w.Functions[f].Scope].Parent && !c.carried(w, workflow.FunctionID(f), merge) {
				c.gathers[f] = true
			}
		}
	}
	return c
}

// carrier returns the input of a function that resolves the control edge from
// another, or -1. Of several inputs, all of which it waits for, it is the last.
// An edge into a foreach is resolved for each instance by its item only.
func carrier(w *workflow.Workflow, to, from workflow.FunctionID) int {
	if _, edge := slices.BinarySearch(w.Functions[to].After, from); !edge {
		return -1
	}
	enters := w.Scopes[w.Functions[to].Scope].Parent == w.Functions[from].Scope
	for i := len(w.Functions[to].Inputs) - 1; i >= 0; i-- {
		in := &w.Functions[to].Inputs[i]
		if in.From == from && (!enters || in.Access == workflow.AccessItem && w.ItemLevel(to, *in)+1 == w.Scopes[w.Functions[to].Scope].Depth) {
			return i
		}
	}
	return -1
}

// carries reports whether an input resolves a control edge.
func (c *carriers) carries(r inbox.Reader) bool { return c.inputs[r.Function][r.Input] }

// carried reports whether some input of a function resolves the control edge
// from another.
func (c *carriers) carried(w *workflow.Workflow, from, to workflow.FunctionID) bool {
	for i, carries := range c.inputs[to] {
		if carries && w.Functions[to].Inputs[i].From == from {
			return true
		}
	}
	return false
}
