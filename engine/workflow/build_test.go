package workflow_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// build reads a workflow as enginetest.Workflow does.
func build(t testing.TB, text string) *workflow.Workflow {
	t.Helper()
	w, err := enginetest.Workflow("flow", text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func id(t testing.TB, w *workflow.Workflow, name string) workflow.FunctionID {
	t.Helper()
	f, known := w.Function(name)
	if !known {
		t.Fatalf("there is no function %s", name)
	}
	return f
}

func names(w *workflow.Workflow, functions []workflow.FunctionID) string {
	var text []string
	for _, f := range functions {
		text = append(text, w.Functions[f].Name)
	}
	return strings.Join(text, " ")
}

// What is wrong with the graph is said with the function, the field and what
// to do.
func TestGraphsThatCannotRun(t *testing.T) {
	long := "f0 1ms after=f19\n"
	for i := 1; i < 20; i++ {
		long += fmt.Sprintf("f%d 1ms after=f%d\n", i, i-1)
	}
	deep := "f0 1ms list=1\n"
	for i := 1; i <= workflow.MaxNesting+1; i++ {
		deep += fmt.Sprintf("f%d 1ms list=1 foreach=f%d\n", i, i-1)
	}
	for _, test := range []struct{ name, text, want string }{
		{"it triggers itself", `
			a 1ms after=a`,
			"a: it is part of a cycle: a → a"},
		{"a cycle, with its path", `
			start 1ms
			a 1ms after=start,c
			b 1ms after=a
			c 1ms after=b
			end 1ms after=c`,
			"a: it is part of a cycle: a → b → c → a"},
		{"a cycle of data", `
			a 1ms reads=b
			b 1ms reads=a`,
			"a: it is part of a cycle: a → b → a"},
		{"a cycle through a switch", `
			a 1ms after=choose
			choose switch after=a a:0.5 out:0.5
			out end`,
			"a: it is part of a cycle: a → choose → a"},
		{"a long cycle is shortened", long,
			"f0: it is part of a cycle: f0 → f1 → f2 → f3 → f4 → f5 → … → f16 → f17 → f18 → f19 → f0"},
		{"a switch does not trigger it", `
			choose switch a:1
			a 1ms
			b 1ms after=choose`,
			"b.after: it is unreachable: the switch choose triggers only what its branches name, so name b in one of them"},
		{"a merge of nothing", `
			a 1ms list=2
			b 1ms merge after=a`,
			"b.merge: none of its predecessors is inside a foreach, so there is nothing to merge"},
		{"a merge outside, of what has been merged", `
			a 1ms list=2
			b 1ms foreach=a
			c 1ms merge after=b
			d 1ms merge after=c`,
			"d.merge: none of its predecessors is inside a foreach, so there is nothing to merge"},
		{"triggered from inside a foreach, without a merge", `
			a 1ms list=2
			b 1ms foreach=a
			c 1ms
			d 1ms after=b,c`,
			"d.after: c is outside the foreach over a.out that this function is in: it cannot trigger single instances; let a come after it, or merge first"},
		{"single instances triggered from outside", `
			a 1ms list=2
			b 1ms foreach=a
			c 1ms after=a,b`,
			"c.after: a is outside the foreach over a.out that this function is in: it cannot trigger single instances; let a come after it, or merge first"},
		{"a foreach entered by a switch", `
			a 1ms list=2
			choose switch after=a b:0.5 c:0.5
			b 1ms foreach=a
			c end`,
			"b.after: choose is outside the foreach over a.out that this function is in: it cannot trigger single instances; let a come after it, or merge first"},
		{"overlapping foreach regions", `
			a 1ms list=2
			b 1ms list=2
			c 1ms foreach=a
			d 1ms foreach=b
			e 1ms after=c,d`,
			"e.after: d is inside the foreach over b.out, this function is not: mark it as a merge, or merge first"},
		{"a foreach over a list from outside the region", `
			a 1ms list=2
			b 1ms list=2
			c 1ms foreach=a
			d 1ms foreach=b after=c`,
			"d.after: c is inside the foreach over a.out, this function is not: mark it as a merge, or merge first"},
		{"the same, the list coming last", `
			a 1ms list=2
			c 1ms foreach=a
			b 1ms list=2
			d 1ms foreach=b after=c`,
			"d.after: c is inside the foreach over a.out, this function is not: mark it as a merge, or merge first"},
		{"a merge through two levels", `
			a 1ms list=2
			b 1ms list=2 foreach=a
			c 1ms foreach=b
			d 1ms merge after=a,c`,
			"d.merge: it closes the foreach over b.out and is still inside the one over a.out, which a is not in: close that with a merge of its own"},
		{"a merge of regions inside different ones", `
			a 1ms list=2
			b 1ms list=2 foreach=a
			c 1ms foreach=b
			x 1ms list=2
			y 1ms list=2 foreach=x
			z 1ms foreach=y
			d 1ms merge after=c,z`,
			"d.merge: z is inside the foreach over y.out, which is not next to that over b.out: close it with a merge of its own"},
		{"nesting without end", deep,
			"f9.foreach: foreach regions nest deeper than 8 levels"},
		{"a branch that leaves the foreach", `
			a 1ms list=2
			choose switch foreach=a b:0.5 c:0.5
			b 1ms
			c 1ms merge after=b`,
			"choose.switch[1].to[0]: c is outside the foreach over a.out: let the branch lead to a function inside (of kind end, if there is nothing to do), and c come after that"},
		{"data of a function that may not have ended", `
			a 1ms
			b 1ms
			c 1ms after=a reads=b`,
			"c.inputs[0]: b has not surely ended when this function is triggered: add it to after"},
		{"data of a later function", `
			a 1ms
			b 1ms after=a reads=c
			c 1ms after=b`,
			"b.inputs[0]: c has not surely ended when this function is triggered: add it to after"},
		{"its own data", `
			a 1ms
			b 1ms after=a reads=b`,
			"b.inputs[0]: b has not surely ended when this function is triggered: add it to after"},
		{"data of another foreach", `
			a 1ms list=2
			b 1ms list=2 after=a
			c 1ms foreach=a
			d 1ms foreach=b reads=c`,
			"d.after: c is inside the foreach over a.out, this function is not: mark it as a merge, or merge first"},
		{"data of a merged foreach, in another", `
			a 1ms list=2
			c 1ms foreach=a
			b 1ms list=2 merge after=c
			d 1ms foreach=b
			e 1ms after=d reads=c`,
			"e.inputs[0]: c is in another foreach region: hand the data on through a merge"},
		{"all lists of all instances", `
			a 1ms list=2
			b 1ms list=2 foreach=a
			c 1ms merge after=b reads=b`,
			"c.inputs[0]: it would read all lists of all instances of b: let a function in the foreach read the list first"},
		{"the first of one", `
			a 1ms
			b 1ms after=a first`,
			"b.join: only a triggers it, so there is no first of several: leave join out, or name more functions"},
		{"the first of none", `
			a 1ms first`,
			"a.join: no function triggers it, so there is no first of several: leave join out, or name more functions"},
		{"data of one of several, of which the first wins", `
			a 1ms
			b 1ms
			c 1ms after=a,b reads=b first`,
			"c.inputs[0]: b has not surely ended when another function is the first to trigger this one: let all that trigger it come after b, or let it wait for all (join: all)"},
		{"the same, the control edges being those of the data", `
			a 1ms
			b 1ms after=a
			c 1ms reads=a,b first`,
			"c.inputs[1]: b has not surely ended when another function is the first to trigger this one: let all that trigger it come after b, or let it wait for all (join: all)"},
		{"data of one of several, through a function of which the first wins", `
			a 1ms
			b 1ms
			c 1ms after=a,b first
			d 1ms after=c
			e 1ms after=d reads=a`,
			"e.inputs[0]: a has not surely ended when this function is triggered: add it to after"},
		{"data of a foreach that may not be the first to end", `
			a 1ms list=2
			b 1ms foreach=a
			c 1ms after=a
			d 1ms merge after=b,c reads=b first`,
			"d.inputs[0]: b has not surely ended when another function is the first to trigger this one: let all that trigger it come after b, or let it wait for all (join: all)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := enginetest.Workflow("flow", strings.ReplaceAll(test.text, "\t", ""))
			if err == nil || err.Error() != test.want {
				t.Errorf("\n got %v\nwant %s", err, test.want)
			}
		})
	}
}

// Every number is checked, and every reference.
func TestFunctionsThatMakeNoSense(t *testing.T) {
	list := workflow.Output{Name: "list", List: true, Items: workflow.Constant(2), PostedAt: 1}
	datum := workflow.Output{Name: "datum", PostedAt: 1}
	bad := workflow.Distribution{A: -1}
	branch := func(p float64, to ...workflow.FunctionID) workflow.Branch {
		return workflow.Branch{To: to, Probability: p}
	}
	choose := func(branches ...workflow.Branch) workflow.Function {
		return workflow.Function{Name: "f", Kind: workflow.Switch, Branches: branches}
	}
	// f is checked together with a function "other" with two outputs, number 1.
	for _, test := range []struct {
		name string
		f    workflow.Function
		want string
	}{
		{"no name", workflow.Function{}, "function 0 has no name"},
		{"a name twice", workflow.Function{Name: "other"}, "other: there are two functions of this name"},
		{"no such kind", workflow.Function{Name: "f", Kind: 3}, "f.kind: there is no kind 3"},
		{"compute", workflow.Function{Name: "f", Compute: bad}, "f.compute: -1 is not a finite number of at least 0"},
		{"no such join", workflow.Function{Name: "f", Join: 2}, "f.join: there is no join 2"},
		{"no cores", workflow.Function{Name: "f", CPU: -1}, "f.cpu: -1 cores: it must be a finite number of at least 0"},
		{"undefined cores", workflow.Function{Name: "f", CPU: math.NaN()}, "f.cpu: NaN cores: it must be a finite number of at least 0"},
		{"memory", workflow.Function{Name: "f", Memory: -1}, "f.memory: -1 bytes: it must be at least 0"},
		{"cap", workflow.Function{Name: "f", MaxContainers: -1}, "f.max_containers: -1: it must be at least 0 (0: no cap)"},
		{"planning", workflow.Function{Name: "f", Planning: &workflow.Planning{SplitRatio: math.Inf(1)}}, "f.planning: its numbers must be finite and at least 0"},

		{"output without a name", workflow.Function{Name: "f", Outputs: []workflow.Output{{}}}, "f.outputs: an output has no name"},
		{"output twice", workflow.Function{Name: "f", Outputs: []workflow.Output{datum, datum}}, "f.outputs.datum: there are two outputs of this name"},
		{"size", workflow.Function{Name: "f", Outputs: []workflow.Output{{Name: "o", Size: bad}}}, "f.outputs.o.size: -1 is not a finite number of at least 0"},
		{"items", workflow.Function{Name: "f", Outputs: []workflow.Output{{Name: "o", Items: bad}}}, "f.outputs.o.items: -1 is not a finite number of at least 0"},
		{"posted late", workflow.Function{Name: "f", Outputs: []workflow.Output{{Name: "o", PostedAt: 1.5}}}, "f.outputs.o.posted_at: 1.5 is not a fraction between 0 and 1"},
		{"posted never", workflow.Function{Name: "f", Outputs: []workflow.Output{{Name: "o", PostedAt: math.NaN()}}}, "f.outputs.o.posted_at: NaN is not a fraction between 0 and 1"},

		{"after nobody", workflow.Function{Name: "f", After: []workflow.FunctionID{2}}, "f.after[0]: there is no function 2"},
		{"after a global input", workflow.Function{Name: "f", After: []workflow.FunctionID{workflow.GlobalInput}}, "f.after[0]: there is no function -1"},
		{"after twice", workflow.Function{Name: "f", After: []workflow.FunctionID{1, 1}}, "f.after[1]: other is named twice"},
		{"input of nobody", workflow.Function{Name: "f", Inputs: []workflow.Input{{From: 5}}}, "f.inputs[0]: there is no output 0 of function 5"},
		{"input of no output", workflow.Function{Name: "f", Inputs: []workflow.Input{{From: 1}, {From: 1, Output: 2}}}, "f.inputs[1]: there is no output 2 of function 1"},
		{"global input", workflow.Function{Name: "f", Inputs: []workflow.Input{{From: workflow.GlobalInput, Size: -1}}}, "f.inputs[0]: -1 bytes: it must be at least 0"},

		{"foreach of nobody", workflow.Function{Name: "f", Foreach: &workflow.OutputRef{Function: -1}}, "f.foreach: there is no output 0 of function -1"},
		{"foreach of no output", workflow.Function{Name: "f", Foreach: &workflow.OutputRef{Function: 1, Output: -1}}, "f.foreach: there is no output -1 of function 1"},
		{"foreach of one datum", workflow.Function{Name: "f", Foreach: &workflow.OutputRef{Function: 1, Output: 1}}, "f.foreach: other.datum is not a list: give it a number of items"},
		{"foreach that merges", workflow.Function{Name: "f", Foreach: &workflow.OutputRef{Function: 1}, Merge: true}, "f.merge: a function can open a foreach or close one, not both: put a function between"},

		{"no branches", choose(), "f.switch: it has no branches"},
		{"branch to nobody", choose(branch(1, 7)), "f.switch[0].to[0]: there is no function 7"},
		{"branch twice to one", choose(branch(1, 1, 1)), "f.switch[0].to[1]: other is named twice"},
		{"branch to nothing", choose(branch(0.5, 1), branch(0.5)), "f.switch[1].to: the branch leads nowhere: name a function (one of kind end, if there is nothing to do)"},
		{"improbable", choose(branch(1.5, 1), branch(-0.5, 1)), "f.switch[1].probability: -0.5: it must be between 0 and 1"},
		{"too probable", choose(branch(0.75, 1), branch(0.75, 1)), "f.switch: the probabilities of the branches add up to 1.5, not to 1"},
		{"branches of a task", workflow.Function{Name: "f", Branches: []workflow.Branch{branch(1, 1)}}, "f.switch: only a function of kind switch has branches"},
		{"outputs of an end", workflow.Function{Name: "f", Kind: workflow.End, Outputs: []workflow.Output{datum}}, "f.outputs: a function of kind end runs nothing, so it has no outputs"},

		{"starts late", workflow.Function{Name: "f", Start: true, After: []workflow.FunctionID{1}}, "f: the workflow starts with it, yet it comes after other\nother: it is unreachable: nothing triggers it, and the workflow does not start with it"},
		{"starts alone", workflow.Function{Name: "f", Start: true}, "other: it is unreachable: nothing triggers it, and the workflow does not start with it"},
		{"all is reported", workflow.Function{Name: "f", CPU: -1, Memory: -1}, "f.cpu: -1 cores: it must be a finite number of at least 0\nf.memory: -1 bytes: it must be at least 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := workflow.New("flow", []workflow.Function{test.f, {Name: "other", Outputs: []workflow.Output{list, datum}}})
			var problems workflow.Problems
			if !errors.As(err, &problems) || err.Error() != test.want {
				t.Errorf("\n got %v\nwant %s", err, test.want)
			}
		})
	}
	if _, err := workflow.New("flow", nil); err == nil || err.Error() != ".functions: a workflow needs at least one function" {
		t.Error(err)
	}
	nan := choose(branch(math.NaN(), 1))
	if _, err := workflow.New("flow", []workflow.Function{nan, {Name: "other"}}); err == nil {
		t.Error("a branch has an undefined probability")
	}
}

