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

// skips holds the consequences of every branch not taken and of every
// function skipped.
type skips struct {
	byBranch   [][][]Skip // function, branch taken
	byFunction [][]Skip
}

// SkipsOfBranch returns what becomes dead when the switch f takes the branch.
func (w *Workflow) SkipsOfBranch(f FunctionID, branch int) []Skip {
	return w.skips.byBranch[f][branch]
}

// SkipsOfFunction returns what becomes dead behind f when f itself is skipped;
// f is a join or a merge.
func (w *Workflow) SkipsOfFunction(f FunctionID) []Skip { return w.skips.byFunction[f] }

// findSkips returns nil for a workflow without a switch: there, nothing is
// ever skipped.
func findSkips(w *Workflow) *skips {
	if !slices.ContainsFunc(w.Functions, func(f Function) bool { return f.Kind == Switch }) {
		return nil
	}
	s := &skips{byBranch: make([][][]Skip, len(w.Functions)), byFunction: make([][]Skip, len(w.Functions))}
	for i := range w.Functions {
		f, id := &w.Functions[i], FunctionID(i)
		if w.Indegree[i] > 1 || f.Merge { // others are dead as part of a longer stretch
			s.byFunction[i] = w.deadBehind(f.Scope, nil, []FunctionID{id})
		}
		if f.Kind != Switch {
			continue
		}
		s.byBranch[i] = make([][]Skip, len(f.Branches))
		for taken := range f.Branches {
			var dead []FunctionID
			for _, next := range f.Next {
				if !slices.Contains(f.Branches[taken].To, next) {
					dead = append(dead, next)
				}
			}
			s.byBranch[i][taken] = w.deadBehind(f.Scope, dead, nil)
		}
	}
	return s
}

// deadBehind follows dead control edges, one into each function of edgesInto
// and all those out of each function of functions, through every function
// that has no live edge left, and returns what it ends at. All is seen from
// one instance of the given scope: nested foreach regions are dead as a
// whole, and of an enclosing one only this instance is.
func (w *Workflow) deadBehind(scope ScopeID, edgesInto, functions []FunctionID) []Skip {
	dead := map[FunctionID]int32{}
	var ends []FunctionID
	var result []Skip
	var kill func(into FunctionID)
	leave := func(f FunctionID) {
		gathers := false
		for _, next := range w.Functions[f].Next {
			if w.Functions[next].Scope == w.Scopes[scope].Parent {
				gathers = true
				continue
			}
			kill(next)
		}
		if gathers {
			result = append(result, Skip{Function: f, Gather: true})
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
			result = append(result, Skip{Function: f, Edges: dead[f]})
		}
	}
	return result
}
