package workflow

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a workflow, and where.
type Problem struct {
	// Function is the name of the function concerned; empty for the workflow.
	Function string
	// Field is the part of the function's description, such as "inputs[2]".
	Field   string
	Message string
}

// Error returns the problem on one line.
func (p Problem) Error() string {
	where := p.Function
	if p.Field != "" {
		where += "." + p.Field
	}
	return strings.TrimPrefix(where+": "+p.Message, ": ")
}

// Problems is the error that New returns: everything that is wrong.
type Problems []Problem

// Error returns the problems, a line each.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return strings.Join(lines, "\n")
}

// New checks the functions, derives control edges, scopes and accesses, and
// returns the workflow. It takes over the slice and fills in the fields that
// say "set by New". The error is of type Problems.
func New(name string, functions []Function) (*Workflow, error) {
	b := builder{w: &Workflow{Name: name, Functions: functions}, namedBy: make([]FunctionID, len(functions))}
	for _, step := range []func(){
		b.checkFunctions, b.connect, b.sort, b.checkStarts, b.checkJoins, b.findScopes, b.checkBranches, b.resolveInputs,
	} {
		if step(); len(b.problems) > 0 {
			return nil, b.problems
		}
	}
	b.w.skips = findSkips(b.w)
	return b.w, nil
}

type builder struct {
	w        *Workflow
	problems Problems
	// namedBy holds, for each function, the one whose After named it last,
	// plus 1.
	namedBy []FunctionID
}

func (b *builder) problem(f FunctionID, field, format string, args ...any) {
	p := Problem{Field: field, Message: fmt.Sprintf(format, args...)}
	if f >= 0 {
		p.Function = b.w.Functions[f].Name
	}
	b.problems = append(b.problems, p)
}