// Whatever the description, New returns a workflow or says what is wrong, and
// a workflow that it returns is in order.
func TestNewNeverPanics(t *testing.T) {
	made := 0
	for seed := range uint64(20_000) {
		dice := &enginetest.Dice{State: seed}
		if w, err := workflow.New("w", anything(dice.Roll)); err == nil {
			made++
			checkOrder(t, w)
		}
	}
	if made < 200 {
		t.Errorf("of all that was tried, %d are workflows: that shows little", made)
	}
}

func FuzzNew(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Add([]byte("some functions, at random"))
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := workflow.New("w", anything(func(n int) int {
			if len(data) == 0 {
				return 0
			}
			x := int(data[0]) % n
			data = data[1:]
			return x
		}))
		if err == nil {
			checkOrder(t, w)
		}
	})
}

// anything makes functions by choices, each a number below n. Most references
// are to something that exists, and most numbers are in order, so that all
// checks have something to do; nothing else makes sense.
func anything(choose func(n int) int) []workflow.Function {
	functions := make([]workflow.Function, choose(9))
	rarely := func() bool { return choose(64) == 63 }
	number := func() float64 {
		if rarely() {
			return []float64{-1, math.NaN(), math.Inf(1), 1e300}[choose(4)]
		}
		return float64(choose(3))
	}
	// reference returns an earlier function, mostly.
	reference := func(at int) workflow.FunctionID {
		if rarely() {
			return workflow.FunctionID(choose(12) - 2)
		}
		return workflow.FunctionID(choose(max(at, 1)))
	}
	output := func(of workflow.FunctionID) int32 {
		if rarely() || of < 0 || int(of) >= len(functions) {
			return int32(choose(4) - 1)
		}
		return int32(choose(max(1, len(functions[of].Outputs))))
	}
	for i := range functions {
		f := &functions[i]
		f.Name, f.Merge, f.Start = fmt.Sprint(i), choose(8) == 7, rarely()
		if f.Kind = workflow.Kind(max(0, choose(8)-5)); rarely() {
			f.Kind, f.Name = workflow.Kind(choose(256)), ""
		}
		f.Compute = workflow.Distribution{Shape: workflow.Shape(max(0, choose(64)-54)), A: number(), B: number()}
		f.CPU = number()
		for range choose(3) {
			if to := reference(i); !slices.Contains(f.After, to) || rarely() {
				f.After = append(f.After, to)
			}
		}
		for range choose(3) {
			if from := reference(i); rarely() || from >= 0 && int(from) < i && len(functions[from].Outputs) > 0 {
				f.Inputs = append(f.Inputs, workflow.Input{From: from, Output: output(from)})
			}
		}
		if f.Kind == workflow.Task || rarely() {
			for o := range choose(3) {
				f.Outputs = append(f.Outputs, workflow.Output{
					Name: fmt.Sprint(o), List: choose(3) > 0, Items: workflow.Constant(number()), Size: workflow.Constant(number()), PostedAt: 1,
				})
			}
		}
		if choose(3) == 2 && !f.Merge || rarely() {
			if over := reference(i); rarely() || over >= 0 && int(over) < i && len(functions[over].Outputs) > 0 {
				f.Foreach = &workflow.OutputRef{Function: over, Output: output(over)}
			}
		}
		if f.Kind == workflow.Switch || rarely() {
			n := 1 + choose(2)
			for range n {
				b := workflow.Branch{Probability: 1 / float64(n)}
				for range 1 + choose(2) {
					to := min(i+1+choose(3), len(functions)-1)
					if rarely() || !slices.Contains(b.To, workflow.FunctionID(to)) {
						b.To = append(b.To, workflow.FunctionID(to))
					}
				}
				f.Branches = append(f.Branches, b)
			}
		}
	}
	return functions
}

