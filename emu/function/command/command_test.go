package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/emu/function/command"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
)

// The test's own program is the one that runs tasks, if it is asked to.
func TestMain(m *testing.M) {
	if at := os.Getenv(command.Variable); at != "" {
		client{at, os.Args[1]}.serve()
		return
	}
	os.Exit(m.Run())
}

// client is a program as users write them, in Go.
type client struct{ at, behaviour string }

func (c client) serve() {
	fmt.Println("the program says something")
	if c.behaviour == "exits" {
		return
	}
	for {
		status, body := c.ask("GET", "/task", nil)
		var task command.Task
		if err := json.Unmarshal(body, &task); status != 200 || err != nil {
			fmt.Println(status, err)
			os.Exit(3)
		}
		if c.behaviour == "hangs" {
			select {}
		}
		if err := c.run(&task); err != nil {
			c.ask("POST", "/failed", []byte(err.Error()))
		} else {
			c.ask("POST", "/done", nil)
		}
	}
}

func (c client) ask(method, path string, body []byte) (int, []byte) {
	q, err := http.NewRequest(method, c.at+path, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		os.Exit(0) // The runtime has gone.
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	return r.StatusCode, answer
}

// run does the work: start makes letters, shout makes them large, join joins
// them.
func (c client) run(t *command.Task) error {
	must := func(method, path string, body []byte) (answer []byte) {
		status, answer := c.ask(method, path, body)
		if status >= 300 {
			fmt.Fprintf(os.Stderr, "%s %s: %d %s\n", method, path, status, answer)
		}
		return answer
	}
	switch t.Function {
	case "start":
		for i, size := range slices.Backward(t.Outputs[0].Sizes) { // In any order.
			must("POST", fmt.Sprintf("/output/parts/%d", i), bytes.Repeat([]byte{'a' + byte(i)}, int(size)))
		}
		if c.behaviour == "posts twice" {
			must("POST", "/output/parts/0", nil)
		}
	case "shout":
		part := must("GET", "/input/start.parts", nil)
		if c.behaviour == "fails" {
			return fmt.Errorf("cannot shout %s", part)
		}
		must("POST", "/output/loud", fmt.Appendf(nil, "%d/%d %s\n", t.Index, t.Of, bytes.ToUpper(part)))
	case "join":
		var all []byte
		for i := range t.Inputs[0].Items {
			all = append(all, must("GET", fmt.Sprintf("/input/shout.loud/%d", i), nil)...)
		}
		must("POST", "/output/text", all)
	case "choose":
		must("POST", "/choose/"+t.Branches[len(t.Branches)-1], nil)
	}
	return nil
}

const letters = `
name: letters
functions:
  start: {compute: 1s, global_inputs: [12], outputs: {parts: {items: 3, size: {by_item: [1, 2, 3]}}}}
  shout: {foreach: start.parts, inputs: [start.parts], compute: 1s, outputs: {loud: 10}}
  join: {merge: true, inputs: [shout.loud], compute: 1s, outputs: {text: 30}}
  choose: {inputs: [join.text], switch: [{name: left, to: [end], probability: 1}, {name: right, to: [done], probability: 0}]}
  done: {compute: 1s}
  end: {end: true}
`

// call is a Call without any emulator.
type call struct {
	inputs    map[string][][]byte
	index, of int
	fan       int

	mu     sync.Mutex
	posted map[string][][]byte
	branch string
}

func (c *call) Items(name string) ([][]byte, error) { return c.inputs[name], nil }

func (c *call) Input(name string) ([]byte, error) {
	if len(c.inputs[name]) != 1 {
		return nil, fmt.Errorf("no such input: %w", bodies.ErrAbsent)
	}
	return c.inputs[name][0], nil
}
func (c *call) Index() (int, int)             { return c.index, c.of }
func (c *call) Fan(string) int                { return c.fan }
func (c *call) Size(_ string, i int) int64    { return int64(i + 1) }
func (c *call) Post(n string, p []byte) error { return c.PostList(n, [][]byte{p}) }

func (c *call) PostList(name string, items [][]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.posted == nil {
		c.posted = map[string][][]byte{}
	}
	if _, twice := c.posted[name]; twice {
		return errors.New("posted twice")
	}
	c.posted[name] = items
	return nil
}

func (c *call) Choose(b string) error { c.branch = b; return nil }

// none has no bodies.
type none struct{}

func (none) Body(context.Context, *workflow.Workflow, string) (bodies.Body, error) {
	return nil, bodies.ErrNone
}
func (none) GlobalInput(*workflow.Workflow, string, int) ([]byte, error) { return nil, bodies.ErrNone }

func parsed(t testing.TB) *workflow.Workflow {
	t.Helper()
	w, err := workflowfile.Parse("letters", []byte(letters))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// behaving returns bodies made of this program.
func behaving(t *testing.T, behaviour string) *command.Bodies {
	t.Helper()
	b := command.New([]string{os.Args[0], behaviour}, none{})
	t.Cleanup(b.Close)
	return b
}

func do(t *testing.T, ctx context.Context, b *command.Bodies, w *workflow.Workflow, function string, c *call) error {
	t.Helper()
	body, err := b.Body(ctx, w, function)
	if err != nil {
		t.Fatal(err)
	}
	return body(ctx, c)
}

// A program gets its inputs and posts its outputs, lists item by item in any
// order, and one process does so task after task.
func TestProgramsRunTasks(t *testing.T) {
	w, b := parsed(t), behaving(t, "works")
	start := &call{fan: 3, of: 1, inputs: map[string][][]byte{"global_inputs.0": {nil}}}
	if err := do(t, t.Context(), b, w, "start", start); err != nil {
		t.Fatal(err)
	}
	var loud [][]byte
	for i, part := range start.posted["parts"] {
		c := &call{index: i, of: 3, inputs: map[string][][]byte{"start.parts": {part}}}
		if err := do(t, t.Context(), b, w, "shout", c); err != nil {
			t.Fatal(err)
		}
		loud = append(loud, c.posted["loud"]...)
	}
	join := &call{of: 1, inputs: map[string][][]byte{"shout.loud": loud}}
	if err := do(t, t.Context(), b, w, "join", join); err != nil {
		t.Fatal(err)
	}
	if got, want := string(join.posted["text"][0]), "0/3 A\n1/3 BB\n2/3 CCC\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	choose := &call{of: 1, inputs: map[string][][]byte{"join.text": {nil}}}
	if err := do(t, t.Context(), b, w, "choose", choose); err != nil || choose.branch != "right" {
		t.Errorf("branch %q, %v", choose.branch, err)
	}
}

// Tasks of a function at the same time have a process each.
func TestTasksAtTheSameTime(t *testing.T) {
	w, b := parsed(t), behaving(t, "works")
	body, err := b.Body(t.Context(), w, "shout")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			c := &call{index: i, of: 8, inputs: map[string][][]byte{"start.parts": {[]byte("x")}}}
			if err := body(t.Context(), c); err != nil {
				t.Error(err)
			} else if got, want := string(c.posted["loud"][0]), fmt.Sprintf("%d/8 X\n", i); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
	all.Wait()
}

// A list without items is posted when the program is done.
func TestEmptyListsArePosted(t *testing.T) {
	c := &call{of: 1, inputs: map[string][][]byte{"global_inputs.0": {nil}}}
	err := do(t, t.Context(), behaving(t, "works"), parsed(t), "start", c)
	if items, ok := c.posted["parts"]; err != nil || !ok || len(items) > 0 {
		t.Errorf("%v, %v, %v", items, ok, err)
	}
}

// What a program gets wrong fails the task, and why is told, with what the
// program has printed.
func TestProgramsThatFail(t *testing.T) {
	for behaviour, want := range map[string]string{
		"fails":       "the program fails: cannot shout abc",
		"exits":       "has ended: it exits: the program says something",
		"posts twice": "item 0 of the list parts is posted twice",
	} {
		b, w := behaving(t, behaviour), parsed(t)
		function := "shout"
		if behaviour == "posts twice" {
			function = "start"
		}
		for range 2 { // The next task fares no better, and no worse.
			c := &call{fan: 1, of: 1, inputs: map[string][][]byte{"start.parts": {[]byte("abc")}, "global_inputs.0": {nil}}}
			if err := do(t, t.Context(), b, w, function, c); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", behaviour, err, want)
			}
		}
	}
	for _, args := range [][]string{nil, {"/there/is/no/such/program"}} {
		if _, err := command.New(args, none{}).Body(t.Context(), parsed(t), "shout"); err == nil || !strings.Contains(err.Error(), "the command that is to run functions") {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// A task that is killed takes its process with it, and the next has another.
func TestKilledTasks(t *testing.T) {
	b, w := behaving(t, "hangs"), parsed(t)
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		began := time.Now()
		c := &call{of: 1, inputs: map[string][][]byte{"start.parts": {nil}}}
		if err := do(t, ctx, b, w, "shout", c); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		cancel()
	}
}

// A body that there is goes first; a global input that only the command reads
// is as large as stated.
func TestOtherBodiesGoFirst(t *testing.T) {
	w, err := workflowfile.Parse("fp", []byte(strings.Replace(letters, "letters", "own", 1)))
	if err != nil {
		t.Fatal(err)
	}
	b := command.New([]string{os.Args[0], "works"}, bodies.Shipped{})
	defer b.Close()
	if content, err := b.GlobalInput(w, "start", 0); err != nil || len(content) != 12 {
		t.Errorf("%d bytes, %v", len(content), err)
	}
	if _, err := b.GlobalInput(w, "start", 1); err == nil {
		t.Error("there is a second global input")
	}
	if body, err := b.Body(t.Context(), w, "start"); err != nil || body == nil {
		t.Error(err)
	}
}
