// Package inbox counts which data the function instances of one invocation
// still wait for, as far as they run on one node. It is what the DataFlower
// paper calls the wait-match memory, without the data.
//
// An instance is ready when each of its inputs is there, or is known never to
// come, and when it has been triggered. What is read as a whole (all items of
// a list, or the outputs of all instances in a foreach) is there when its last
// part is. What many instances read, because they are in a foreach and it
// comes from outside, arrives once for all of them, possibly before it is known
// how many there are.
//
// A datum that arrives again is ignored, so a task may be run again.
//
// All state of an invocation lies in one slice of words, which is kept when the
// next invocation takes its place, so that nothing is allocated in the steady
// state. The words of the functions of a scope for one path are a frame; the
// frames of a foreach are laid out when its number of items is first seen.
package inbox

import (
	"math/bits"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Options are quirks of the DataFlower artefact.
type Options struct {
	// Race: an instance in a foreach is ready as soon as its item is there.
	Race bool
	// Counts: a merge also waits until it is told that the number of items is
	// known.
	Counts bool
}

// Layout says where the state of a workflow's functions lies. It is made once
// for a workflow and shared.
type Layout struct {
	workflow  *workflow.Workflow
	options   Options
	functions []function
	scopes    []scope
	gathered  []bool
	first     []int32 // where the readers of a function's outputs begin
	readers   [][]Reader
}

// Reader is an input of a function.
type Reader struct {
	Function workflow.FunctionID
	Input    int32
}

// function describes the words of a function in a frame of its scope: what is
// missing, the note of its trigger, then a bit for each input, for the trigger,
// for each foreach whose count it waits for, and for what is done once.
type function struct {
	at     uint32
	words  uint32 // of bits
	inputs []input
	counts []workflow.ScopeID
	// broadcast: some input comes from outside a foreach around the function.
	broadcast bool
}

type input struct {
	scope workflow.ScopeID // at a path of which it arrives
	depth int              // of that scope
	many  bool             // it has several parts
	parts uint32           // word in a frame of the scope: where they are counted, or 0
}

// The first words of a function.
const (
	missing = iota
	note
	firstBits
)

// fired stands for what is missing when an instance has become ready.
const fired = 1 << 31

// scope describes a frame.
type scope struct {
	template []uint32
	// inherited are the functions of nested scopes that may be sent something
	// before their frames are there.
	inherited []inherited
	tables    uint32 // a word for each child scope
	chain     []workflow.ScopeID
}

type inherited struct {
	function workflow.FunctionID
	at       uint32
}

// NewLayout lays out the state for a workflow.
func NewLayout(w *workflow.Workflow, o Options) *Layout {
	l := &Layout{workflow: w, options: o, functions: make([]function, len(w.Functions)), scopes: make([]scope, len(w.Scopes)), gathered: make([]bool, len(w.Functions))}
	l.first = make([]int32, len(w.Functions)+1)
	for f := range w.Functions {
		l.first[f+1] = l.first[f] + int32(len(w.Functions[f].Outputs))
	}
	l.readers = make([][]Reader, l.first[len(w.Functions)])
	for i := range l.scopes {
		for at := workflow.ScopeID(i); at > 0; at = w.Scopes[at].Parent {
			l.scopes[i].chain = append([]workflow.ScopeID{at}, l.scopes[i].chain...)
		}
	}
	for f := range w.Functions {
		l.layFunction(workflow.FunctionID(f))
	}
	for f := range w.Functions {
		l.layInputs(workflow.FunctionID(f))
	}
	for i := range l.scopes {
		s := &l.scopes[i]
		s.tables = uint32(len(s.template))
		s.template = append(s.template, make([]uint32, len(w.Scopes[i].Children))...)
	}
	return l
}

// layFunction lays out the words of a function and notes what it reads.
func (l *Layout) layFunction(id workflow.FunctionID) {
	w := l.workflow
	f, at := &w.Functions[id], &l.functions[id]
	units := uint32(1) // the trigger
	for i := range f.Inputs {
		in := &f.Inputs[i]
		at.inputs = append(at.inputs, l.input(id, in))
		if in.From == workflow.GlobalInput {
			continue
		}
		units++
		l.gathered[in.From] = l.gathered[in.From] || in.Access == workflow.AccessGather
		at.broadcast = at.broadcast || at.inputs[i].depth < w.Scopes[f.Scope].Depth
		readers := &l.readers[l.first[in.From]+in.Output]
		*readers = append(*readers, Reader{id, int32(i)})
		if scope := w.Functions[in.From].Scope; l.options.Counts && in.Access == workflow.AccessGather && at.count(scope) < 0 {
			at.counts = append(at.counts, scope)
			units++
		}
	}
	s := &l.scopes[f.Scope]
	at.at = uint32(len(s.template))
	all := len(f.Inputs) + 1 + len(at.counts) + 1 + len(f.Outputs)
	at.words = uint32((all + 31) / 32)
	s.template = append(s.template, units, 0)
	s.template = append(s.template, make([]uint32, at.words)...)
}

// count returns the position of a foreach among those whose count a function
// waits for, or -1.
func (f *function) count(scope workflow.ScopeID) int {
	for i, s := range f.counts {
		if s == scope {
			return i
		}
	}
	return -1
}

// input finds where an input arrives.
func (l *Layout) input(id workflow.FunctionID, in *workflow.Input) input {
	w := l.workflow
	at := w.Functions[id].Scope
	if in.From == workflow.GlobalInput {
		return input{scope: at, depth: w.Scopes[at].Depth}
	}
	from := w.Functions[in.From].Scope
	switch in.Access {
	case workflow.AccessItem:
		depth := w.ItemLevel(id, *in) + 1
		for w.Scopes[at].Depth > depth {
			at = w.Scopes[at].Parent
		}
		return input{scope: at, depth: depth}
	case workflow.AccessAllItems:
		return input{scope: from, depth: w.Scopes[from].Depth, many: true}
	case workflow.AccessGather:
		return input{scope: w.Scopes[from].Parent, depth: w.Scopes[from].Depth - 1, many: true}
	default:
		return input{scope: from, depth: w.Scopes[from].Depth}
	}
}

// layInputs lays out the words that a function has outside its own frames.
func (l *Layout) layInputs(id workflow.FunctionID) {
	f := &l.functions[id]
	for i := range f.inputs {
		if in := &f.inputs[i]; in.many {
			s := &l.scopes[in.scope]
			in.parts = uint32(len(s.template))
			s.template = append(s.template, 0)
		}
	}
	if !f.broadcast {
		return
	}
	for at := l.workflow.Functions[id].Scope; at > 0; {
		at = l.workflow.Scopes[at].Parent
		s := &l.scopes[at]
		s.inherited = append(s.inherited, inherited{id, uint32(len(s.template))})
		s.template = append(s.template, make([]uint32, f.words)...)
	}
}

// Readers returns who reads an output.
func (l *Layout) Readers(f workflow.FunctionID, output int32) []Reader {
	return l.readers[l.first[f]+output]
}

// Single reports whether one instance only reads what arrives for an input:
// not several in a foreach that it comes into from outside.
func (l *Layout) Single(r Reader) bool {
	f := &l.workflow.Functions[r.Function]
	return l.functions[r.Function].inputs[r.Input].depth == l.workflow.Scopes[f.Scope].Depth
}

// Gathered reports whether the outputs of all instances of a function in a
// foreach are read together outside it.
func (l *Layout) Gathered(f workflow.FunctionID) bool { return l.gathered[f] }

// State is what the instances of one invocation wait for on one node. The zero
// State must be Reset before use.
type State struct {
	layout *Layout
	words  []uint32
	// Ready are the instances that have become ready and that the caller has
	// yet to take away.
	Ready []Ready
}

// Ready is an instance that waits for nothing any more. Note is that of its
// trigger.
type Ready struct {
	Function workflow.FunctionID
	Note     int32
	Path     workflow.Path
}

// Reset starts a new invocation.
func (s *State) Reset(l *Layout) {
	s.layout = l
	s.words = append(s.words[:0], l.scopes[0].template...)
	s.Ready = s.Ready[:0]
}

// Clear drops the state and keeps its storage.
func (s *State) Clear() { s.words, s.Ready = s.words[:0], s.Ready[:0] }

// Empty reports whether the State must be Reset before use.
func (s *State) Empty() bool { return len(s.words) == 0 }

// Trigger notes that the instance of f at path is to run. The note comes back
// when it is ready.
func (s *State) Trigger(f workflow.FunctionID, path *workflow.Path, triggerNote int32) {
	frame := s.frame(s.layout.workflow.Functions[f].Scope, path)
	s.words[frame+s.layout.functions[f].at+note] = uint32(triggerNote)
	s.set(f, frame, path, len(s.layout.functions[f].inputs))
}

// Arrive notes that a datum has arrived for an input, or, if it is not alive,
// that it never will. path is that of the datum, with the level of an item for
// an item of a list; one that is shorter stands for all parts of what has
// several. It returns whether the input is complete with this, and if so
// whether anything of it has come.
func (s *State) Arrive(r Reader, path *workflow.Path, alive bool) (complete, live bool) {
	in := &s.layout.functions[r.Function].inputs[r.Input]
	if path.Depth() < in.depth {
		return false, false // The reader is inside what is dead as a whole.
	}
	at := path.Outer(in.depth)
	if in.many && path.Depth() > in.depth {
		if complete, alive = s.part(in, &at, path.Level(in.depth), alive); !complete {
			return false, false
		}
	}
	if in.many && path.Depth() == in.depth && !alive {
		// Nor will its length be told.
		from := s.layout.workflow.Functions[r.Function].Inputs[r.Input].From
		s.Count(r.Function, &at, s.layout.workflow.Functions[from].Scope)
	}
	return s.mark(r.Function, &at, int(r.Input)), alive
}

// Count notes that the number of items of a foreach is known to the instance
// of f at path.
func (s *State) Count(f workflow.FunctionID, path *workflow.Path, over workflow.ScopeID) {
	if i := s.layout.functions[f].count(over); i >= 0 {
		s.mark(f, path, len(s.layout.functions[f].inputs)+1+i)
	}
}

// Once reports whether it is asked for the first time about something that the
// instance of f at path does once: item k of 1 + the number of its outputs.
func (s *State) Once(f workflow.FunctionID, path *workflow.Path, k int) bool {
	at := &s.layout.functions[f]
	bit := len(at.inputs) + 1 + len(at.counts) + k
	word := s.frame(s.layout.workflow.Functions[f].Scope, path) + at.at + firstBits + uint32(bit/32)
	if s.words[word]&(1<<(bit%32)) != 0 {
		return false
	}
	s.words[word] |= 1 << (bit % 32)
	return true
}

// mark sets a bit of all instances of f at path, or below it, and reports
// whether it was new.
func (s *State) mark(f workflow.FunctionID, path *workflow.Path, bit int) bool {
	own := s.layout.workflow.Functions[f].Scope
	chain := s.layout.scopes[own].chain
	if path.Depth() == len(chain) {
		return s.set(f, s.frame(own, path), path, bit)
	}
	at := workflow.ScopeID(0)
	if path.Depth() > 0 {
		at = chain[path.Depth()-1]
	}
	frame := s.frame(at, path)
	for _, h := range s.layout.scopes[at].inherited {
		if h.function != f {
			continue
		}
		word := frame + h.at + uint32(bit/32)
		if s.words[word]&(1<<(bit%32)) != 0 {
			return false
		}
		s.words[word] |= 1 << (bit % 32)
	}
	inner := chain[path.Depth()]
	if table := s.words[s.child(frame, at, inner)]; table != 0 {
		items := s.words[table]
		for i := range items {
			item := path.Item(i, items)
			s.mark(f, &item, bit)
		}
	}
	return true
}

// set sets a bit of one instance and reports whether it was new.
func (s *State) set(f workflow.FunctionID, frame uint32, path *workflow.Path, bit int) bool {
	at := &s.layout.functions[f]
	words := s.words[frame+at.at:]
	mask := &words[firstBits+bit/32]
	if *mask&(1<<(bit%32)) != 0 {
		return false
	}
	*mask |= 1 << (bit % 32)
	if words[missing] == fired {
		return true
	}
	words[missing]--
	if words[missing] == 0 || s.layout.options.Race && s.races(f, bit) {
		words[missing] = fired
		s.Ready = append(s.Ready, Ready{f, int32(words[note]), *path})
	}
	return true
}

// races reports whether a bit stands for the item that an instance in a
// foreach runs for.
func (s *State) races(f workflow.FunctionID, bit int) bool {
	function := &s.layout.workflow.Functions[f]
	return bit < len(function.Inputs) && function.Inputs[bit].Access == workflow.AccessItem &&
		s.layout.functions[f].inputs[bit].scope == function.Scope
}

// part notes one of the parts of an input that has several, for the path at
// which it is read. It returns whether it is complete, and then whether any
// part is alive.
func (s *State) part(in *input, path *workflow.Path, level workflow.Level, alive bool) (complete, live bool) {
	word := s.frame(in.scope, path) + in.parts
	at := s.words[word]
	if at == 0 {
		at = uint32(len(s.words))
		s.words[word] = at
		s.words = append(s.words, level.Of)
		for range (level.Of + 31) / 32 {
			s.words = append(s.words, 0)
		}
	}
	mask := &s.words[at+1+level.Index/32]
	if *mask&(1<<(level.Index%32)) != 0 {
		return false, false
	}
	*mask |= 1 << (level.Index % 32)
	if alive {
		s.words[at] |= fired
	}
	s.words[at]--
	return s.words[at]&^fired == 0, s.words[at]&fired != 0
}

// frame returns the position of the frame of a scope for a path, which it lays
// out at first use.
func (s *State) frame(scope workflow.ScopeID, path *workflow.Path) uint32 {
	frame, parent := uint32(0), workflow.ScopeID(0)
	for depth, at := range s.layout.scopes[scope].chain {
		level := path.Level(depth)
		word := s.child(frame, parent, at)
		table := s.words[word]
		if table == 0 {
			table = s.lay(frame, parent, at, level.Of)
			s.words[word] = table
		}
		frame = table + 1 + level.Index*uint32(len(s.layout.scopes[at].template))
		parent = at
	}
	return frame
}

// child returns the position of the word that says where the frames of a child
// scope are.
func (s *State) child(frame uint32, parent, child workflow.ScopeID) uint32 {
	return frame + s.layout.scopes[parent].tables + uint32(s.layout.workflow.Scopes[child].Child)
}

// lay appends the frames of a scope, after their number, and hands on to them
// what has arrived for all of them.
func (s *State) lay(outer uint32, parent, scope workflow.ScopeID, items uint32) uint32 {
	l := &s.layout.scopes[scope]
	table := uint32(len(s.words))
	s.words = append(s.words, items)
	for range items {
		s.words = append(s.words, l.template...)
	}
	for _, h := range s.layout.scopes[parent].inherited {
		f := &s.layout.functions[h.function]
		at, own := s.heir(scope, h.function)
		if at == 0 && !own {
			continue
		}
		for word := range f.words {
			arrived := s.words[outer+h.at+word]
			if arrived == 0 {
				continue
			}
			for item := range items {
				frame := table + 1 + item*uint32(len(l.template))
				if own {
					s.words[frame+f.at+firstBits+word] |= arrived
					s.words[frame+f.at+missing] -= uint32(bits.OnesCount32(arrived))
				} else {
					s.words[frame+at+word] |= arrived
				}
			}
		}
	}
	return table
}

// heir finds where a frame of a scope keeps the bits of a function: among its
// own, or among those of nested scopes.
func (s *State) heir(scope workflow.ScopeID, f workflow.FunctionID) (at uint32, own bool) {
	if s.layout.workflow.Functions[f].Scope == scope {
		return 0, true
	}
	for _, h := range s.layout.scopes[scope].inherited {
		if h.function == f {
			return h.at, false
		}
	}
	return 0, false
}