// item names an item of a list in a function's description.
func item(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

func (b *builder) name(f FunctionID) string { return b.w.Functions[f].Name }

func (b *builder) known(f FunctionID) bool { return f >= 0 && int(f) < len(b.w.Functions) }

// checkFunctions looks at each function by itself.
func (b *builder) checkFunctions() {
	functions := b.w.Functions
	if len(functions) == 0 {
		b.problem(-1, "functions", "a workflow needs at least one function")
		return
	}
	seen := make(map[string]struct{}, len(functions))
	for i := range functions {
		f, id := &functions[i], FunctionID(i)
		if f.Name == "" {
			b.problem(id, "", "function %d has no name", i)
		}
		if f.Kind > End {
			b.problem(id, "kind", "there is no kind %d", f.Kind)
			continue
		}
		if f.Join > JoinFirst {
			b.problem(id, "join", "there is no join %d", f.Join)
			continue
		}
		if _, twice := seen[f.Name]; twice {
			b.problem(id, "", "there are two functions of this name")
		}
		seen[f.Name] = struct{}{}
		b.checkNumbers(id)
		b.checkReferences(id)
		b.checkKind(id)
	}
}

func (b *builder) checkNumbers(id FunctionID) {
	f := &b.w.Functions[id]
	if err := f.Compute.Check(); err != nil {
		b.problem(id, "compute", "%v", err)
	}
	if !amount(f.CPU) {
		b.problem(id, "cpu", "%v cores: it must be a finite number of at least 0", f.CPU)
	}
	if f.Memory < 0 {
		b.problem(id, "memory", "%d bytes: it must be at least 0", f.Memory)
	}
	if f.MaxContainers < 0 {
		b.problem(id, "max_containers", "%d: it must be at least 0 (0: no cap)", f.MaxContainers)
	}
	if p := f.Planning; p != nil && !(amount(p.Compute) && amount(p.OutputBytes) && amount(p.SplitRatio) && amount(p.MemoryUsed)) {
		b.problem(id, "planning", "its numbers must be finite and at least 0")
	}
	for i := range f.Outputs {
		o := &f.Outputs[i]
		if o.Name == "" {
			b.problem(id, "outputs", "an output has no name")
		}
		if slices.ContainsFunc(f.Outputs[:i], func(other Output) bool { return other.Name == o.Name }) {
			b.problem(id, "outputs."+o.Name, "there are two outputs of this name")
		}
		if err := o.Size.Check(); err != nil {
			b.problem(id, "outputs."+o.Name+".size", "%v", err)
		}
		if err := o.Items.Check(); err != nil {
			b.problem(id, "outputs."+o.Name+".items", "%v", err)
		}
		if !(o.PostedAt >= 0 && o.PostedAt <= 1) {
			b.problem(id, "outputs."+o.Name+".posted_at", "%v is not a fraction between 0 and 1", o.PostedAt)
		}
	}
}

// amount reports whether v is a finite number of at least 0.
func amount(v float64) bool { return v >= 0 && !math.IsInf(v, 0) }

func (b *builder) checkReferences(id FunctionID) {
	f := &b.w.Functions[id]
	for i, p := range f.After {
		if !b.known(p) {
			b.problem(id, item("after", i), "there is no function %d", p)
		} else if b.namedBy[p] == id+1 {
			b.problem(id, item("after", i), "%s is named twice", b.name(p))
		} else {
			b.namedBy[p] = id + 1
		}
	}
	for i, in := range f.Inputs {
		switch {
		case in.From == GlobalInput:
			if in.Size < 0 {
				b.problem(id, item("inputs", i), "%d bytes: it must be at least 0", in.Size)
			}
		case !b.known(in.From) || in.Output < 0 || int(in.Output) >= len(b.w.Functions[in.From].Outputs):
			b.problem(id, item("inputs", i), "there is no output %d of function %d", in.Output, in.From)
		}
	}
	if over := f.Foreach; over != nil {
		switch {
		case !b.known(over.Function) || over.Output < 0 || int(over.Output) >= len(b.w.Functions[over.Function].Outputs):
			b.problem(id, "foreach", "there is no output %d of function %d", over.Output, over.Function)
		case !b.w.Functions[over.Function].Outputs[over.Output].List:
			b.problem(id, "foreach", "%s.%s is not a list: give it a number of items",
				b.name(over.Function), b.w.Functions[over.Function].Outputs[over.Output].Name)
		case f.Merge:
			b.problem(id, "merge", "a function can open a foreach or close one, not both: put a function between")
		}
	}
	for i, branch := range f.Branches {
		for j, to := range branch.To {
			if !b.known(to) {
				b.problem(id, fmt.Sprintf("switch[%d].to[%d]", i, j), "there is no function %d", to)
			} else if slices.Index(branch.To, to) < j {
				b.problem(id, fmt.Sprintf("switch[%d].to[%d]", i, j), "%s is named twice", b.name(to))
			}
		}
	}
}

func (b *builder) checkKind(id FunctionID) {
	f := &b.w.Functions[id]
	if f.Kind == Switch {
		sum := 0.0
		for i, branch := range f.Branches {
			if !amount(branch.Probability) {
				b.problem(id, fmt.Sprintf("switch[%d].probability", i), "%v: it must be between 0 and 1", branch.Probability)
			}
			if len(branch.To) == 0 {
				b.problem(id, fmt.Sprintf("switch[%d].to", i), "the branch leads nowhere: name a function (one of kind end, if there is nothing to do)")
			}
			sum += branch.Probability
		}
		switch {
		case len(f.Branches) == 0:
			b.problem(id, "switch", "it has no branches")
		case !(math.Abs(sum-1) <= 1e-9):
			b.problem(id, "switch", "the probabilities of the branches add up to %.6g, not to 1", sum)
		}
	} else if len(f.Branches) > 0 {
		b.problem(id, "switch", "only a function of kind switch has branches")
	}
	if f.Kind != Task && len(f.Outputs) > 0 {
		b.problem(id, "outputs", "a function of kind %s runs nothing, so it has no outputs", f.Kind)
	}
}

// connect derives the control edges: After becomes complete and sorted, Next
// and Indegree are filled.
func (b *builder) connect() {
	w := b.w
	n := len(w.Functions)
	target := make([]bool, n)
	for i := range w.Functions {
		for _, branch := range w.Functions[i].Branches {
			for _, to := range branch.To {
				target[to] = true
			}
		}
	}
	for i := range w.Functions {
		f := &w.Functions[i]
		explicit := len(f.After) > 0 || target[i]
		if f.Foreach != nil {
			f.After = append(f.After, f.Foreach.Function)
		}
		if !explicit {
			for _, in := range f.Inputs {
				if in.From != GlobalInput {
					f.After = append(f.After, in.From)
				}
			}
		}
	}
	for i := range w.Functions {
		for _, branch := range w.Functions[i].Branches {
			for _, to := range branch.To {
				w.Functions[to].After = append(w.Functions[to].After, FunctionID(i))
			}
		}
	}
	w.Indegree = make([]int32, n)
	outdegree := make([]int32, n)
	edges := 0
	for i := range w.Functions {
		f := &w.Functions[i]
		slices.Sort(f.After)
		f.After = slices.Compact(f.After)
		w.Indegree[i] = int32(len(f.After))
		edges += len(f.After)
		for _, p := range f.After {
			outdegree[p]++
		}
		if len(f.After) == 0 {
			w.Starts = append(w.Starts, FunctionID(i))
		}
	}
	backing := make([]FunctionID, edges)
	for i := range w.Functions {
		w.Functions[i].Next, backing = backing[:0:outdegree[i]], backing[outdegree[i]:]
	}
	for i := range w.Functions {
		for _, p := range w.Functions[i].After {
			w.Functions[p].Next = append(w.Functions[p].Next, FunctionID(i))
		}
	}
	for i := range w.Functions {
		b.orderBranches(FunctionID(i))
	}
}

// orderBranches puts the successors of a switch into the order of its
// branches, which is that of the artefact's files and matters to FaaSFlow's
// partition.
func (b *builder) orderBranches(id FunctionID) {
	f := &b.w.Functions[id]
	if f.Kind != Switch {
		return
	}
	rank := map[FunctionID]int{}
	for _, branch := range f.Branches {
		for _, to := range branch.To {
			if _, known := rank[to]; !known {
				rank[to] = len(rank)
			}
		}
	}
	for _, next := range f.Next {
		if _, known := rank[next]; !known {
			b.problem(next, "after", "it is unreachable: the switch %s triggers only what its branches name, so name %s in one of them",
				f.Name, b.name(next))
			return
		}
	}
	slices.SortStableFunc(f.Next, func(x, y FunctionID) int { return cmp.Compare(rank[x], rank[y]) })
}

// sort finds a topological order, or a cycle.
func (b *builder) sort() {
	w := b.w
	left := slices.Clone(w.Indegree)
	w.Order = make([]FunctionID, 0, len(w.Functions))
	w.Order = append(w.Order, w.Starts...)
	for i := 0; i < len(w.Order); i++ {
		for _, next := range w.Functions[w.Order[i]].Next {
			if left[next]--; left[next] == 0 {
				w.Order = append(w.Order, next)
			}
		}
	}
	if len(w.Order) == len(w.Functions) {
		return
	}
	cycle := b.cycle(left)
	names := make([]string, 0, len(cycle)+1)
	for _, f := range append(cycle, cycle[0]) {
		names = append(names, b.name(f))
	}
	if len(names) > 12 {
		names = append(append(slices.Clone(names[:6]), "…"), names[len(names)-5:]...)
	}
	b.problem(cycle[0], "", "it is part of a cycle: %s", strings.Join(names, " → "))
}

// cycle returns the functions of one cycle, in the order of its edges. left
// holds the unresolved in-degrees after a topological sort.
func (b *builder) cycle(left []int32) []FunctionID {
	at := FunctionID(slices.IndexFunc(left, func(n int32) bool { return n > 0 }))
	seen := make([]int, len(left)) // position in the walk, from 1
	var walk []FunctionID
	for seen[at] == 0 {
		walk = append(walk, at)
		seen[at] = len(walk)
		// Every unresolved function has an unresolved predecessor.
		for _, p := range b.w.Functions[at].After {
			if left[p] > 0 {
				at = p
				break
			}
		}
	}
	cycle := walk[seen[at]-1:]
	slices.Reverse(cycle)
	first := 0
	for i, f := range cycle {
		if f < cycle[first] {
			first = i
		}
	}
	return append(slices.Clone(cycle[first:]), cycle[:first]...)
}

// findScopes puts every function into its foreach region.
func (b *builder) findScopes() {
	w := b.w
	w.Scopes = []Scope{{Parent: -1, Over: OutputRef{Function: -1}}}
	opened := map[OutputRef]ScopeID{}
	for _, id := range w.Order {
		f := &w.Functions[id]
		f.Scope = b.scopeOf(id, opened)
		if len(b.problems) > 0 {
			return
		}
	}
	for i := range w.Functions {
		f := &w.Functions[i]
		s := &w.Scopes[f.Scope]
		f.Local = int32(len(s.Functions))
		s.Functions = append(s.Functions, FunctionID(i))
		f.Gather = -1
		for _, next := range f.Next {
			if w.Functions[next].Scope == s.Parent {
				f.Gather = int32(len(s.Gatherers))
				s.Gatherers = append(s.Gatherers, FunctionID(i))
				break
			}
		}
	}
}

// checkBranches finds branches that lead out of a foreach. Which merges an
// instance of the switch has come to would differ from item to item, so a
// function of its own, which either has an instance or is skipped, has to
// stand between.
func (b *builder) checkBranches() {
	w := b.w
	for i := range w.Functions {
		f, id := &w.Functions[i], FunctionID(i)
		for j, branch := range f.Branches {
			for k, to := range branch.To {
				if w.Functions[to].Scope != f.Scope {
					b.problem(id, fmt.Sprintf("switch[%d].to[%d]", j, k),
						"%s is outside the foreach over %s: let the branch lead to a function inside (of kind end, if there is nothing to do), and %s come after that",
						b.name(to), b.list(w.Scopes[f.Scope].Over), b.name(to))
				}
			}
		}
	}
}

// scopeOf derives the scope of a function from those of its predecessors,
// and opens a new scope at the first function that iterates over a list.
func (b *builder) scopeOf(id FunctionID, opened map[OutputRef]ScopeID) ScopeID {
	w := b.w
	f := &w.Functions[id]
	deepest := ScopeID(0)
	for _, p := range f.After {
		if s := w.Functions[p].Scope; w.Scopes[s].Depth > w.Scopes[deepest].Depth {
			deepest = s
		}
	}
	result := deepest
	switch {
	case f.Foreach != nil:
		if result = b.open(id, opened); len(b.problems) > 0 {
			return 0
		}
	case f.Merge && deepest == 0:
		b.problem(id, "merge", "none of its predecessors is inside a foreach, so there is nothing to merge")
		return 0
	case f.Merge:
		result = w.Scopes[deepest].Parent
	}
	for _, p := range f.After {
		s := w.Functions[p].Scope
		if s == result || f.Merge && w.Scopes[s].Parent == result || f.Foreach != nil && p == f.Foreach.Function {
			continue
		}
		switch outside := w.Scopes[s].Depth < w.Scopes[result].Depth; {
		case outside && f.Merge:
			b.problem(id, "merge", "it closes the foreach over %s and is still inside the one over %s, which %s is not in: close that with a merge of its own",
				b.list(w.Scopes[deepest].Over), b.list(w.Scopes[result].Over), b.name(p))
		case outside:
			b.problem(id, "after", "%s is outside the foreach over %s that this function is in: it cannot trigger single instances; let %s come after it, or merge first",
				b.name(p), b.list(w.Scopes[result].Over), b.name(w.Scopes[result].Over.Function))
		case f.Merge:
			b.problem(id, "merge", "%s is inside the foreach over %s, which is not next to that over %s: close it with a merge of its own",
				b.name(p), b.list(w.Scopes[s].Over), b.list(w.Scopes[deepest].Over))
		default:
			b.problem(id, "after", "%s is inside the foreach over %s, this function is not: mark it as a merge, or merge first",
				b.name(p), b.list(w.Scopes[s].Over))
		}
		return 0
	}
	return result
}

func (b *builder) list(o OutputRef) string {
	return b.name(o.Function) + "." + b.w.Functions[o.Function].Outputs[o.Output].Name
}

// open returns the scope of the list that a function iterates over.
func (b *builder) open(id FunctionID, opened map[OutputRef]ScopeID) ScopeID {
	w := b.w
	over := *w.Functions[id].Foreach
	if s, ok := opened[over]; ok {
		w.Scopes[s].Entries = append(w.Scopes[s].Entries, id)
		return s
	}
	parent := w.Functions[over.Function].Scope
	if w.Scopes[parent].Depth == MaxNesting {
		b.problem(id, "foreach", "foreach regions nest deeper than %d levels", MaxNesting)
		return 0
	}
	s := ScopeID(len(w.Scopes))
	w.Scopes = append(w.Scopes, Scope{
		Parent: parent, Depth: w.Scopes[parent].Depth + 1, Over: over,
		Entries: []FunctionID{id}, Child: int32(len(w.Scopes[parent].Children)),
	})
	w.Scopes[parent].Children = append(w.Scopes[parent].Children, s)
	opened[over] = s
	return s
}

// checkStarts finds functions that nothing triggers. Only a workflow that
// says where it starts can have any.
func (b *builder) checkStarts() {
	w := b.w
	says := slices.ContainsFunc(w.Functions, func(f Function) bool { return f.Start })
	for i := range w.Functions {
		f, id := &w.Functions[i], FunctionID(i)
		if f.Start && len(f.After) > 0 {
			b.problem(id, "", "the workflow starts with it, yet it comes after %s", b.name(f.After[0]))
		}
		if says && !f.Start && len(f.After) == 0 {
			b.problem(id, "", "it is unreachable: nothing triggers it, and the workflow does not start with it")
		}
	}
}

// checkJoins finds functions that nothing can be the first to trigger.
func (b *builder) checkJoins() {
	for i := range b.w.Functions {
		if f := &b.w.Functions[i]; f.Join == JoinFirst && len(f.After) < 2 {
			only := "no function triggers it"
			if len(f.After) == 1 {
				only = fmt.Sprintf("only %s triggers it", b.name(f.After[0]))
			}
			b.problem(FunctionID(i), "join", "%s, so there is no first of several: leave join out, or name more functions", only)
		}
	}
}

// resolveInputs finds which instances of each output are read, and that they
// are sure to be there in time.
func (b *builder) resolveInputs() {
	w := b.w
	var distant []read
	for i := range w.Functions {
		f, id := &w.Functions[i], FunctionID(i)
		for j := range f.Inputs {
			in := &f.Inputs[j]
			if in.From == GlobalInput {
				continue
			}
			from := &w.Functions[in.From]
			switch {
			case b.encloses(from.Scope, f.Scope):
				in.Access = b.accessOuter(f, in)
			case w.Scopes[from.Scope].Parent == f.Scope:
				if in.Access = AccessGather; from.Outputs[in.Output].List {
					b.problem(id, item("inputs", j), "it would read all lists of all instances of %s: let a function in the foreach read the list first", from.Name)
				}
			default:
				b.problem(id, item("inputs", j), "%s is in another foreach region: hand the data on through a merge", from.Name)
				continue
			}
			if _, direct := slices.BinarySearch(f.After, in.From); !direct || f.Join == JoinFirst {
				distant = append(distant, read{in.From, id, j})
			}
		}
	}
	b.checkDistant(distant)
}

// read is input number input of a function.
type read struct {
	from, reader FunctionID
	input        int
}

// checkDistant makes sure that each producer has ended when its reader is
// triggered: a path of control edges leads from one to the other, and where
// the first edge wins, from the producer to each of them. One walk for each
// producer, however many readers it has.
func (b *builder) checkDistant(reads []read) {
	slices.SortStableFunc(reads, func(x, y read) int { return cmp.Compare(x.from, y.from) })
	reached := make([]FunctionID, len(b.w.Functions)) // the last producer that a walk came from, + 1
	begun := make([]FunctionID, len(b.w.Functions))   // the same, for a join of which it may not have seen all edges
	left := make([]int32, len(b.w.Functions))         // edges that it has not seen
	var walk []FunctionID
	reads = slices.DeleteFunc(reads, func(r read) bool {
		if reached[r.from] != r.from+1 {
			reached[r.from] = r.from + 1
			walk = append(walk[:0], r.from)
			for i := 0; i < len(walk); i++ {
				for _, next := range b.w.Functions[walk[i]].Next {
					if reached[next] == r.from+1 {
						continue
					}
					if b.w.Functions[next].Join == JoinFirst {
						if begun[next] != r.from+1 {
							begun[next], left[next] = r.from+1, b.w.Indegree[next]
						}
						if left[next]--; left[next] > 0 {
							continue
						}
					}
					reached[next] = r.from + 1
					walk = append(walk, next)
				}
			}
		}
		return r.from != r.reader && reached[r.reader] == r.from+1
	})
	slices.SortFunc(reads, func(x, y read) int { return cmp.Or(cmp.Compare(x.reader, y.reader), cmp.Compare(x.input, y.input)) })
	for _, r := range reads {
		if b.w.Functions[r.reader].Join == JoinFirst {
			b.problem(r.reader, item("inputs", r.input), "%s has not surely ended when another function is the first to trigger this one: let all that trigger it come after %s, or let it wait for all (join: all)",
				b.name(r.from), b.name(r.from))
			continue
		}
		b.problem(r.reader, item("inputs", r.input), "%s has not surely ended when this function is triggered: add it to after", b.name(r.from))
	}
}

func (b *builder) accessOuter(f *Function, in *Input) Access {
	if !b.w.Functions[in.From].Outputs[in.Output].List {
		return AccessSame
	}
	for s := f.Scope; s > 0; s = b.w.Scopes[s].Parent {
		if b.w.Scopes[s].Over == (OutputRef{in.From, in.Output}) {
			return AccessItem
		}
	}
	return AccessAllItems
}

// encloses reports whether scope outer is inner or around it.
func (b *builder) encloses(outer, inner ScopeID) bool {
	for inner > outer {
		inner = b.w.Scopes[inner].Parent
	}
	return inner == outer
}
