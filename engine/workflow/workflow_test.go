package workflow_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// edges shows the control edges of a workflow.
func edges(w *workflow.Workflow) string {
	var text []string
	for f := range w.Functions {
		if next := w.Functions[f].Next; len(next) > 0 {
			text = append(text, w.Functions[f].Name+" → "+names(w, next))
		}
	}
	return strings.Join(text, "; ")
}

// A function comes after those it reads from, unless it says after.
func TestControlEdges(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"of data", "a 1ms\nb 1ms reads=a\nc 1ms reads=a,b", "a → b c; b → c"},
		{"said", "a 1ms\nb 1ms after=a\nc 1ms after=b reads=a", "a → b; b → c"},
		{"both are one", "a 1ms\nb 1ms after=a reads=a", "a → b"},
		{"of a foreach", "a 1ms list=2\nb 1ms foreach=a", "a → b"},
		{"of a branch, in the order of the branches", "s switch c:0.5 b:0.5\nb 1ms\nc 1ms", "s → c b"},
		{"of branches to one function", "s switch b:0.5 b:0.5\nb 1ms", "s → b"},
		{"a branch says it all: what is read adds nothing", "a 1ms\ns switch after=a b:1\nb 1ms reads=a", "a → s; s → b"},
		{"to a function further up", "b 1ms reads=a\na 1ms", "a → b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := build(t, test.text)
			if got := edges(w); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			checkOrder(t, w)
		})
	}
}

// A function that the first of several triggers may read what has ended
// whichever that is.
func TestWhatTheFirstToTriggerMakesSure(t *testing.T) {
	for _, text := range []string{
		"a 1ms\nb 1ms after=a\nc 1ms after=a\nd 1ms after=b,c reads=a first",                                         // before both
		"a 1ms\nb 1ms after=a\nc 1ms after=a,b reads=a first",                                                        // one of both, and before the other
		"a 1ms\nb 1ms after=a\nc 1ms after=a\nd 1ms after=b,c first\ne 1ms after=d reads=a",                          // through it
		"a 1ms\nb 1ms after=a\nc 1ms after=a\nd 1ms after=b,c first\ne 1ms after=b,d reads=b",                        // around it
		"a 1ms\nb 1ms after=a\nc 1ms after=a\nd 1ms after=b,c first\ne 1ms after=a,b\nf 1ms after=d,e first reads=a", // through two of them
		"a 1ms list=2\nb 1ms foreach=a\nc 1ms merge after=b\nd 1ms merge after=b,c reads=b first",                    // of a foreach that is merged
		"a 1ms list=2\nb 1ms foreach=a\nc 1ms foreach=a after=b reads=a first",                                       // the item
	} {
		build(t, text)
	}
}

const nested = `
split 1ms list=2
each 1ms foreach=split list=3
other 1ms foreach=split
inner 1ms foreach=each reads=each
deep 1ms after=inner reads=split
close 1ms merge after=deep,other reads=deep
tail 1ms after=close reads=close
end 1ms merge after=tail,other reads=tail`

