package enginetest

import (
	"fmt"
	"slices"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Dice makes choices that depend on the seed only (splitmix64).
type Dice struct{ State uint64 }

// Roll returns a number below n.
func (d *Dice) Roll(n int) int {
	d.State += 0x9e3779b97f4a7c15
	z := d.State
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) >> 1 % uint64(n))
}

// RandomWorkflow makes a workflow by choices, each a number below n, out of
// all that workflows can have: joins, several starts, switches that lead to
// joins of other switches, joins of which the first edge wins, foreach regions with several functions and entries,
// one in another, with and without merges. About size functions.
func RandomWorkflow(name string, size int, choose func(n int) int) (*workflow.Workflow, error) {
	g := &generator{choose: choose, size: size}
	for len(g.functions) <= size/2 {
		g.region(nil)
	}
	for i := range len(g.functions) {
		for b := range g.functions[i].Branches {
			if len(g.functions[i].Branches[b].To) == 0 {
				g.functions[i].Branches[b].To = []workflow.FunctionID{g.add(workflow.End, g.at[i])}
			}
		}
	}
	for i := range g.functions {
		if id := workflow.FunctionID(i); len(g.before(id)) > 1 && choose(4) == 0 {
			g.functions[i].Join = workflow.JoinFirst
		}
	}
	for i := range g.functions {
		g.read(workflow.FunctionID(i))
	}
	return workflow.New(name, g.functions)
}

type generator struct {
	choose    func(n int) int
	size      int
	functions []workflow.Function
	at        []*region // of each function
	target    []bool    // of a switch
}

// region is a foreach, or what is outside.
type region struct {
	over  *workflow.OutputRef
	outer *region
	depth int
}

func (g *generator) add(k workflow.Kind, at *region) workflow.FunctionID {
	f := workflow.Function{Name: fmt.Sprintf("f%d", len(g.functions)), Kind: k}
	switch k {
	case workflow.Task:
		f.MaxContainers = g.choose(3)
		f.Outputs = []workflow.Output{{Name: "out", Size: workflow.Constant(1000), PostedAt: float64(g.choose(3)) / 2}}
	case workflow.Switch:
		n := 1 + g.choose(3)
		for i := range n {
			f.Branches = append(f.Branches, workflow.Branch{Name: fmt.Sprint(i), Probability: 1 / float64(n)})
		}
	}
	g.functions = append(g.functions, f)
	g.at = append(g.at, at)
	g.target = append(g.target, false)
	return workflow.FunctionID(len(g.functions) - 1)
}

// edge adds a control edge inside a region, or out of one.
func (g *generator) edge(from, to workflow.FunctionID) {
	if f := &g.functions[from]; f.Kind == workflow.Switch {
		b := &f.Branches[g.choose(len(f.Branches))]
		if !slices.Contains(b.To, to) {
			b.To = append(b.To, to)
		}
		g.target[to] = true
		return
	}
	if after := &g.functions[to].After; !slices.Contains(*after, from) {
		*after = append(*after, from)
	}
}

// region makes the functions of a foreach, or some of those outside any, and
// returns them.
func (g *generator) region(at *region) []workflow.FunctionID {
	if at == nil {
		at = &region{}
	}
	var members []workflow.FunctionID
	for range 1 + g.choose(5) {
		if len(g.functions) >= g.size && len(members) > 0 {
			break
		}
		if g.choose(4) == 0 && at.depth < 3 {
			members = append(members, g.foreach(members, at)...)
			continue
		}
		id := g.add(g.kind(), at)
		switch {
		case at.over != nil && (len(members) == 0 || g.choose(4) == 0):
			g.functions[id].Foreach = at.over
			if len(members) > 0 && g.choose(2) == 0 {
				g.edges(members, id)
			}
		case len(members) > 0 && (at.over != nil || g.choose(6) > 0):
			g.edges(members, id)
		}
		members = append(members, id)
	}
	return members
}

func (g *generator) kind() workflow.Kind {
	switch g.choose(6) {
	case 0:
		return workflow.Switch
	case 1:
		return workflow.End
	default:
		return workflow.Task
	}
}

// edges triggers a function by up to three others.
func (g *generator) edges(from []workflow.FunctionID, to workflow.FunctionID) {
	for range 1 + g.choose(3) {
		g.edge(from[g.choose(len(from))], to)
	}
}

