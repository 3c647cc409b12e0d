package inbox_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/inbox"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// TestMain has the property checked more often than is usual, as a check takes
// a quarter of a millisecond.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "2000"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// box is the inbox of a workflow whose functions are called by name.
type box struct {
	*testing.T
	w      *workflow.Workflow
	layout *inbox.Layout
	inbox.State
}

func newBox(t *testing.T, text string, o inbox.Options) *box {
	t.Helper()
	w, err := enginetest.Workflow("flow", text)
	if err != nil {
		t.Fatal(err)
	}
	b := &box{T: t, w: w, layout: inbox.NewLayout(w, o)}
	b.Reset(b.layout)
	return b
}

func (b *box) id(name string) workflow.FunctionID {
	b.Helper()
	id, known := b.w.Function(name)
	if !known {
		b.Fatalf("there is no function %s", name)
	}
	return id
}

// trigger triggers an instance.
func (b *box) trigger(function string, path workflow.Path) {
	b.Trigger(b.id(function), &path, 0)
}

// arrives brings the output of one function at a path to another.
func (b *box) arrives(from, to string, path workflow.Path) { b.bring(from, to, path, true) }

// never says that it will not come.
func (b *box) never(from, to string, path workflow.Path) { b.bring(from, to, path, false) }

func (b *box) bring(from, to string, path workflow.Path, alive bool) (complete, live bool) {
	b.Helper()
	for _, r := range b.layout.Readers(b.id(from), 0) {
		if r.Function == b.id(to) {
			return b.Arrive(r, &path, alive)
		}
	}
	b.Fatalf("%s does not read %s", to, from)
	return
}

// ready makes sure that these instances have become ready since it was asked
// last, in that order.
func (b *box) ready(want ...string) {
	b.Helper()
	var got []string
	for _, r := range b.Ready {
		got = append(got, b.w.Functions[r.Function].Name+r.Path.String())
	}
	b.Ready = b.Ready[:0]
	if !slices.Equal(got, want) {
		b.Errorf("ready are %v, want %v", got, want)
	}
}

const diamond = `
a 1ms
b 1ms
c 1ms reads=a,b`

var top workflow.Path

func TestAnInstanceIsReadyWithItsLastInputOrItsTrigger(t *testing.T) {
	steps := map[string]func(*box){
		"a":       func(b *box) { b.arrives("a", "c", top) },
		"b":       func(b *box) { b.arrives("b", "c", top) },
		"trigger": func(b *box) { b.trigger("c", top) },
	}
	for _, order := range []string{"a b trigger", "a trigger b", "trigger b a"} {
		b := newBox(t, diamond, inbox.Options{})
		words := strings.Fields(order)
		for i, step := range words {
			if steps[step](b); i < len(words)-1 {
				b.ready()
			}
		}
		b.ready("c")
	}
}

func TestWhatWillNeverComeIsNotWaitedFor(t *testing.T) {
	b := newBox(t, diamond, inbox.Options{})
	b.trigger("c", top)
	b.never("a", "c", top)
	b.ready()
	b.arrives("b", "c", top)
	b.ready("c")
}

func TestADatumThatArrivesAgainIsIgnored(t *testing.T) {
	b := newBox(t, diamond, inbox.Options{})
	b.trigger("c", top)
	if complete, live := b.bring("a", "c", top, true); !complete || !live {
		t.Error("the first does not complete the input")
	}
	if complete, _ := b.bring("a", "c", top, true); complete {
		t.Error("the second does")
	}
	b.trigger("c", top)
	b.ready()
	b.arrives("b", "c", top)
	b.ready("c")
	b.arrives("b", "c", top)
	b.trigger("c", top)
	b.ready()
}

func TestTheNoteOfTheTriggerComesBack(t *testing.T) {
	b := newBox(t, diamond, inbox.Options{})
	b.Trigger(b.id("c"), &top, 42)
	b.arrives("a", "c", top)
	b.arrives("b", "c", top)
	if len(b.Ready) != 1 || b.Ready[0].Note != 42 {
		t.Errorf("ready are %+v, want the note 42", b.Ready)
	}
}

const foreach = `
other 1ms
split 1ms list=3 after=other
work 1ms foreach=split after=split reads=split,other
merge 1ms merge after=work reads=work`

