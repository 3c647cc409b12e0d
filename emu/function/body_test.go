package function_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/emu/facts"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/profile"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
)

// letters has what bodies meet: a global input, a list, its items, all of them,
// and a switch.
const letters = `
name: letters
functions:
  cut:
    compute: 1s
    global_inputs: [4]
    outputs: {parts: {items: 3, size: {by_item: [10, 20, 30]}}, title: 5}
  shout: {foreach: cut.parts, inputs: [cut.parts, cut.title], compute: 1s, outputs: {loud: 10}}
  join: {merge: true, inputs: [shout.loud], compute: 1s, outputs: {text: 30}}
  choose: {inputs: [join.text], switch: [{name: long, to: [done], probability: 0}, {name: short, to: [end], probability: 1}]}
  done: {compute: 1s, inputs: [join.text]}
  end: {end: true}
`

// memory is a store.
type memory struct {
	mu   sync.Mutex
	data map[function.Key][]byte
}

func (m *memory) Put(_ context.Context, k *function.Key, payload []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data[*k] = payload
	return nil
}

func (m *memory) Get(_ context.Context, k *function.Key) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if payload, ok := m.data[*k]; ok {
		return payload, nil
	}
	return nil, function.ErrMissing
}

// own are bodies of one's own.
type own map[string]bodies.Body

func (o own) Body(_ context.Context, _ *workflow.Workflow, function string) (bodies.Body, error) {
	if b, ok := o[function]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("nobody has written %s", function)
}

func (o own) GlobalInput(_ *workflow.Workflow, function string, n int) ([]byte, error) {
	return fmt.Appendf(nil, "%s%d", function, n), nil
}

// shouting is what the functions of letters do.
func shouting() own {
	return own{
		"cut": func(_ context.Context, c bodies.Call) error {
			name, err := c.Input("global_inputs.0")
			if err != nil {
				return err
			}
			items := make([][]byte, c.Fan("parts"))
			for i := range items {
				items[i] = bytes.Repeat([]byte{'a' + byte(i)}, int(c.Size("parts", i)))
			}
			return errors.Join(c.PostList("parts", items), c.Post("title", name))
		},
		"shout": func(_ context.Context, c bodies.Call) error {
			part, err := c.Input("cut.parts")
			if err != nil {
				return err
			}
			title, err := c.Input("cut.title")
			if err != nil {
				return err
			}
			i, n := c.Index()
			return c.Post("loud", fmt.Appendf(nil, "%s %d/%d %s\n", title, i, n, bytes.ToUpper(part[:3])))
		},
		"join": func(_ context.Context, c bodies.Call) error {
			all, err := c.Items("shout.loud")
			if err != nil {
				return err
			}
			return c.Post("text", bytes.Join(all, nil))
		},
		"choose": func(_ context.Context, c bodies.Call) error {
			text, err := c.Input("join.text")
			if err != nil {
				return err
			}
			if len(text) > 30 {
				return c.Choose("long")
			}
			return c.Choose("short")
		},
		"done": func(context.Context, bodies.Call) error { return nil },
	}
}

// world runs tasks on a node without an agent.
type world struct {
	*function.Runtime
	workflow *workflow.Workflow
	store    *memory
}

func newWorld(t *testing.T, b function.Bodies) *world {
	t.Helper()
	w, err := workflowfile.Parse("letters", []byte(letters))
	if err != nil {
		t.Fatal(err)
	}
	workflows := []*workflow.Workflow{w}
	bound, err := function.Bind(t.Context(), b, workflows, nil)
	if err != nil {
		t.Fatal(err)
	}
	store := &memory{data: map[function.Key][]byte{}}
	k := function.GlobalInput(0, 0, 0)
	content, err := function.Content(b, w, &k)
	if err != nil {
		t.Fatal(err)
	}
	store.data[k] = content
	return &world{workflow: w, store: store, Runtime: function.New(function.Runtime{
		Workflows: workflows, Rules: &engine.Rules{}, Facts: facts.New(&scenarios.Trial{Workflows: workflows, Profile: &profile.Profile{}}),
		Store: store, Guarded: store, Memory: store, Lookups: 1, Bodies: bound,
		Compute: func(context.Context, engine.Time) {}, Now: func() engine.Time { return 0 },
	})}
}

func (w *world) task(name string, path workflow.Path) *function.Task {
	id, _ := w.workflow.Function(name)
	f := &w.workflow.Functions[id]
	t := &function.Task{Posted: func(int32, uint32) {}}
	t.Invocation.Generation = 1
	t.Function, t.Path = id, path
	for range f.Inputs {
		t.Plan.Sources = append(t.Plan.Sources, engine.FromStore)
	}
	for range f.Outputs {
		t.Plan.Targets = append(t.Plan.Targets, data.Store)
	}
	return t
}