// A scope is what lies between a foreach and the merge that closes it.
func TestScopes(t *testing.T) {
	w := build(t, nested)
	type scope struct{ functions, entries, gatherers, over string }
	var got []scope
	for i := range w.Scopes {
		s := &w.Scopes[i]
		over := ""
		if s.Over.Function >= 0 {
			over = w.Functions[s.Over.Function].Name
		}
		got = append(got, scope{names(w, s.Functions), names(w, s.Entries), names(w, s.Gatherers), over})
	}
	want := []scope{
		{"split end", "", "", ""},
		{"each other close tail", "each other", "other tail", "split"},
		{"inner deep", "inner", "deep", "each"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if w.Scopes[0].Parent != -1 || w.Scopes[1].Parent != 0 || w.Scopes[2].Parent != 1 || w.Scopes[2].Depth != 2 {
		t.Errorf("%+v", w.Scopes)
	}
	for name, want := range map[string]int32{"split": 0, "each": 1, "inner": 1, "close": 2, "end": 2} {
		if got := w.Indegree[id(t, w, name)]; got != want {
			t.Errorf("%s has %d predecessors, want %d", name, got, want)
		}
	}
	checkOrder(t, w)
}

// Functions that iterate over the same list share a region, and two regions
// may share a merge.
func TestRegionsSideBySide(t *testing.T) {
	w := build(t, `
a 1ms list=2
b 1ms foreach=a
c 1ms foreach=a after=b
x 1ms list=2
y 1ms foreach=x
end 1ms merge after=c,y`)
	if len(w.Scopes) != 3 || names(w, w.Scopes[1].Entries) != "b c" || names(w, w.Scopes[2].Gatherers) != "y" || w.Indegree[id(t, w, "c")] != 2 {
		t.Errorf("%+v", w.Scopes)
	}
	checkOrder(t, w)
}

// What an instance reads depends on where its function is.
func TestAccess(t *testing.T) {
	w := build(t, nested)
	access := func(name string, want workflow.Access) workflow.Input {
		t.Helper()
		f := id(t, w, name)
		if got := w.Functions[f].Inputs[0].Access; got != want {
			t.Errorf("%s has access %d, want %d", name, got, want)
		}
		return w.Functions[f].Inputs[0]
	}
	inner := access("inner", workflow.AccessItem)
	deep := access("deep", workflow.AccessItem) // that of the outer foreach
	access("close", workflow.AccessGather)
	access("tail", workflow.AccessSame)
	access("end", workflow.AccessGather)
	if level := w.ItemLevel(id(t, w, "inner"), inner); level != 1 {
		t.Errorf("inner reads the item of level %d", level)
	}
	if level := w.ItemLevel(id(t, w, "deep"), deep); level != 0 {
		t.Errorf("deep reads the item of level %d", level)
	}
	w = build(t, "a 1ms list=2\nb 1ms reads=a\nc 1ms list=2 reads=b\nd 1ms foreach=c reads=c\ne 1ms after=d reads=a,b")
	access("b", workflow.AccessAllItems)
	access("d", workflow.AccessItem)
	access("e", workflow.AccessAllItems) // a list, but not the one iterated over
	if got := w.Functions[id(t, w, "e")].Inputs[1].Access; got != workflow.AccessSame {
		t.Errorf("one datum from outside the foreach: access %d", got)
	}
}

// skips shows what becomes dead: "f×2" are two edges into f, "[f]" one
// instance of f among those that a merge waits for.
func skips(w *workflow.Workflow, all []workflow.Skip) string {
	var text []string
	for _, s := range all {
		name := w.Functions[s.Function].Name
		if s.Gather {
			name = "[" + name + "]"
		} else if s.Edges > 1 {
			name += fmt.Sprintf("×%d", s.Edges)
		}
		text = append(text, name)
	}
	return strings.Join(text, " ")
}

// Dead paths end at the next join that may still be reached otherwise.
func TestSkips(t *testing.T) {
	for _, test := range []struct {
		name, text string
		// branches: "switch:branch taken" or "function skipped" and what is dead
		want map[string]string
	}{
		{"a join behind a switch", `
			s switch left:0.5 right:0.5
			left 1ms
			right 1ms
			join 1ms after=left,right`,
			map[string]string{"s:0": "join", "s:1": "join"}},
		{"a long way to the join, and several ways", `
			s switch a:0.5 b:0.5
			a 1ms
			a1 1ms after=a
			a2 1ms after=a
			a3 1ms after=a1,a2
			b 1ms
			join 1ms after=a2,a3,b`,
			map[string]string{"s:0": "join", "s:1": "join×2"}},
		{"a branch to the join itself", `
			s switch a:0.5 join:0.5
			a 1ms
			join 1ms after=a`,
			map[string]string{"s:0": "join", "s:1": "join"}},
		{"a function that both branches name is not dead", `
			s switch a:0.5 a:0.5
			a 1ms
			b 1ms after=a`,
			map[string]string{"s:0": "", "s:1": ""}},
		{"nothing behind", `
			s switch a:0.5 b:0.5
			a 1ms
			b end`,
			map[string]string{"s:0": "", "s:1": ""}},
		{"as in the recognizer: a join behind two switches", `
			start 1ms
			first switch after=start work:0.5 mosaic:0.5
			work 1ms
			second switch after=work mosaic:0.5 done:0.5
			mosaic 1ms
			done end`,
			// With the first branch taken, the second switch still decides; it
			// is dead with the other.
			map[string]string{"first:0": "mosaic", "first:1": "mosaic", "second:0": "", "second:1": "mosaic", "mosaic": ""}},
		{"nested switches", `
			outer switch inner:0.5 join:0.5
			inner switch a:0.5 b:0.5
			a 1ms
			b 1ms
			join 1ms after=a,b`,
			map[string]string{"outer:0": "join", "outer:1": "join×2", "inner:0": "join", "inner:1": "join"}},
		{"a join that is skipped", `
			s switch a:0.5 b:0.5
			a 1ms
			b 1ms
			t switch after=b c:1
			c 1ms
			join 1ms after=a,c
			tail 1ms after=join
			u switch d:0.5 tail:0.5
			d end`,
			map[string]string{"s:0": "join", "s:1": "join", "join": "tail", "u:0": "tail", "tail": ""}},
		{"a switch in a foreach: the merge waits for every instance", `
			split 1ms list=2
			s switch foreach=split a:0.5 b:0.5
			a 1ms
			b 1ms
			end 1ms merge after=a,b`,
			map[string]string{"s:0": "[b]", "s:1": "[a]", "end": ""}},
		{"a join inside a foreach", `
			split 1ms list=2
			s switch foreach=split a:0.5 b:0.5
			a 1ms
			b 1ms
			join 1ms after=a,b
			end 1ms merge after=join,b`,
			map[string]string{"s:0": "[b] join", "s:1": "join", "join": "[join]", "end": ""}},
		{"the first of several is skipped like any other join", `
			s switch a:0.5 b:0.5
			a 1ms
			b 1ms
			c 1ms after=b
			join 1ms after=a,b,c first
			tail 1ms after=join,c first`,
			map[string]string{"s:0": "join×2 tail", "s:1": "join", "join": "tail", "tail": ""}},
		{"a foreach that is skipped as a whole", `
			s switch split:0.5 other:0.5
			split 1ms list=2
			each 1ms foreach=split
			more 1ms foreach=split after=each
			inner 1ms list=2 foreach=split
			deep 1ms foreach=inner
			close 1ms merge after=deep
			other 1ms
			end 1ms merge after=more,close,other`,
			map[string]string{"s:0": "end", "s:1": "end×2"}},
		{"a foreach inside one instance of another", `
			split 1ms list=2
			s switch foreach=split list:0.5 none:0.5
			list 1ms list=2
			deep 1ms foreach=list
			close 1ms merge after=deep
			none end
			end 1ms merge after=close,none`,
			map[string]string{"s:0": "[none]", "s:1": "[close]", "close": "[close]", "end": ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := build(t, strings.ReplaceAll(test.text, "\t", ""))
			for what, want := range test.want {
				name, branch, isBranch := strings.Cut(what, ":")
				var got []workflow.Skip
				if isBranch {
					got = w.DeadByBranch(id(t, w, name), int(branch[0]-'0')).Skips
				} else {
					got = w.DeadBehind(id(t, w, name)).Skips
				}
				if s := skips(w, got); s != want {
					t.Errorf("%s: dead are %q, want %q", what, s, want)
				}
			}
		})
	}
}

func TestCriticalPath(t *testing.T) {
	for _, test := range []struct {
		name, text, path string
		ms               float64
	}{
		{"one function", "a 7ms", "a", 7},
		{"the longer branch", "a 1ms\nb 5ms after=a\nc 9ms after=a\nd 1ms after=b,c", "a c d", 11},
		{"one instance of a foreach", "a 1ms list=8\nb 5ms foreach=a\nc 1ms merge after=b", "a b c", 7},
		{"a start apart", "a 1ms\nb 1ms after=a\nc 3ms", "c", 3},
		{"switches take no time", "a 1ms\ns switch after=a b:0.5 c:0.5\nb 2ms\nc 3ms", "a s c", 4},
		{"what cannot happen is left out", "s switch b:1 c:0\nb 2ms\nc 90ms\nd 1ms after=b,c", "s b d", 3},
		{"of several that wait for the first, the shorter branch", "a 1ms\nb 5ms after=a\nc 9ms after=a\nd 6ms after=b,c first", "a b d", 12},
		{"not one that cannot happen", "s switch b:1 c:0\nb 9ms\nc 2ms\nd 1ms after=b,c first", "s b d", 10},
		{"unless it can happen otherwise", "a 1ms\ns switch b:1 c:0\nb 2ms\nc 90ms after=a", "a c", 91},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := build(t, test.text)
			path, ns := w.CriticalPath()
			if got := names(w, path); got != test.path || ns != test.ms*1e6 {
				t.Errorf("%s of %v ms, want %s of %v ms", got, ns/1e6, test.path, test.ms)
			}
		})
	}
}