func TestEachInstanceWaitsForItsOwnItem(t *testing.T) {
	b := newBox(t, foreach, inbox.Options{})
	b.arrives("other", "work", top)
	for item := range uint32(3) {
		b.trigger("work", top.Item(item, 3))
	}
	b.ready()
	b.arrives("split", "work", top.Item(2, 3))
	b.ready("work[2/3]")
	b.arrives("split", "work", top.Item(0, 3))
	b.ready("work[0/3]")
}

func TestWhatComesFromOutsideAForeachIsForAllInstances(t *testing.T) {
	b := newBox(t, foreach, inbox.Options{})
	b.trigger("work", top.Item(0, 3))
	for item := range uint32(3) {
		b.arrives("split", "work", top.Item(item, 3))
	}
	b.trigger("work", top.Item(2, 3))
	b.ready()
	b.arrives("other", "work", top)
	b.ready("work[0/3]", "work[2/3]")
	b.trigger("work", top.Item(1, 3))
	b.ready("work[1/3]")
}

func TestAMergeWaitsForAllParts(t *testing.T) {
	b := newBox(t, foreach, inbox.Options{})
	b.trigger("merge", top)
	b.arrives("work", "merge", top.Item(2, 3))
	b.arrives("work", "merge", top.Item(2, 3)) // again
	b.never("work", "merge", top.Item(0, 3))
	b.ready()
	if complete, live := b.bring("work", "merge", top.Item(1, 3), false); !complete || !live {
		t.Errorf("complete %v, of which something has come %v", complete, live)
	}
	b.ready("merge")
}

func TestAMergeOfNothingIsReady(t *testing.T) {
	b := newBox(t, foreach, inbox.Options{})
	b.trigger("merge", top)
	if complete, live := b.bring("work", "merge", top, false); !complete || live {
		t.Errorf("complete %v, of which something has come %v", complete, live)
	}
	b.ready("merge")
}

func TestInTheArtefactAMergeWaitsForTheCount(t *testing.T) {
	b := newBox(t, foreach, inbox.Options{Counts: true})
	over := b.w.Functions[b.id("work")].Scope
	b.trigger("merge", top)
	for item := range uint32(3) {
		b.arrives("work", "merge", top.Item(item, 3))
	}
	b.ready()
	b.Count(b.id("merge"), &top, over)
	b.Count(b.id("merge"), &top, over)
	b.ready("merge")
	b = newBox(t, foreach, inbox.Options{Counts: true})
	b.trigger("merge", top)
	b.never("work", "merge", top) // Nor will a count come.
	b.ready("merge")
}

func TestInTheArtefactAnItemIsEnough(t *testing.T) {
	b := newBox(t, foreach, inbox.Options{Race: true})
	b.arrives("split", "work", top.Item(1, 3))
	b.ready("work[1/3]")
	b.arrives("other", "work", top)
	b.trigger("work", top.Item(1, 3))
	b.ready() // It has run.
}

const nested = `
first 1ms
split 1ms list=2 after=first
inner 1ms list=2 foreach=split reads=split
deep 1ms foreach=inner after=inner reads=inner,split,first
close 1ms merge reads=deep`

func TestWhatComesBeforeAForeachIsKnownIsForAllInside(t *testing.T) {
	b := newBox(t, nested, inbox.Options{})
	b.arrives("first", "deep", top)
	path := top.Item(1, 2)
	b.arrives("split", "deep", path)
	b.trigger("deep", path.Item(0, 1))
	b.ready()
	b.arrives("inner", "deep", path.Item(0, 1))
	b.ready("deep[1/2][0/1]")
}

func TestInTheArtefactTheItemOfAnOuterListIsNotEnough(t *testing.T) {
	b := newBox(t, nested, inbox.Options{Race: true})
	path := top.Item(1, 2)
	b.trigger("deep", path.Item(0, 1))
	b.arrives("first", "deep", top)
	b.arrives("split", "deep", path)
	b.ready()
	b.arrives("inner", "deep", path.Item(0, 1))
	b.ready("deep[1/2][0/1]")
}

func TestNestedForeachRegionsMayDifferInLength(t *testing.T) {
	b := newBox(t, nested, inbox.Options{})
	first, second := top.Item(0, 2), top.Item(1, 2)
	b.arrives("first", "deep", top)
	b.arrives("split", "deep", first) // an item of the outer list, for all inside
	for _, path := range []workflow.Path{first.Item(0, 1), second.Item(0, 2), second.Item(1, 2)} {
		b.trigger("deep", path)
		b.arrives("inner", "deep", path)
	}
	b.ready("deep[0/2][0/1]")
	b.arrives("split", "deep", second)
	b.ready("deep[1/2][0/2]", "deep[1/2][1/2]")
	b.trigger("close", first)
	b.trigger("close", second)
	b.arrives("deep", "close", first.Item(0, 1))
	b.arrives("deep", "close", second.Item(1, 2))
	b.ready("close[0/2]")
}