// Bodies get what others have posted, by name and in order, and say where it
// goes on.
func TestBodiesGetWhatOthersPost(t *testing.T) {
	w := newWorld(t, shouting())
	lists := map[int32]uint32{}
	cut := w.task("cut", workflow.Path{})
	cut.Posted = func(output int32, items uint32) { lists[output] = items }
	tasks := []*function.Task{cut}
	for i := range uint32(3) {
		tasks = append(tasks, w.task("shout", workflow.Path{}.Item(i, 3)))
	}
	join := w.task("join", workflow.Path{})
	for _, task := range append(tasks, join) {
		if r := w.Run(t.Context(), task); r.Outcome != engine.Completed || r.Err != nil {
			t.Fatalf("function %d %s: %v, %v", task.Function, task.Path, r.Outcome, r.Err)
		}
	}
	if len(lists) != 1 || lists[0] != 3 {
		t.Errorf("lists of these lengths are told: %v", lists)
	}
	text := w.store.data[function.Key{Invocation: join.Invocation, Function: join.Function}]
	if want := "cut0 0/3 AAA\ncut0 1/3 BBB\ncut0 2/3 CCC\n"; string(text) != want {
		t.Errorf("%q, want %q", text, want)
	}
	if branch, moved, err := w.Choose(t.Context(), w.task("choose", workflow.Path{})); branch != 0 || err != nil || moved.RemoteRead != int64(len(text)) {
		t.Errorf("branch %d, %v, %d bytes read", branch, err, moved.RemoteRead)
	}
}

// What a body gets wrong fails its task, and the error says what it was.
func TestMistakesOfBodies(t *testing.T) {
	part := []byte("abc")
	three := [][]byte{part, part, part}
	for want, body := range map[string]bodies.Body{
		"has 2 items where the workflow wants 3": func(_ context.Context, c bodies.Call) error { return c.PostList("parts", three[:2]) },
		"parts is a list":                        func(_ context.Context, c bodies.Call) error { return c.Post("parts", part) },
		"title is no list":                       func(_ context.Context, c bodies.Call) error { return c.PostList("title", three[:1]) },
		"no output nothing":                      func(_ context.Context, c bodies.Call) error { return c.Post("nothing", part) },
		"title is posted twice": func(_ context.Context, c bodies.Call) error {
			return errors.Join(c.Post("title", part), c.Post("title", part))
		},
		"it has not posted title":                func(_ context.Context, c bodies.Call) error { return c.PostList("parts", three) },
		"no input cut.parts":                     func(_ context.Context, c bodies.Call) error { _, err := c.Input("cut.parts"); return err },
		"no branch long":                         func(_ context.Context, c bodies.Call) error { return c.Choose("long") },
		"it panics: runtime error: index out of": func(_ context.Context, c bodies.Call) error { _ = part[c.Fan("parts")]; return nil },
		"the disk is full":                       func(context.Context, bodies.Call) error { return errors.New("the disk is full") },
		"Fan and Size of nothing: 00": func(_ context.Context, c bodies.Call) error {
			return fmt.Errorf("Fan and Size of nothing: %d%d", c.Fan("x"), c.Size("x", 0))
		},
	} {
		b := shouting()
		b["cut"] = body
		w := newWorld(t, b)
		r := w.Run(t.Context(), w.task("cut", workflow.Path{}))
		if r.Outcome != engine.Failed || r.Err == nil || !strings.Contains(r.Err.Error(), want) || !strings.Contains(r.Err.Error(), "the body of cut") {
			t.Errorf("%v, %v, want it to say %q", r.Outcome, r.Err, want)
		}
	}
}

// A switch whose body fails, or cannot read its inputs, takes no branch; one
// without a body takes what is drawn, and says what went wrong besides.
func TestSwitchesThatCannotBeEvaluated(t *testing.T) {
	text := []byte("text")
	for name, test := range map[string]struct {
		bodies function.Bodies
		stored bool
		branch int
		want   string
	}{
		"no input":          {shouting(), false, -1, "no such datum"},
		"no input, no body": {nil, false, 1, "no such datum"},
		"no body":           {nil, true, 1, ""},
		"a body":            {shouting(), true, 1, ""},
		"no choice":         {switching(func(bodies.Call) error { return nil }), true, -1, "chosen no branch"},
		"two choices":       {switching(func(c bodies.Call) error { return errors.Join(c.Choose("long"), c.Choose("short")) }), true, -1, "chosen long already"},
		"it posts":          {switching(func(c bodies.Call) error { return c.Post("text", text) }), true, -1, "no output text"},
	} {
		w := newWorld(t, test.bodies)
		task := w.task("choose", workflow.Path{})
		join, _ := w.workflow.Function("join")
		if test.stored {
			w.store.data[function.Key{Invocation: task.Invocation, Function: join}] = text
		}
		branch, _, err := w.Choose(t.Context(), task)
		if branch != test.branch || (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: branch %d, %v", name, branch, err)
		}
	}
}

// switching returns bodies of which the switch's is another.
func switching(choose func(bodies.Call) error) own {
	b := shouting()
	b["choose"] = func(_ context.Context, c bodies.Call) error { return choose(c) }
	return b
}