// checkOrder makes sure of what the fields of a workflow promise.
func checkOrder(t interface{ Fatalf(string, ...any) }, w *workflow.Workflow) {
	position := map[workflow.FunctionID]int{}
	for i, f := range w.Order {
		position[f] = i
	}
	if len(position) != len(w.Functions) {
		t.Fatalf("the order %v is not of all %d functions", w.Order, len(w.Functions))
	}
	for i := range w.Functions {
		f, id := &w.Functions[i], workflow.FunctionID(i)
		if int(w.Indegree[i]) != len(f.After) || slices.Contains(w.Starts, id) != (len(f.After) == 0) {
			t.Fatalf("%s comes after %v: its in-degree is %d, starts are %v", f.Name, f.After, w.Indegree[i], w.Starts)
		}
		for _, p := range f.After {
			if position[p] >= position[id] || !slices.Contains(w.Functions[p].Next, id) {
				t.Fatalf("%s comes after %d, whose successors are %v; order %v", f.Name, p, w.Functions[p].Next, w.Order)
			}
		}
		s := &w.Scopes[f.Scope]
		if s.Functions[f.Local] != id || f.Gather >= 0 && s.Gatherers[f.Gather] != id {
			t.Fatalf("%s is number %d of %v, gatherer %d of %v", f.Name, f.Local, s.Functions, f.Gather, s.Gatherers)
		}
		if f.Foreach != nil && (s.Over != *f.Foreach || !slices.Contains(s.Entries, id)) {
			t.Fatalf("%s iterates over %v, its scope over %v", f.Name, *f.Foreach, s.Over)
		}
	}
	for i := range w.Scopes {
		s := &w.Scopes[i]
		if i > 0 && (s.Depth != w.Scopes[s.Parent].Depth+1 || w.Scopes[s.Parent].Children[s.Child] != workflow.ScopeID(i) || s.Depth > workflow.MaxNesting) {
			t.Fatalf("scope %d: %+v in %+v", i, *s, w.Scopes[s.Parent])
		}
	}
	w.CriticalPath()
	if total := w.TotalBytes(); math.IsNaN(total.Read) || math.IsNaN(total.Written) {
		t.Fatalf("total bytes %+v", total)
	}
}