func TestWhatIsDoneOnceIsKnownForEachInstance(t *testing.T) {
	b := newBox(t, foreach, inbox.Options{})
	for _, item := range []uint32{0, 1} {
		path := top.Item(item, 3)
		for k := range 2 { // a result, an output
			if !b.Once(b.id("work"), &path, k) || b.Once(b.id("work"), &path, k) {
				t.Errorf("%d of %v: not the first time, or again", k, path)
			}
		}
	}
	b.trigger("work", top.Item(0, 3))
	b.arrives("split", "work", top.Item(0, 3))
	b.ready() // That something was done is no input.
	b.arrives("other", "work", top)
	b.ready("work[0/3]")
}

func TestSingleReadersAndGatheredOutputs(t *testing.T) {
	b := newBox(t, foreach, inbox.Options{})
	for _, test := range []struct {
		from, to         string
		single, gathered bool
	}{
		{"split", "work", true, false},
		{"other", "work", false, false},
		{"work", "merge", true, true},
	} {
		for _, r := range b.layout.Readers(b.id(test.from), 0) {
			if b.layout.Single(r) != test.single || b.w.Functions[r.Function].Name != test.to {
				t.Errorf("%s is read by %s, by one instance only: %v", test.from, b.w.Functions[r.Function].Name, b.layout.Single(r))
			}
		}
		if got := b.layout.Gathered(b.id(test.from)); got != test.gathered {
			t.Errorf("%s is gathered: %v", test.from, got)
		}
	}
}

func TestTheNextInvocationFindsNothingOfTheLast(t *testing.T) {
	b := newBox(t, foreach, inbox.Options{})
	b.arrives("other", "work", top)
	b.arrives("split", "work", top.Item(0, 2))
	b.trigger("work", top.Item(0, 2))
	if b.Clear(); !b.Empty() {
		t.Error("a cleared inbox is not empty")
	}
	if b.Reset(b.layout); b.Empty() {
		t.Error("one that was laid out is")
	}
	b.ready()
	b.trigger("work", top.Item(0, 3))
	b.arrives("split", "work", top.Item(0, 3))
	b.ready()
	b.arrives("other", "work", top)
	b.ready("work[0/3]")
}

// Whatever the workflow, the order, and what comes again or never, the inbox
// says what sets of instances do.
func TestAnInboxIsLikeSetsOfInstances(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, err := enginetest.RandomWorkflow("w", rapid.IntRange(1, 20).Draw(t, "size"), func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") })
		if err != nil {
			t.Fatal(err)
		}
		o := inbox.Options{Race: rapid.Bool().Draw(t, "race"), Counts: rapid.Bool().Draw(t, "counts")}
		dice := &enginetest.Dice{State: rapid.Uint64().Draw(t, "seed")}
		layout := inbox.NewLayout(w, o)
		var state inbox.State
		for range 2 { // the second time with what is left of the first
			state.Reset(layout)
			m := newModel(w, o, dice)
			if m.compare(t, layout, &state); dice.Roll(2) == 0 {
				state.Clear()
			}
		}
	})
}

type instance struct {
	function workflow.FunctionID
	path     workflow.Path
}

// model is an inbox made of sets.
type model struct {
	w     *workflow.Workflow
	o     inbox.Options
	dice  *enginetest.Dice
	paths map[workflow.ScopeID][]workflow.Path
	items map[workflow.ScopeID]map[workflow.Path]uint32 // by the opener's path

	fired map[instance]bool
	notes map[instance]int32
	// inputs holds, by reader and the path at which it arrives, whether an
	// input is complete; parts what has come of those that have several.
	inputs map[reading]bool
	parts  map[reading]map[uint32]bool // alive or not
	counts map[counting]bool
	once   map[string]bool
}

type reading struct {
	inbox.Reader
	path workflow.Path
}

type counting struct {
	instance
	over workflow.ScopeID
}

