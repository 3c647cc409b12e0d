package workflowfile_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
	"pgregory.net/rapid"
)

func TestEveryWorkflowReadsBackAsItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := generator{T: t}
		for range rapid.IntRange(1, 6).Draw(t, "blocks") {
			g.block(0)
		}
		if rapid.Bool().Draw(t, "say where it starts") {
			g.start()
		}
		w, err := workflow.New(g.name("workflow"), g.functions)
		if err != nil {
			t.Fatalf("the generator makes nonsense: %v", err)
		}
		var text textBuffer
		if err := workflowfile.Write(&text, w, workflowfile.Options{}); err != nil {
			t.Fatal(err)
		}
		again, err := workflowfile.Parse("w.yaml", text)
		if err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		if !reflect.DeepEqual(w, again) {
			t.Fatalf("it reads back as\n%+v\nnot as\n%+v\nfrom:\n%s", again, w, text)
		}
	})
}

type textBuffer []byte

func (b *textBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// generator makes random workflows that are valid.
type generator struct {
	*rapid.T
	functions []workflow.Function
	free      []workflow.FunctionID // outside any foreach, in an order of control
}

func (g *generator) name(what string) string {
	base := rapid.SampledFrom([]string{"a", "count", "null", "x.y", "true", "1.5", "with space", "ä", "a: b", "#", "'", `"`, "-", "[x]", "~", "0x1F", "1e3", "\n", "*a"}).Draw(g.T, what)
	return fmt.Sprintf("%s_%d", base, len(g.functions))
}

// add adds a task after the given functions, which it may read from.
func (g *generator) add(after ...workflow.FunctionID) workflow.FunctionID {
	id := workflow.FunctionID(len(g.functions))
	f := workflow.Function{
		Name:          g.name("function"),
		Compute:       g.distribution("compute", 1e12),
		CPU:           rapid.SampledFrom([]float64{0, 1, 0.5, 2}).Draw(g.T, "cpu"),
		Memory:        rapid.SampledFrom([]int64{0, 256 << 20, 1e9, 12345}).Draw(g.T, "memory"),
		MaxContainers: rapid.IntRange(0, 3).Draw(g.T, "max containers"),
	}
	if rapid.Bool().Draw(g.T, "explicit") {
		f.After = append(f.After, after...)
	}
	for _, p := range after {
		for o, output := range g.functions[p].Outputs {
			if !output.List && (f.After == nil || rapid.Bool().Draw(g.T, "read")) {
				f.Inputs = append(f.Inputs, workflow.Input{From: p, Output: int32(o)})
			}
		}
	}
	for range rapid.IntRange(0, 2).Draw(g.T, "global inputs") {
		f.Inputs = append(f.Inputs, workflow.Input{From: workflow.GlobalInput, Size: rapid.Int64Range(0, 1e12).Draw(g.T, "size")})
	}
	for range rapid.IntRange(0, 3).Draw(g.T, "outputs") {
		f.Outputs = append(f.Outputs, workflow.Output{
			Name:     fmt.Sprintf("%s_%d", g.name("output"), len(f.Outputs)),
			Size:     g.distribution("size", 1e12),
			PostedAt: rapid.SampledFrom([]float64{1, 0, 0.5, 1.0 / 3}).Draw(g.T, "posted at"),
		})
	}
	if rapid.Bool().Draw(g.T, "planning") {
		p := workflow.Planning{
			Compute:     rapid.SampledFrom([]float64{0, 1e9, 1.25}).Draw(g.T, "planned compute"),
			OutputBytes: rapid.SampledFrom([]float64{0, 1e6, 0.5}).Draw(g.T, "planned bytes"),
			SplitRatio:  rapid.SampledFrom([]float64{0, 3, 2.5}).Draw(g.T, "planned ratio"),
			Containers:  rapid.SampledFrom([]int{0, 3, -1}).Draw(g.T, "planned containers"),
			MemoryUsed:  rapid.SampledFrom([]float64{0, 0.25, 1.0 / 3}).Draw(g.T, "planned memory"),
		}
		if p != (workflow.Planning{}) {
			f.Planning = &p
		}
	}
	g.functions = append(g.functions, f)
	return id
}

func (g *generator) distribution(what string, limit float64) workflow.Distribution {
	value := func() float64 {
		if rapid.Bool().Draw(g.T, "whole") {
			return float64(rapid.Int64Range(1, int64(limit)).Draw(g.T, what))
		}
		return rapid.Float64Range(1e-9, limit).Draw(g.T, what)
	}
	switch shape := workflow.Shape(rapid.IntRange(0, 8).Draw(g.T, "shape")); shape {
	case workflow.ShapeConstant, workflow.ShapeExponential:
		return workflow.Distribution{Shape: shape, A: value()}
	case workflow.ShapeUniform:
		a, b := value(), value()
		return workflow.Distribution{Shape: shape, A: min(a, b), B: max(a, b)}
	case workflow.ShapePareto:
		return workflow.Distribution{Shape: shape, A: value(), B: rapid.Float64Range(1.001, 100).Draw(g.T, "tail")}
	case workflow.ShapeEmpirical, workflow.ShapeByItem:
		return workflow.Distribution{Shape: shape, Values: []float64{value(), value()}}
	case workflow.ShapeEachItem:
		uniform := workflow.Distribution{Shape: workflow.ShapeUniform, A: value()}
		uniform.B = uniform.A
		return workflow.EachItem(workflow.Constant(value()), uniform, workflow.Exponential(value()))
	default:
		mean := value()
		return workflow.Distribution{Shape: shape, A: mean, B: mean * rapid.Float64Range(0, 10).Draw(g.T, "spread")}
	}
}

// start marks the functions without predecessors.
func (g *generator) start() {
	target := map[workflow.FunctionID]bool{}
	for i := range g.functions {
		for _, b := range g.functions[i].Branches {
			for _, to := range b.To {
				target[to] = true
			}
		}
	}
	for i := range g.functions {
		f := &g.functions[i]
		reads := slices.ContainsFunc(f.Inputs, func(in workflow.Input) bool { return in.From != workflow.GlobalInput })
		f.Start = f.After == nil && !reads && f.Foreach == nil && !target[workflow.FunctionID(i)]
	}
}

// block adds a task, a foreach with its merge, or a switch.
func (g *generator) block(depth int) {
	var after []workflow.FunctionID
	for _, p := range g.free {
		if len(after) < 3 && rapid.Bool().Draw(g.T, "after") {
			after = append(after, p)
		}
	}
	first := g.add(after...)
	opener := &g.functions[first]
	if len(opener.After) > 1 && rapid.Bool().Draw(g.T, "the first triggers it") {
		opener.Join = workflow.JoinFirst
		opener.Inputs = slices.DeleteFunc(opener.Inputs, func(in workflow.Input) bool { return in.From != workflow.GlobalInput })
		if len(opener.Inputs) == 0 {
			opener.Inputs = nil
		}
	}
	switch rapid.IntRange(0, 3).Draw(g.T, "block") {
	case 0:
		opener.Outputs = append(opener.Outputs, workflow.Output{
			Name: "the list", List: true, PostedAt: 1,
			Items: workflow.Constant(float64(rapid.IntRange(1, 9).Draw(g.T, "items"))), Size: g.distribution("size", 1e9),
		})
		list := int32(len(opener.Outputs) - 1)
		inside := g.add(first)
		g.functions[inside].Foreach = &workflow.OutputRef{Function: first, Output: list}
		if rapid.Bool().Draw(g.T, "read the item") {
			g.functions[inside].Inputs = append([]workflow.Input{{From: first, Output: list}}, g.functions[inside].Inputs...)
		}
		if rapid.Bool().Draw(g.T, "two inside") {
			second := g.add(inside)
			g.functions[second].After = []workflow.FunctionID{inside}
			inside = second
		}
		merge := g.add(inside)
		g.functions[merge].After = []workflow.FunctionID{inside}
		g.functions[merge].Merge = true
		g.free = append(g.free, merge)
	case 1:
		choose := workflow.FunctionID(len(g.functions))
		g.functions = append(g.functions, workflow.Function{
			Name: g.name("switch"), Kind: workflow.Switch, After: []workflow.FunctionID{first},
		})
		left := g.add(first)
		g.functions[left].After = nil
		end := workflow.FunctionID(len(g.functions))
		g.functions = append(g.functions, workflow.Function{Name: g.name("end"), Kind: workflow.End})
		g.functions[choose].Branches = []workflow.Branch{
			{Name: g.name("branch"), To: []workflow.FunctionID{left}, Probability: 0.75},
			{To: []workflow.FunctionID{end, left}, Probability: 0.25},
		}
		g.free = append(g.free, left)
	default:
		g.free = append(g.free, first)
	}
}
