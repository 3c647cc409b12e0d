package joins_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/joins"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// counters are those of a workflow, whose functions are called by name.
type counters struct {
	*testing.T
	w *workflow.Workflow
	joins.State
}

func newCounters(t *testing.T, text string) *counters {
	t.Helper()
	w, err := enginetest.Workflow("flow", text)
	if err != nil {
		t.Fatal(err)
	}
	c := &counters{T: t, w: w}
	c.Reset(joins.NewLayout(w))
	return c
}

// result is what the counters say after something has been counted.
type result string

const (
	waits   result = "waits"
	runs    result = "runs"
	skipped result = "is skipped"
)

func resultOf(complete, alive bool) result {
	switch {
	case !complete:
		return waits
	case alive:
		return runs
	default:
		return skipped
	}
}

func (c *counters) id(name string) workflow.FunctionID {
	id, known := c.w.Function(name)
	if !known {
		c.Fatalf("there is no function %s", name)
	}
	return id
}

func (c *counters) arrive(function string, path workflow.Path, edges int32, alive bool, want result) {
	c.Helper()
	if got := resultOf(c.Arrive(c.id(function), &path, edges, alive)); got != want {
		c.Errorf("%d edges (alive: %v) into %s%v: it %s, want %s", edges, alive, function, path, got, want)
	}
}

func (c *counters) gather(function string, path workflow.Path, ran bool, want result) {
	c.Helper()
	if got := resultOf(c.Gather(c.id(function), &path, ran)); got != want {
		c.Errorf("%s%v gathered (ran: %v): what is behind it %s, want %s", function, path, ran, got, want)
	}
}

const diamond = `
a 1ms
b 1ms after=a
c 1ms after=a
d 1ms after=a,b,c`

var top workflow.Path

func TestAJoinWaitsForAllItsEdges(t *testing.T) {
	c := newCounters(t, diamond)
	c.arrive("d", top, 1, true, waits)
	c.arrive("d", top, 1, true, waits)
	c.arrive("d", top, 1, true, runs)
}

func TestDeadEdgesCountAsArrived(t *testing.T) {
	c := newCounters(t, diamond)
	c.arrive("d", top, 2, false, waits)
	c.arrive("d", top, 1, true, runs)
	c = newCounters(t, diamond)
	c.arrive("d", top, 1, true, waits)
	c.arrive("d", top, 2, false, runs)
	c = newCounters(t, diamond)
	c.arrive("d", top, 1, false, waits)
	c.arrive("d", top, 2, false, skipped)
}

const race = `
a 1ms
b 1ms after=a
c 1ms after=a
d 1ms after=a,b,c first`

func TestTheFirstLiveEdgeWins(t *testing.T) {
	for _, order := range []struct {
		why   string
		edges []bool // alive
		want  []result
	}{
		{"the others complete nothing", []bool{true, true, true}, []result{runs, waits, waits}},
		{"dead edges do not win", []bool{false, false, true}, []result{waits, waits, runs}},
		{"nor do they skip what has run", []bool{true, false, false}, []result{runs, waits, waits}},
		{"between the two", []bool{false, true, true}, []result{waits, runs, waits}},
		{"all dead", []bool{false, false, false}, []result{waits, waits, skipped}},
	} {
		t.Run(order.why, func(t *testing.T) {
			c := newCounters(t, race)
			for i, alive := range order.edges {
				c.arrive("d", top, 1, alive, order.want[i])
			}
		})
	}
	c := newCounters(t, race)
	c.arrive("d", top, 3, false, skipped)
}

const foreach = `
split 1ms list=3
x 1ms foreach=split
y 1ms after=x
z 1ms after=x,y
merge 1ms merge after=z`

func TestEachInstanceInAForeachIsCountedByItself(t *testing.T) {
	c := newCounters(t, foreach)
	for item := range uint32(3) {
		c.arrive("z", top.Item(item, 3), 1, true, waits)
	}
	c.arrive("z", top.Item(1, 3), 1, true, runs)
	c.arrive("z", top.Item(0, 3), 1, false, runs)
	c.arrive("z", top.Item(2, 3), 1, true, runs)
}

func TestAMergeWaitsForAllInstances(t *testing.T) {
	c := newCounters(t, foreach)
	c.gather("z", top.Item(2, 3), true, waits)
	c.gather("z", top.Item(0, 3), false, waits)
	c.gather("z", top.Item(1, 3), false, runs)
}

func TestAMergeIsSkippedIfAllInstancesAre(t *testing.T) {
	c := newCounters(t, foreach)
	c.gather("z", top.Item(0, 2), false, waits)
	c.gather("z", top.Item(1, 2), false, skipped)
}

const nested = `
split 1ms list=2
inner 1ms list=2 foreach=split
x 1ms foreach=inner
close 1ms merge after=x
merge 1ms merge after=close`

func TestNestedForeachRegionsMayDifferInLength(t *testing.T) {
	c := newCounters(t, nested)
	first, second := top.Item(0, 2), top.Item(1, 2)
	c.gather("x", second.Item(0, 2), true, waits)
	c.gather("x", first.Item(0, 1), true, runs)
	c.gather("x", second.Item(1, 2), true, runs)
	c.gather("close", second, true, waits)
	c.gather("close", first, true, runs)
}