// Expected bytes, worked out by hand. An output is 10 B, or 100 B for each
// item of a list.
func TestBytes(t *testing.T) {
	w, err := workflow.New("flow", []workflow.Function{
		{Name: "split", Inputs: []workflow.Input{{From: workflow.GlobalInput, Size: 7}}, Outputs: []workflow.Output{
			{Name: "list", List: true, Items: workflow.Constant(4), Size: workflow.Constant(100)},
			{Name: "datum", Size: workflow.Constant(10)},
		}},
		{Name: "each", Foreach: &workflow.OutputRef{}, Inputs: []workflow.Input{
			{From: 0}, {From: 0, Output: 1}, {From: workflow.GlobalInput, Size: 5},
		}, Outputs: []workflow.Output{
			{Name: "out", Size: workflow.ByItem(10, 20, 30)},
			{Name: "list", List: true, Items: workflow.Constant(2), Size: workflow.Constant(100)},
		}},
		{Name: "deep", Foreach: &workflow.OutputRef{Function: 1, Output: 1}, Inputs: []workflow.Input{
			{From: 1, Output: 1}, {From: 1}, {From: 0},
		}, After: []workflow.FunctionID{1}, Outputs: []workflow.Output{{Name: "out", Size: workflow.ByItem(1, 3)}}},
		{Name: "close", Merge: true, Inputs: []workflow.Input{{From: 2}, {From: 1, Output: 1}}},
		{Name: "end", Merge: true, Inputs: []workflow.Input{{From: 1}, {From: 0}}, After: []workflow.FunctionID{3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		function workflow.FunctionID
		input    int
		want     float64
		why      string
	}{
		{1, 0, 400, "each item is read once"},
		{1, 1, 40, "four instances read the datum"},
		{2, 0, 800, "4 instances post 2 items of 100 B, each is read once"},
		{2, 1, 140, "the outputs of each are 10, 20, 30 and 10 B, and each is read by 2 instances"},
		{2, 2, 800, "2 instances read each item of the outer list"},
		{3, 0, 16, "of 2 instances one posts 1 B and one 3 B, four times"},
		{3, 1, 800, "each of 4 instances reads a whole list"},
		{4, 0, 70, "all instances"},
		{4, 1, 400, "all items"},
	} {
		if got := w.InputBytes(test.function, w.Functions[test.function].Inputs[test.input]); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s.inputs[%d]: %v bytes, want %v: %s", w.Functions[test.function].Name, test.input, got, test.want, test.why)
		}
	}
	want := workflow.Bytes{Written: 410 + 70 + 800 + 16, Read: 400 + 40 + 800 + 140 + 800 + 16 + 800 + 70 + 400, Global: 7 + 4*5}
	if got := w.TotalBytes(); math.Abs(got.Written-want.Written)+math.Abs(got.Read-want.Read) > 1e-9 || got.Global != want.Global {
		t.Errorf("total %+v, want %+v", got, want)
	}
	if got := w.OutputBytes(0); got != 410 {
		t.Errorf("split posts %v bytes", got)
	}
	if got := w.OutputBytes(1); got != 70.0/4+200 {
		t.Errorf("an instance of each posts %v bytes on average", got)
	}
	if got := w.Instances(2); got != 8 {
		t.Errorf("%v instances of deep", got)
	}
}

// A list that is expected to be empty moves nothing.
func TestBytesOfAnEmptyList(t *testing.T) {
	w := build(t, "a 1ms list=0\nb 1ms foreach=a reads=a\nc 1ms after=b reads=b\nd 1ms merge reads=c")
	if got := w.TotalBytes(); got != (workflow.Bytes{Written: 1000}) {
		t.Errorf("%+v", got)
	}
}

func TestPath(t *testing.T) {
	var top workflow.Path
	path := top.Item(3, 8).Item(0, 2)
	for _, test := range []struct {
		got, want any
	}{
		{path.String(), "[3/8][0/2]"},
		{top.String(), ""},
		{path.Depth(), 2},
		{path.Level(0), workflow.Level{Index: 3, Of: 8}},
		{path.Last(), workflow.Level{Index: 0, Of: 2}},
		{top.Last(), workflow.Level{Index: 0, Of: 1}},
		{path.Parent(), top.Item(3, 8)},
		{path.Parent().Parent(), top},
		{top.Parent(), top},
		{path.Outer(1), top.Item(3, 8)},
		{path.Outer(0), top},
		{path.Outer(5), path},
	} {
		if test.got != test.want {
			t.Errorf("%v, want %v", test.got, test.want)
		}
	}
	deep := top
	for i := range uint32(workflow.MaxNesting) {
		deep = deep.Item(i, 9)
	}
	if deep.Depth() != workflow.MaxNesting || deep.Last().Index != workflow.MaxNesting-1 {
		t.Errorf("%v", deep)
	}
}

func TestNames(t *testing.T) {
	w := build(t, "a 1ms")
	if f, known := w.Function("a"); f != 0 || !known {
		t.Error("a is not found")
	}
	if _, known := w.Function("b"); known {
		t.Error("b is found")
	}
	if got := fmt.Sprint(workflow.Task, workflow.Switch, workflow.End); got != "task switch end" {
		t.Error(got)
	}
}

// The workflows that other tests are run with have all that workflows can
// have.
func TestRandomWorkflowsHaveEverything(t *testing.T) {
	seen := map[string]bool{}
	note := func(what string, is bool) { seen[what] = seen[what] || is }
	for seed := range uint64(200) {
		dice := &enginetest.Dice{State: seed}
		w, err := enginetest.RandomWorkflow("w", 1+int(seed%30), dice.Roll)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		checkOrder(t, w)
		note("several starts", len(w.Starts) > 1)
		for s := range w.Scopes {
			scope := &w.Scopes[s]
			note("nested foreach", scope.Depth > 1)
			note("three levels", scope.Depth > 2)
			note("several entries", len(scope.Entries) > 1)
			note("regions side by side", len(scope.Children) > 1)
			note("a foreach without a merge", s > 0 && len(scope.Gatherers) == 0)
			note("several functions to gather", len(scope.Gatherers) > 1)
		}
		for i := range w.Functions {
			f := &w.Functions[i]
			lists, switches := 0, 0
			for _, o := range f.Outputs {
				if o.List {
					lists++
				}
			}
			for _, p := range f.After {
				if w.Functions[p].Kind == workflow.Switch {
					switches++
				}
			}
			note("several lists of one function", lists > 1)
			note("a join behind two switches", switches > 1)
			note("a switch in a foreach", f.Kind == workflow.Switch && f.Scope > 0)
			note("a switch that iterates", f.Kind == workflow.Switch && f.Foreach != nil)
			note("a merge that is a switch", f.Kind == workflow.Switch && f.Merge)
			note("an end that others come after", f.Kind == workflow.End && len(f.Next) > 0)
			note("a merge with a predecessor outside", f.Merge && slices.ContainsFunc(f.After, func(p workflow.FunctionID) bool { return w.Functions[p].Scope == f.Scope }))
			note("a capped function", f.MaxContainers > 0)
			first := f.Join == workflow.JoinFirst
			note("the first of several", first)
			note("the first of several that reads", first && slices.ContainsFunc(f.Inputs, func(in workflow.Input) bool { return in.From >= 0 }))
			note("the first of several in a foreach", first && f.Scope > 0)
			note("the first of several foreach regions", first && f.Merge)
			note("the first of two switches", first && switches > 1)
			note("a switch that the first of several triggers", first && f.Kind == workflow.Switch)
			for _, in := range f.Inputs {
				note(fmt.Sprintf("access %d", in.Access), in.From != workflow.GlobalInput)
			}
		}
	}
	if len(seen) != 25 {
		t.Errorf("%d things were looked for", len(seen))
	}
	for what, is := range seen {
		if !is {
			t.Errorf("there is never %s", what)
		}
	}
}

func TestASwitchTakesItsBranchesByTheirProbabilities(t *testing.T) {
	f := workflow.Function{Branches: []workflow.Branch{{Probability: 0}, {Probability: 0.25}, {Probability: 0}, {Probability: 0.75}, {Probability: 0}}}
	for u, want := range map[float64]int{0: 1, 0.2499: 1, 0.25: 3, 0.9999: 3, math.Nextafter(1, 0): 3} {
		if got := f.Choose(u); got != want {
			t.Errorf("%v chooses branch %d, want %d", u, got, want)
		}
	}
}
