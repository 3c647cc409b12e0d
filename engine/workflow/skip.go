package workflow

import "slices"

// Skip is one consequence of functions that will not run: a number of control
// edges into Function are dead, or, with Gather, one instance of Function
// among those that a merge waits for.
//
// Skips are found beforehand for every choice of a switch, up to the next
// join: what a dead branch alone could have triggered needs no message.
type Skip struct {
	Function FunctionID
	Edges    int32
	Gather   bool
}

// Dead is all that becomes dead at once.
type Dead struct {
	// Skips is what joins and merges are to be told.
	Skips []Skip
	// Functions are those that will not run and whose data someone may wait
	// for, or whose end. One inside a nested foreach stands for all its
	// instances.
	Functions []FunctionID
}

// skips holds the consequences of every branch not taken and of every
// function skipped.
type skips struct {
	byBranch   [][]Dead // function, branch taken
	byFunction []Dead
}

// DeadByBranch returns what becomes dead when the switch f takes the branch.
func (w *Workflow) DeadByBranch(f FunctionID, branch int) *Dead {
	return &w.skips.byBranch[f][branch]
}

// DeadBehind returns what becomes dead when f, a join or a merge, is skipped
// itself. Its Functions begin with f, if it is among them.
func (w *Workflow) DeadBehind(f FunctionID) *Dead { return &w.skips.byFunction[f] }

// Switches reports whether there is a switch, so that anything can be skipped.
func (w *Workflow) Switches() bool { return w.skips != nil }

// findSkips returns nil for a workflow without a switch: there, nothing is
// ever skipped.
func findSkips(w *Workflow) *skips {
	if !slices.ContainsFunc(w.Functions, func(f Function) bool { return f.Kind == Switch }) {
		return nil
	}
	s := &skips{byBranch: make([][]Dead, len(w.Functions)), byFunction: make([]Dead, len(w.Functions))}
	matters := w.mattering()
	for i := range w.Functions {
		f, id := &w.Functions[i], FunctionID(i)
		if w.Indegree[i] > 1 || f.Merge { // others are dead as part of a longer stretch
			s.byFunction[i] = w.deadBehind(f.Scope, nil, []FunctionID{id}, matters)
		}
		if f.Kind != Switch {
			continue
		}
		s.byBranch[i] = make([]Dead, len(f.Branches))
		for taken := range f.Branches {
			var dead []FunctionID
			for _, next := range f.Next {
				if !slices.Contains(f.Branches[taken].To, next) {
					dead = append(dead, next)
				}
			}
			s.byBranch[i][taken] = w.deadBehind(f.Scope, dead, nil, matters)
		}
	}
	return s
}

// deadBehind follows dead control edges, one into each function of edgesInto
// and all those out of each function of functions, through every function
// that has no live edge left, and returns what it ends at. All is seen from
// one instance of the given scope: nested foreach regions are dead as a
// whole, and of an enclosing one only this instance is.
func (w *Workflow) deadBehind(scope ScopeID, edgesInto, functions []FunctionID, matters []bool) Dead {
	dead := map[FunctionID]int32{}
	var ends []FunctionID
	var result Dead
	var kill func(into FunctionID)
	leave := func(f FunctionID) {
		if matters[f] {
			result.Functions = append(result.Functions, f)
		}
		gathers := false
		for _, next := range w.Functions[f].Next {
			if w.Functions[next].Scope == w.Scopes[scope].Parent {
				gathers = true
				continue
			}
			kill(next)
		}
		if gathers {
			result.Skips = append(result.Skips, Skip{Function: f, Gather: true})
		}
	}
	kill = func(into FunctionID) {
		if dead[into] == 0 {
			ends = append(ends, into)
		}
		if dead[into]++; dead[into] == w.Indegree[into] {
			leave(into)
		}
	}
	for _, f := range functions {
		leave(f)
	}
	for _, f := range edgesInto {
		kill(f)
	}
	for _, f := range ends {
		if dead[f] < w.Indegree[f] {
			result.Skips = append(result.Skips, Skip{Function: f, Edges: dead[f]})
		}
	}
	return result
}

// mattering tells the functions for which someone waits, apart from those they
// trigger: those whose data are read, that end a branch of the workflow, or
// that open a foreach, which may do so.
func (w *Workflow) mattering() []bool {
	matters := make([]bool, len(w.Functions))
	for i := range w.Functions {
		matters[i] = matters[i] || len(w.Functions[i].Next) == 0
		for _, in := range w.Functions[i].Inputs {
			if in.From != GlobalInput {
				matters[in.From] = true
			}
		}
	}
	for i := 1; i < len(w.Scopes); i++ {
		matters[w.Scopes[i].Over.Function] = true
	}
	return matters
}
