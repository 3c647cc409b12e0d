package container

import (
	"fmt"
	"slices"

	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// What one end says is checked by the other before it is believed: a function
// image may be anybody's.

// maxItems is more than any list has.
const maxItems = 1 << 24

// functionOf returns the function that a subject is about.
func functionOf(workflows []*workflow.Workflow, s *engine.Subject) (*workflow.Workflow, *workflow.Function, error) {
	if int(s.Invocation.Workflow) >= len(workflows) {
		return nil, nil, fmt.Errorf("it is about workflow %d of %d", s.Invocation.Workflow, len(workflows))
	}
	w := workflows[s.Invocation.Workflow]
	if s.Function < 0 || int(s.Function) >= len(w.Functions) {
		return nil, nil, fmt.Errorf("it is about function %d of %d", s.Function, len(w.Functions))
	}
	for l := range s.Path.Depth() {
		if level := s.Path.Level(l); level.Index >= level.Of || level.Of > maxItems {
			return nil, nil, fmt.Errorf("it is about item %d of %d", level.Index, level.Of)
		}
	}
	return w, &w.Functions[s.Function], nil
}

// checkRun returns an error for a task that cannot be one, of a container that
// streams or does not.
func checkRun(workflows []*workflow.Workflow, r *run, streams bool) error {
	w, f, err := functionOf(workflows, &r.Instance.Subject)
	switch {
	case err != nil:
		return err
	case f.Kind == workflow.End:
		return fmt.Errorf("%s is no function that runs", f.Name)
	case len(r.Plan.Sources) != len(f.Inputs) || len(r.Plan.Targets) != len(f.Outputs):
		return fmt.Errorf("it knows %d inputs and %d outputs of %s, which has %d and %d",
			len(r.Plan.Sources), len(r.Plan.Targets), f.Name, len(f.Inputs), len(f.Outputs))
	}
	if !streams && slices.ContainsFunc(r.Plan.Targets, func(t data.Target) bool { return t&data.Pipe != 0 }) {
		return fmt.Errorf("%s is to stream, and has no topic", f.Name)
	}
	if depth := w.Scopes[f.Scope].Depth; r.Instance.Path.Depth() != depth {
		return fmt.Errorf("its path has %d levels, that of %s %d", r.Instance.Path.Depth(), f.Name, depth)
	}
	return nil
}

// checkKey returns an error for the name of a datum that there cannot be.
func checkKey(workflows []*workflow.Workflow, k *function.Key) error {
	w, f, err := functionOf(workflows, &engine.Subject{Invocation: k.Invocation, Function: k.Function, Path: k.Path})
	switch {
	case err != nil:
		return err
	case k.Output < 0 || int(k.Output) >= len(f.Outputs):
		return fmt.Errorf("it is about output %d of %d", k.Output, len(f.Outputs))
	}
	// An item of a list has a level more.
	if depth := w.Scopes[f.Scope].Depth; k.Path.Depth() != depth && k.Path.Depth() != depth+1 {
		return fmt.Errorf("it is about a datum at depth %d, its function is at %d", k.Path.Depth(), depth)
	}
	return nil
}
