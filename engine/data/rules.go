package data

import "github.com/flowtwin/flowtwin/engine/workflow"

// Remote keeps all outputs in the store.
func Remote(w *workflow.Workflow) []Target {
	targets := make([]Target, len(w.Functions))
	for f := range targets {
		targets[f] = Store
	}
	return targets
}

// FaaStore keeps in memory what functions of the same group read, and in the
// store what others read and what is the workflow's result. group and worker
// hold the group and the worker of each function; functions that are not on
// one worker do not count as a group.
//
// This is the rule of the FaaSFlow artefact, made safe. The artefact looks
// only at the functions that a function triggers. What others read two steps
// further on, in another group, it does not keep in the store, so they get
// nothing, without an error. Here, it is kept in the store too.
func FaaStore(w *workflow.Workflow, group, worker []int32) []Target {
	near := nearness{group, worker}
	targets := artefactFaaStore(w, near)
	for i := range w.Functions {
		for _, in := range w.Functions[i].Inputs {
			if in.From != workflow.GlobalInput && !near.is(in.From, workflow.FunctionID(i)) {
				targets[in.From] |= Store
			}
		}
	}
	return targets
}

// Piped streams all outputs to those who read them, as DataFlower does. Those
// on the producer's own node find them in its memory.
func Piped(w *workflow.Workflow) []Target {
	targets := make([]Target, len(w.Functions))
	for f := range targets {
		targets[f] = Pipe
	}
	return targets
}

// nearness says which functions hand data to one another through memory.
type nearness struct{ group, worker []int32 }

func (n nearness) is(u, v workflow.FunctionID) bool {
	return n.group[u] == n.group[v] && n.worker[u] == n.worker[v]
}

// artefactFaaStore is the artefact's rule as it is (grouping.py, tag v1.1).
func artefactFaaStore(w *workflow.Workflow, near nearness) []Target {
	plain := make([]Target, len(w.Functions))
	for i := range w.Functions {
		for _, next := range w.Functions[i].Next {
			if near.is(workflow.FunctionID(i), next) {
				plain[i] |= Memory
			} else {
				plain[i] |= Store
			}
		}
		if plain[i] == 0 { // a result
			plain[i] = Store
		}
	}
	// What is triggered through a switch may be elsewhere than the switch.
	targets := make([]Target, len(w.Functions))
	for i := range w.Functions {
		targets[i] = plain[i]
		for _, next := range w.Functions[i].Next {
			if w.Functions[next].Kind == workflow.Switch && plain[next] != plain[i] {
				targets[i] = Store | Memory
			}
		}
	}
	return targets
}
