// Package joins counts what the joins of one invocation still wait for.
//
// A function with several control predecessors runs when all of them have
// ended, or the first (see [workflow.Join]); in a foreach that holds for each
// instance by itself, and a merge waits for all instances of its predecessors.
// Predecessors that a switch skipped count as arrived, but a function that
// nothing live has arrived at is skipped itself.
//
// All counters of an invocation lie in one slice of words, which is kept when
// the next invocation takes its place, so counting allocates nothing in the
// steady state. Frames (the counters of one scope's functions for one path)
// of a foreach are laid out when its number of items is first seen; as every
// path carries that number, any message can be the first.
package joins

import (
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Layout says where the counters of a workflow's scopes lie. It is made once
// for a workflow and shared.
type Layout struct {
	workflow *workflow.Workflow
	scopes   []scopeLayout
}

// scopeLayout describes a frame: a counter for each function, then two words
// for each child scope (where its table lies; its number of items + 1). The
// table of a child scope holds a counter for each of its gatherers, then a
// frame for each item.
type scopeLayout struct {
	template []uint32
	tables   uint32 // position of the child words in a frame
	gathers  uint32 // number of gatherers
	chain    []workflow.ScopeID
}

// live marks a counter at which something live has arrived.
const live = 1 << 31

// NewLayout lays out the counters for a workflow.
func NewLayout(w *workflow.Workflow) *Layout {
	l := &Layout{workflow: w, scopes: make([]scopeLayout, len(w.Scopes))}
	for i := range w.Scopes {
		s := &w.Scopes[i]
		template := make([]uint32, len(s.Functions)+2*len(s.Children))
		for local, f := range s.Functions {
			template[local] = uint32(w.Indegree[f])
		}
		var chain []workflow.ScopeID
		for at := workflow.ScopeID(i); at > 0; at = w.Scopes[at].Parent {
			chain = append([]workflow.ScopeID{at}, chain...)
		}
		l.scopes[i] = scopeLayout{
			template: template,
			tables:   uint32(len(s.Functions)),
			gathers:  uint32(len(s.Gatherers)),
			chain:    chain,
		}
	}
	return l
}

// State is the counters of one invocation. The zero State must be Reset
// before use.
type State struct {
	layout *Layout
	words  []uint32
}

// Reset starts a new invocation, with no function having been reached.
func (s *State) Reset(l *Layout) {
	s.layout = l
	s.words = append(s.words[:0], l.scopes[0].template...)
}

// Clear drops the counters and keeps their storage.
func (s *State) Clear() { s.words = s.words[:0] }

// Empty reports whether the State must be Reset before use.
func (s *State) Empty() bool { return len(s.words) == 0 }

// Arrive notes that control edges into the instance of f at path have been
// resolved: alive says whether their sources ran or were skipped. It returns
// whether nothing is left to wait for, and if so whether f is to run. It
// returns complete once for each instance: where the first live edge wins,
// those that come after it complete nothing.
func (s *State) Arrive(f workflow.FunctionID, path *workflow.Path, edges int32, alive bool) (complete, runs bool) {
	function := &s.layout.workflow.Functions[f]
	at := s.frame(function.Scope, path) + uint32(function.Local)
	won := s.words[at]&live != 0
	complete, runs = s.count(at, uint32(edges), alive)
	if function.Join == workflow.JoinFirst {
		complete = !won && (alive || complete)
	}
	return complete, runs
}

// Gather notes that the instance of f at path has ended, or was skipped. It
// returns whether that was the last instance of those that the merge behind f
// waits for, and if so whether any of them ran.
func (s *State) Gather(f workflow.FunctionID, path *workflow.Path, alive bool) (complete, ran bool) {
	function := &s.layout.workflow.Functions[f]
	table := s.table(function.Scope, path)
	return s.count(table+uint32(function.Gather), 1, alive)
}

// SetItems notes the number of items of the list that a scope iterates over,
// for the opener's instance at path.
func (s *State) SetItems(scope workflow.ScopeID, path *workflow.Path, items uint32) {
	at := s.child(scope, path)
	s.words[at+1] = items + 1
}

// Items returns what SetItems noted last, or 0.
func (s *State) Items(scope workflow.ScopeID, path *workflow.Path) uint32 {
	return max(s.words[s.child(scope, path)+1], 1) - 1
}

func (s *State) count(at, n uint32, alive bool) (complete, wasLive bool) {
	word := s.words[at]
	if alive {
		word |= live
	}
	word -= n
	s.words[at] = word
	return word&^live == 0, word&live != 0
}

// frame returns the position of the frame of a scope for a path.
func (s *State) frame(scope workflow.ScopeID, path *workflow.Path) uint32 {
	if scope == 0 {
		return 0
	}
	l := &s.layout.scopes[scope]
	return s.table(scope, path) + l.gathers + path.Level(len(l.chain)-1).Index*uint32(len(l.template))
}

// table returns the position of the table that holds all items of a scope
// for a path, and lays it out at first use.
func (s *State) table(scope workflow.ScopeID, path *workflow.Path) uint32 {
	frame := uint32(0)
	table := uint32(0)
	parent := workflow.ScopeID(0)
	for depth, at := range s.layout.scopes[scope].chain {
		l := &s.layout.scopes[at]
		level := path.Level(depth)
		word := frame + s.layout.scopes[parent].tables + 2*uint32(s.layout.workflow.Scopes[at].Child)
		if table = s.words[word]; table == 0 {
			table = s.lay(at, level.Of)
			s.words[word] = table
		}
		frame = table + l.gathers + level.Index*uint32(len(l.template))
		parent = at
	}
	return table
}

// child returns the position of the two words for a child scope in the frame
// of its parent.
func (s *State) child(scope workflow.ScopeID, path *workflow.Path) uint32 {
	child := &s.layout.workflow.Scopes[scope]
	return s.frame(child.Parent, path) + s.layout.scopes[child.Parent].tables + 2*uint32(child.Child)
}

// lay appends the table of a scope with the given number of items.
func (s *State) lay(scope workflow.ScopeID, items uint32) uint32 {
	l := &s.layout.scopes[scope]
	at := uint32(len(s.words))
	for range l.gathers {
		s.words = append(s.words, items)
	}
	for range items {
		s.words = append(s.words, l.template...)
	}
	return at
}