func newModel(w *workflow.Workflow, o inbox.Options, dice *enginetest.Dice) *model {
	m := &model{
		w: w, o: o, dice: dice, paths: map[workflow.ScopeID][]workflow.Path{0: {{}}}, items: map[workflow.ScopeID]map[workflow.Path]uint32{},
		fired: map[instance]bool{}, notes: map[instance]int32{}, inputs: map[reading]bool{}, parts: map[reading]map[uint32]bool{},
		counts: map[counting]bool{}, once: map[string]bool{},
	}
	for s := range w.Scopes {
		if s == 0 {
			continue
		}
		m.items[workflow.ScopeID(s)] = map[workflow.Path]uint32{}
		for _, outer := range m.paths[w.Scopes[s].Parent] {
			n := uint32(dice.Roll(4))
			m.items[workflow.ScopeID(s)][outer] = n
			for i := range n {
				m.paths[workflow.ScopeID(s)] = append(m.paths[workflow.ScopeID(s)], outer.Item(i, n))
			}
		}
	}
	return m
}

func (m *model) depth(f workflow.FunctionID) int { return m.w.Scopes[m.w.Functions[f].Scope].Depth }

// arrivesAt is the depth of the path at which an input arrives, and whether it
// comes in parts.
func (m *model) arrivesAt(r inbox.Reader) (depth int, many bool) {
	in := m.w.Functions[r.Function].Inputs[r.Input]
	switch in.Access {
	case workflow.AccessItem:
		return m.w.ItemLevel(r.Function, in) + 1, false
	case workflow.AccessAllItems:
		return m.depth(in.From), true
	case workflow.AccessGather:
		return m.depth(in.From) - 1, true
	default:
		return m.depth(in.From), false
	}
}

// arrive is State.Arrive.
func (m *model) arrive(r inbox.Reader, path workflow.Path, alive bool) (complete, live bool) {
	depth, many := m.arrivesAt(r)
	if path.Depth() < depth {
		return false, false
	}
	at := reading{r, path.Outer(depth)}
	switch {
	case many && path.Depth() > depth:
		level := path.Level(depth)
		if m.parts[at] == nil {
			m.parts[at] = map[uint32]bool{}
		}
		if _, again := m.parts[at][level.Index]; again {
			return false, false
		}
		m.parts[at][level.Index] = alive
		if uint32(len(m.parts[at])) < level.Of {
			return false, false
		}
		alive = false
		for _, a := range m.parts[at] {
			alive = alive || a
		}
	case many && !alive:
		from := m.w.Functions[r.Function].Inputs[r.Input].From
		m.counts[counting{instance{r.Function, at.path}, m.w.Functions[from].Scope}] = true
	}
	again := m.inputs[at]
	m.inputs[at] = true
	return !again, alive
}

// ready returns the instances that have become ready.
func (m *model) ready() map[inbox.Ready]bool {
	ready := map[inbox.Ready]bool{}
	for f := range m.w.Functions {
		for _, path := range m.paths[m.w.Functions[f].Scope] {
			if i := (instance{workflow.FunctionID(f), path}); !m.fired[i] && m.isReady(i) {
				m.fired[i] = true
				ready[inbox.Ready{Function: i.function, Note: m.notes[i], Path: path}] = true
			}
		}
	}
	return ready
}

func (m *model) isReady(i instance) bool {
	_, ready := m.notes[i] // It was triggered.
	for k, in := range m.w.Functions[i.function].Inputs {
		if in.From == workflow.GlobalInput {
			continue
		}
		r := inbox.Reader{Function: i.function, Input: int32(k)}
		depth, _ := m.arrivesAt(r)
		there := m.inputs[reading{r, i.path.Outer(depth)}]
		if m.o.Race && there && in.Access == workflow.AccessItem && depth == m.depth(i.function) {
			return true
		}
		if m.o.Counts && in.Access == workflow.AccessGather {
			there = there && m.counts[counting{i, m.w.Functions[in.From].Scope}]
		}
		ready = ready && there
	}
	return ready
}

// compare lets everything happen that could, in any order, some of it twice.
func (m *model) compare(t *rapid.T, l *inbox.Layout, s *inbox.State) {
	todo := m.everything(t, l, s)
	for range len(todo) / 3 {
		todo = append(todo, todo[m.dice.Roll(len(todo))])
	}
	for n := len(todo); n > 0; n-- {
		at := m.dice.Roll(n)
		todo[at]()
		todo[at] = todo[n-1]
		want := m.ready()
		for _, r := range s.Ready {
			if !want[r] {
				t.Fatalf("%s%v is ready with note %d", m.w.Functions[r.Function].Name, r.Path, r.Note)
			}
			delete(want, r)
		}
		if len(want) > 0 {
			t.Fatalf("not ready are %v", want)
		}
		s.Ready = s.Ready[:0]
	}
	for f := range m.w.Functions {
		for _, path := range m.paths[m.w.Functions[f].Scope] {
			if !m.fired[instance{workflow.FunctionID(f), path}] {
				t.Fatalf("%s%v has never become ready", m.w.Functions[f].Name, path)
			}
		}
	}
}