// What is absent is told from what is empty.
func TestAbsentAndEmptyInputs(t *testing.T) {
	var got []string
	b := shouting()
	b["join"] = func(_ context.Context, c bodies.Call) error {
		all, err := c.Items("shout.loud")
		for _, item := range all {
			got = append(got, fmt.Sprint(item != nil, len(item)))
		}
		return errors.Join(err, c.Post("text", nil))
	}
	b["cut"] = func(_ context.Context, c bodies.Call) error {
		if _, err := c.Input("global_inputs.0"); !errors.Is(err, bodies.ErrAbsent) {
			return fmt.Errorf("the global input: %v", err)
		}
		return errors.Join(c.Post("title", nil), c.PostList("parts", make([][]byte, 3)))
	}
	w := newWorld(t, b)
	clear(w.store.data)
	cut := w.task("cut", workflow.Path{})
	cut.Plan.Sources[0] = engine.FromNowhere
	if r := w.Run(t.Context(), cut); r.Outcome != engine.Completed {
		t.Fatal(r.Err)
	}
	shout, _ := w.workflow.Function("shout")
	for i := range uint32(3) {
		w.store.data[function.Key{Invocation: cut.Invocation, Function: shout, Path: workflow.Path{}.Item(i, 3)}] = make([]byte, i)
	}
	if r := w.Run(t.Context(), w.task("join", workflow.Path{})); r.Outcome != engine.Completed {
		t.Fatal(r.Err)
	}
	if want := []string{"true 0", "true 1", "true 2"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A function without a body is found before anything runs.
func TestBindNamesWhatIsMissing(t *testing.T) {
	w, err := workflowfile.Parse("letters", []byte(letters))
	if err != nil {
		t.Fatal(err)
	}
	b := shouting()
	delete(b, "done")
	if _, err := function.Bind(t.Context(), b, []*workflow.Workflow{w}, nil); err == nil || !strings.Contains(err.Error(), "nobody has written done") {
		t.Errorf("%v", err)
	}
}

// A body that is killed posts nothing any more.
func TestKilledBodiesPostNothing(t *testing.T) {
	b := shouting()
	ctx, cancel := context.WithCancel(t.Context())
	b["cut"] = func(ctx context.Context, c bodies.Call) error {
		cancel()
		<-ctx.Done()
		return c.Post("title", []byte("late"))
	}
	w := newWorld(t, b)
	before := len(w.store.data)
	if w.Run(ctx, w.task("cut", workflow.Path{})); len(w.store.data) != before {
		t.Error("it has posted")
	}
}

// What no function reads, nor iterates over, is returned if that is asked for.
func TestWhatNobodyReadsIsReturned(t *testing.T) {
	const text = `
name: letters
functions:
  cut: {compute: 1s, outputs: {parts: {items: 2, size: 10}, rest: {items: 3, size: 10}, title: 5}}
  shout: {foreach: cut.parts, inputs: [cut.title], compute: 1s, outputs: {loud: 10}}
`
	w, err := workflowfile.Parse("letters", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	body := func(_ context.Context, c bodies.Call) error {
		return errors.Join(c.PostList("parts", make([][]byte, c.Fan("parts"))), c.Post("title", nil),
			c.PostList("rest", [][]byte{[]byte("a"), []byte("b"), []byte("c")}))
	}
	for _, wanted := range []bool{true, false} {
		own := newWorld(t, shouting())
		own.workflow = w
		own.Runtime = function.New(function.Runtime{
			Workflows: []*workflow.Workflow{w}, Rules: &engine.Rules{}, Returns: wanted,
			Facts: facts.New(&scenarios.Trial{Workflows: []*workflow.Workflow{w}, Profile: &profile.Profile{}}),
			Store: own.store, Memory: own.store, Bodies: [][]bodies.Body{{body, nil}}, Now: func() engine.Time { return 0 },
		})
		r := own.Run(t.Context(), own.task("cut", workflow.Path{}))
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		var got string
		for _, one := range r.Returned {
			got += w.Functions[0].Outputs[one.Output].Name + "=" + string(bytes.Join(one.Items, []byte(" "))) + "\n"
		}
		want := ""
		if wanted {
			want = "rest=a b c\n"
		}
		if got != want {
			t.Errorf("asked for it: %t: returned %q, want %q", wanted, got, want)
		}
	}
}

// What stands for a global input has the size that the workflow states.
func TestStatedInputs(t *testing.T) {
	w := newWorld(t, shouting()).workflow
	if content, err := function.Stated(w, "cut", 0); err != nil || len(content) != 4 {
		t.Errorf("%d bytes, %v; want 4", len(content), err)
	}
	for name, n := range map[string]int{"cut": 1, "shout": 0, "nobody": 0} {
		if content, err := function.Stated(w, name, n); err == nil {
			t.Errorf("global input %d of %s: %q", n, name, content)
		}
	}
}
