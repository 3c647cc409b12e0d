package enginetest

import (
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/draw"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Facts are what is known of an invocation only at run time. They depend on
// the number of its arrival, not on its slot or attempt.
type Facts interface {
	// Items is the length of a list.
	Items(number int64, s *engine.Subject, output int32) uint32
	// Branch is what a switch chooses.
	Branch(number int64, s *engine.Subject) int
}

// Means are facts without chance: lists have their mean length, switches
// choose their most probable branch.
type Means struct{ System *engine.System }

// Items implements Facts.
func (m Means) Items(_ int64, s *engine.Subject, output int32) uint32 {
	o := &m.System.Workflows[s.Invocation.Workflow].Functions[s.Function].Outputs[output]
	return uint32(o.Items.Mean())
}

// Branch implements Facts.
func (m Means) Branch(_ int64, s *engine.Subject) int {
	best := 0
	branches := m.System.Workflows[s.Invocation.Workflow].Functions[s.Function].Branches
	for i, b := range branches {
		if b.Probability > branches[best].Probability {
			best = i
		}
	}
	return best
}

// Drawn are facts of chance: lists are up to MaxItems long, all branches are
// equally likely.
type Drawn struct {
	System   *engine.System
	Source   draw.Source
	MaxItems uint32
}

// Items implements Facts.
func (d Drawn) Items(number int64, s *engine.Subject, output int32) uint32 {
	u := d.Source.Uniform(draw.Items, subject(number, s, output), s.Path)
	return uint32(u * float64(d.MaxItems+1))
}

// Branch implements Facts.
func (d Drawn) Branch(number int64, s *engine.Subject) int {
	u := d.Source.Uniform(draw.Branch, subject(number, s, 0), s.Path)
	return int(u * float64(len(d.System.Workflows[s.Invocation.Workflow].Functions[s.Function].Branches)))
}

func subject(number int64, s *engine.Subject, output int32) draw.Subject {
	return draw.Subject{
		Workflow: uint64(s.Invocation.Workflow), Function: s.Function, Output: output, Invocation: uint64(number),
	}
}

// Instance is an instance of a function.
type Instance struct {
	Function workflow.FunctionID
	Path     workflow.Path
}

// Reference says by definition, not by protocol, which instances of a workflow
// an invocation runs: those at which at least one live control edge arrives.
type Reference struct {
	w      *workflow.Workflow
	id     engine.WorkflowID
	facts  Facts
	number int64
	known  map[Instance]bool
}

// NewReference returns the reference for the arrival of a number.
func NewReference(s *engine.System, id engine.WorkflowID, f Facts, number int64) *Reference {
	return &Reference{w: s.Workflows[id], id: id, facts: f, number: number, known: map[Instance]bool{}}
}

// Tasks returns the instances that run in a container.
func (r *Reference) Tasks() map[Instance]bool {
	tasks := map[Instance]bool{}
	for f := range r.w.Functions {
		function := &r.w.Functions[f]
		if function.Kind != workflow.Task {
			continue
		}
		for _, path := range r.paths(function.Scope) {
			if i := (Instance{workflow.FunctionID(f), path}); r.Runs(i) {
				tasks[i] = true
			}
		}
	}
	return tasks
}

// Runs reports whether an instance runs.
func (r *Reference) Runs(i Instance) bool {
	runs, known := r.known[i]
	if known {
		return runs
	}
	after := r.w.Functions[i.Function].After
	runs = len(after) == 0
	for _, p := range after {
		runs = runs || len(r.edges(p, i)) > 0 || r.empty(p, i)
	}
	r.known[i] = runs
	return runs
}

// Ready reports whether an instance may begin: the tasks at the live control
// edges into it have ended, seen through switches and functions of kind end,
// or, where the first edge wins, those at one of them.
func (r *Reference) Ready(i Instance, ended func(before, i Instance) bool) bool {
	f := &r.w.Functions[i.Function]
	first := f.Join == workflow.JoinFirst
	for _, p := range f.After {
		sources := r.edges(p, i)
		if r.empty(p, i) {
			sources = []Instance{{r.opener(p).Function, i.Path}}
		}
		if len(sources) == 0 {
			continue
		}
		resolved := true
		for _, s := range sources {
			if r.w.Functions[s.Function].Kind == workflow.Task {
				resolved = resolved && ended(s, i)
			} else {
				resolved = resolved && r.Ready(s, ended)
			}
		}
		if resolved == first {
			return first
		}
	}
	return !first
}

// edges returns the instances of p from which a live control edge leads to an
// instance of another function.
func (r *Reference) edges(p workflow.FunctionID, to Instance) []Instance {
	from, into := &r.w.Functions[p], &r.w.Functions[to.Function]
	var candidates []Instance
	switch {
	case from.Scope == into.Scope:
		candidates = []Instance{{p, to.Path}}
	case into.Foreach != nil && into.Foreach.Function == p:
		candidates = []Instance{{p, to.Path.Parent()}}
	default: // A merge gathers all instances.
		opener := r.opener(p)
		if r.Runs(Instance{opener.Function, to.Path}) {
			items := r.items(opener, to.Path)
			for item := range items {
				candidates = append(candidates, Instance{p, to.Path.Item(item, items)})
			}
		}
	}
	var live []Instance
	for _, c := range candidates {
		if r.Runs(c) && r.takes(c, to.Function) {
			live = append(live, c)
		}
	}
	return live
}

// empty reports whether p is in a foreach over an empty list, whose merge is
// triggered all the same.
func (r *Reference) empty(p workflow.FunctionID, to Instance) bool {
	if r.w.Scopes[r.w.Functions[p].Scope].Parent != r.w.Functions[to.Function].Scope {
		return false
	}
	opener := r.opener(p)
	return r.Runs(Instance{opener.Function, to.Path}) && r.items(opener, to.Path) == 0
}

// opener is the list that the foreach around a function iterates over.
func (r *Reference) opener(f workflow.FunctionID) workflow.OutputRef {
	return r.w.Scopes[r.w.Functions[f].Scope].Over
}

// takes reports whether an instance, if it is of a switch, chooses a function.
func (r *Reference) takes(i Instance, to workflow.FunctionID) bool {
	f := &r.w.Functions[i.Function]
	if f.Kind != workflow.Switch {
		return true
	}
	for _, t := range f.Branches[r.facts.Branch(r.number, r.subject(i))].To {
		if t == to {
			return true
		}
	}
	return false
}

func (r *Reference) items(over workflow.OutputRef, path workflow.Path) uint32 {
	return r.facts.Items(r.number, r.subject(Instance{over.Function, path}), over.Output)
}

func (r *Reference) subject(i Instance) *engine.Subject {
	return &engine.Subject{Invocation: engine.Invocation{Workflow: r.id}, Function: i.Function, Path: i.Path}
}

// paths returns those of all instances that a function of a scope has.
func (r *Reference) paths(s workflow.ScopeID) []workflow.Path {
	if s == 0 {
		return []workflow.Path{{}}
	}
	var paths []workflow.Path
	for _, outer := range r.paths(r.w.Scopes[s].Parent) {
		over := r.w.Scopes[s].Over
		if !r.Runs(Instance{over.Function, outer}) {
			continue
		}
		items := r.items(over, outer)
		for item := range items {
			paths = append(paths, outer.Item(item, items))
		}
	}
	return paths
}