// everything lists what has to happen until all instances are ready.
func (m *model) everything(t *rapid.T, l *inbox.Layout, s *inbox.State) []func() {
	var todo []func()
	arrive := func(r inbox.Reader, path workflow.Path, alive bool) {
		todo = append(todo, func() {
			complete, live := s.Arrive(r, &path, alive)
			if wantComplete, wantLive := m.arrive(r, path, alive); complete != wantComplete || complete && live != wantLive {
				t.Fatalf("input %d of %s from %v (alive: %v): complete %v, live %v, want %v, %v",
					r.Input, m.w.Functions[r.Function].Name, path, alive, complete, live, wantComplete, wantLive)
			}
		})
	}
	for f := range m.w.Functions {
		id, function := workflow.FunctionID(f), &m.w.Functions[f]
		for _, path := range m.paths[function.Scope] {
			note := int32(len(todo))
			todo = append(todo, func() {
				i := instance{id, path}
				s.Trigger(id, &path, note)
				if !m.fired[i] { // The note of the last counts.
					m.notes[i] = note
				}
			})
			for k := range 1 + len(function.Outputs) {
				todo = append(todo, func() {
					name := fmt.Sprint(id, path, k)
					if first := s.Once(id, &path, k); first == m.once[name] {
						t.Fatalf("%s%v does %d for the first time: %v", function.Name, path, k, first)
					}
					m.once[name] = true
				})
			}
			for output := range function.Outputs {
				for _, r := range l.Readers(id, int32(output)) {
					m.datum(r, path, arrive)
				}
			}
		}
		m.wholes(id, l, arrive)
		m.count(id, s, &todo)
	}
	return todo
}

// datum lets the output of one instance come, whole or item by item, or not.
func (m *model) datum(r inbox.Reader, path workflow.Path, arrive func(inbox.Reader, workflow.Path, bool)) {
	in := m.w.Functions[r.Function].Inputs[r.Input]
	alive := m.dice.Roll(4) > 0
	n := uint32(0)
	switch in.Access {
	case workflow.AccessItem:
		over := m.w.Functions[r.Function].Scope
		for m.w.Scopes[over].Over != (workflow.OutputRef{Function: in.From, Output: in.Output}) {
			over = m.w.Scopes[over].Parent
		}
		n = m.items[over][path]
	case workflow.AccessAllItems:
		n = uint32(m.dice.Roll(3))
		for s := range m.w.Scopes {
			if m.w.Scopes[s].Over == (workflow.OutputRef{Function: in.From, Output: in.Output}) && s > 0 {
				n = m.items[workflow.ScopeID(s)][path]
			}
		}
		if n == 0 || !alive {
			arrive(r, path, alive)
			return
		}
	default:
		arrive(r, path, alive)
		return
	}
	for item := range n {
		arrive(r, path.Item(item, n), alive)
	}
	if m.dice.Roll(2) == 0 {
		arrive(r, path, false) // It is no news to those who are inside.
	}
}

// wholes says of a foreach without items, and of some others, that nothing of
// a function inside will come.
func (m *model) wholes(id workflow.FunctionID, l *inbox.Layout, arrive func(inbox.Reader, workflow.Path, bool)) {
	scope := m.w.Functions[id].Scope
	if scope == 0 {
		return
	}
	for _, outer := range m.paths[m.w.Scopes[scope].Parent] {
		if m.items[scope][outer] > 0 && m.dice.Roll(5) > 0 {
			continue
		}
		for output := range m.w.Functions[id].Outputs {
			for _, r := range l.Readers(id, int32(output)) {
				arrive(r, outer, false)
			}
		}
	}
}

// count tells a function the counts that it waits for, and others.
func (m *model) count(id workflow.FunctionID, s *inbox.State, todo *[]func()) {
	for _, in := range m.w.Functions[id].Inputs {
		if in.Access != workflow.AccessGather || in.From == workflow.GlobalInput {
			continue
		}
		over := m.w.Functions[in.From].Scope
		for _, path := range m.paths[m.w.Functions[id].Scope] {
			*todo = append(*todo, func() {
				s.Count(id, &path, over)
				m.counts[counting{instance{id, path}, over}] = true
			})
		}
	}
}