func TestItemsAreKeptForEachInstanceOfTheOpener(t *testing.T) {
	c := newCounters(t, nested)
	inner := c.w.Functions[c.id("x")].Scope
	for item, n := range []uint32{5, 0} {
		path := top.Item(uint32(item), 2)
		if got := c.Items(inner, &path); got != 0 {
			t.Errorf("%d items before any were noted", got)
		}
		c.SetItems(inner, &path, n)
		c.SetItems(inner, &path, n+1)
		if got := c.Items(inner, &path); got != n+1 {
			t.Errorf("%d items of %v, want %d", got, path, n+1)
		}
	}
}

func TestTheNextInvocationFindsNothingOfTheLast(t *testing.T) {
	c := newCounters(t, nested)
	inner, layout := c.w.Functions[c.id("x")].Scope, joins.NewLayout(c.w)
	path := top.Item(0, 2)
	c.SetItems(inner, &path, 7)
	c.gather("x", path.Item(0, 3), true, waits)
	c.gather("close", path, true, waits)
	c.Clear()
	if !c.Empty() {
		t.Error("cleared counters are not empty")
	}
	c.Reset(layout)
	if c.Empty() || c.Items(inner, &path) != 0 {
		t.Error("items are left from the last invocation")
	}
	c.gather("x", path.Item(0, 1), false, skipped)
	c.gather("close", path, false, waits)
	c.gather("close", top.Item(1, 2), false, skipped)
}

// Whatever the workflow and the order, counters say what numbers by instance
// do.
func TestCountersCountLikeAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, err := enginetest.RandomWorkflow("w", rapid.IntRange(1, 20).Draw(t, "size"), func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") })
		if err != nil {
			t.Fatal(err)
		}
		dice := &enginetest.Dice{State: rapid.Uint64().Draw(t, "seed")}
		var state joins.State
		layout := joins.NewLayout(w)
		for range 2 { // the second time with what is left of the first
			state.Reset(layout)
			compare(t, w, &state, dice)
			state.Clear()
		}
	})
}

type instance struct {
	function workflow.FunctionID
	path     workflow.Path
	gathered bool
}

// compare counts everything that an invocation could, in any order.
func compare(t *rapid.T, w *workflow.Workflow, state *joins.State, dice *enginetest.Dice) {
	items := map[instance]uint32{} // by opener, told apart by the scope
	paths := map[workflow.ScopeID][]workflow.Path{0: {{}}}
	for s := range w.Scopes {
		if s == 0 {
			continue
		}
		for _, outer := range paths[w.Scopes[s].Parent] {
			n := uint32(dice.Roll(4))
			items[instance{workflow.FunctionID(s), outer, false}] = n
			for i := range n {
				paths[workflow.ScopeID(s)] = append(paths[workflow.ScopeID(s)], outer.Item(i, n))
			}
		}
	}
	left, live := map[instance]int32{}, map[instance]bool{}
	var todo []instance
	for f := range w.Functions {
		for _, path := range paths[w.Functions[f].Scope] {
			id := workflow.FunctionID(f)
			left[instance{id, path, false}] = w.Indegree[f]
			for range w.Indegree[f] {
				todo = append(todo, instance{id, path, false})
			}
			if w.Functions[f].Gather >= 0 {
				left[instance{id, path.Parent(), true}]++
				todo = append(todo, instance{id, path, true})
			}
		}
	}
	noted := map[instance]bool{}
	for n := len(todo); n > 0; n-- {
		at := dice.Roll(n)
		i := todo[at]
		todo[at] = todo[n-1]
		counted, alive := i, dice.Roll(2) == 0
		var complete, anyAlive bool
		if i.gathered {
			counted.path = i.path.Parent()
			complete, anyAlive = state.Gather(i.function, &i.path, alive)
		} else {
			complete, anyAlive = state.Arrive(i.function, &i.path, 1, alive)
		}
		left[counted]--
		first, won := w.Functions[i.function].Join == workflow.JoinFirst && !i.gathered, live[counted]
		live[counted] = won || alive
		want := left[counted] == 0
		if first {
			want = !won && (alive || want)
		}
		if complete != want || complete && anyAlive != live[counted] {
			t.Fatalf("%+v: complete %v, alive %v; left are %d, alive %v", i, complete, anyAlive, left[counted], live[counted])
		}
		for s, path := w.Functions[i.function].Scope, i.path; s > 0; s, path = w.Scopes[s].Parent, path.Parent() {
			opener := instance{workflow.FunctionID(s), path.Parent(), false}
			outer := path.Parent()
			if got := state.Items(s, &outer); noted[opener] && got != items[opener] {
				t.Fatalf("scope %d at %v has %d items, want %d", s, outer, got, items[opener])
			}
			state.SetItems(s, &outer, items[opener])
			noted[opener] = true
		}
	}
}

func TestCountingAllocatesNothingInTheSteadyState(t *testing.T) {
	c := newCounters(t, nested)
	layout := joins.NewLayout(c.w)
	x, done := c.id("x"), c.id("close")
	invocation := func() {
		c.Reset(layout)
		for i := range uint32(4) {
			outer := top.Item(i, 4)
			for j := range uint32(8) {
				path := outer.Item(j, 8)
				c.Gather(x, &path, true)
			}
			c.Gather(done, &outer, true)
		}
		c.Clear()
	}
	invocation()
	if n := testing.AllocsPerRun(100, invocation); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