// foreach makes one of the members open a foreach, and returns the merges
// behind it.
func (g *generator) foreach(members []workflow.FunctionID, at *region) []workflow.FunctionID {
	openers := slices.DeleteFunc(slices.Clone(members), func(id workflow.FunctionID) bool { return g.functions[id].Kind != workflow.Task })
	if len(openers) == 0 {
		return nil
	}
	opener := openers[g.choose(len(openers))]
	outputs := &g.functions[opener].Outputs
	*outputs = append(*outputs, workflow.Output{
		Name: fmt.Sprintf("list%d", len(*outputs)), List: true, PostedAt: float64(g.choose(3)) / 2,
		Size: workflow.Constant(1000), Items: workflow.Constant(2),
	})
	inside := &region{over: &workflow.OutputRef{Function: opener, Output: int32(len(*outputs) - 1)}, outer: at, depth: at.depth + 1}
	inner := slices.DeleteFunc(g.region(inside), func(id workflow.FunctionID) bool { return g.functions[id].Kind == workflow.Switch })
	if len(inner) == 0 {
		return nil
	}
	var merges []workflow.FunctionID
	for range g.choose(3) {
		id := g.add(g.kind(), at)
		g.functions[id].Merge = true
		g.edges(inner, id)
		if g.choose(3) == 0 {
			g.edge(members[g.choose(len(members))], id)
		}
		merges = append(merges, id)
	}
	return merges
}

// read lets a function read what those before it have put.
func (g *generator) read(id workflow.FunctionID) {
	f := &g.functions[id]
	explicit := len(f.After) > 0 || g.target[id]
	from := slices.Clone(f.After)
	if f.Foreach != nil {
		from = append(from, f.Foreach.Function)
	}
	for _, p := range f.After {
		if g.functions[p].Join == workflow.JoinAll {
			from = append(from, g.functions[p].After...)
		}
	}
	if f.Join == workflow.JoinFirst {
		from = slices.DeleteFunc(from, func(p workflow.FunctionID) bool { return !g.surelyBefore(p, id) })
	}
	for _, p := range from {
		outputs := len(g.functions[p].Outputs)
		opens := f.Foreach != nil && f.Foreach.Function == p
		if outputs == 0 || !opens && !explicit || !g.sees(g.at[id], g.at[p]) || g.choose(2) == 0 {
			continue
		}
		output := int32(g.choose(outputs))
		if !g.encloses(g.at[p], g.at[id]) {
			output = 0 // Lists cannot be gathered.
		}
		f.Inputs = append(f.Inputs, workflow.Input{From: p, Output: output})
	}
	if f.Kind == workflow.Task && g.choose(4) == 0 {
		f.Inputs = append(f.Inputs, workflow.Input{From: workflow.GlobalInput, Size: 100})
	}
}

// before returns the functions that trigger one.
func (g *generator) before(id workflow.FunctionID) []workflow.FunctionID {
	f := &g.functions[id]
	before := slices.Clone(f.After)
	if f.Foreach != nil && !slices.Contains(before, f.Foreach.Function) {
		before = append(before, f.Foreach.Function)
	}
	for i := range g.functions {
		for _, b := range g.functions[i].Branches {
			if s := workflow.FunctionID(i); slices.Contains(b.To, id) && !slices.Contains(before, s) {
				before = append(before, s)
			}
		}
	}
	return before
}

// surelyBefore reports whether p has ended whichever function triggers one of
// which the first edge wins, as far as that can be seen at a glance.
func (g *generator) surelyBefore(p, first workflow.FunctionID) bool {
	for _, q := range g.before(first) {
		if q != p && (g.functions[q].Join == workflow.JoinFirst || !slices.Contains(g.before(q), p)) {
			return false
		}
	}
	return true
}

// encloses reports whether a region is inner, or around it.
func (g *generator) encloses(outer, inner *region) bool {
	for ; inner != nil; inner = inner.outer {
		if inner == outer || inner.over == nil && outer.over == nil {
			return true
		}
	}
	return false
}

// sees reports whether a function in a region may read from one in another.
func (g *generator) sees(reader, from *region) bool {
	return g.encloses(from, reader) || from.outer != nil && g.encloses(from.outer, reader) && g.encloses(reader, from.outer)
}
