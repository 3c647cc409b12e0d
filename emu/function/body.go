package function

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Bodies finds what functions really do, and what their global inputs really
// hold; [bodies.Shipped] does for the built-in workflows.
type Bodies interface {
	// Body returns the body of a function or a switch, ready to run.
	Body(ctx context.Context, w *workflow.Workflow, function string) (bodies.Body, error)
	// GlobalInput returns what the n-th global input of a function holds,
	// from 0.
	GlobalInput(w *workflow.Workflow, function string, n int) ([]byte, error)
}

// Bind finds the bodies of functions that run, by workflow and function: of
// those that are wanted, or of all without want. Without b there are none.
func Bind(ctx context.Context, b Bodies, workflows []*workflow.Workflow, want func(engine.WorkflowID, workflow.FunctionID) bool) ([][]bodies.Body, error) {
	if b == nil {
		return nil, nil
	}
	all := make([][]bodies.Body, len(workflows))
	for i, w := range workflows {
		all[i] = make([]bodies.Body, len(w.Functions))
		for f := range w.Functions {
			if w.Functions[f].Kind == workflow.End || want != nil && !want(engine.WorkflowID(i), workflow.FunctionID(f)) {
				continue
			}
			var err error
			if all[i][f], err = b.Body(ctx, w, w.Functions[f].Name); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// Content returns what a global input holds: what b says, or what stands for
// it if there is no b.
func Content(b Bodies, w *workflow.Workflow, k *Key) ([]byte, error) {
	f := &w.Functions[k.Function]
	at := int(-1 - k.Output)
	if b == nil {
		return Payload(f.Inputs[at].Size, k), nil
	}
	return b.GlobalInput(w, f.Name, globalBefore(f, at))
}

// Stated returns what stands for the n-th global input of a function where
// nobody says what it holds: bytes of the size that the workflow states.
func Stated(w *workflow.Workflow, function string, n int) ([]byte, error) {
	id, ok := w.Function(function)
	if !ok {
		return nil, fmt.Errorf("%s has no function %s", w.Name, function)
	}
	for i, in := range w.Functions[id].Inputs {
		if in.From == workflow.GlobalInput && globalBefore(&w.Functions[id], i) == n {
			k := GlobalInput(0, id, i)
			return Payload(in.Size, &k), nil
		}
	}
	return nil, fmt.Errorf("%s of %s has no global input %d", function, w.Name, n)
}

// globalBefore counts the global inputs before one, by which their readers
// know them.
func globalBefore(f *workflow.Function, input int) int {
	n := 0
	for i := range input {
		if f.Inputs[i].From == workflow.GlobalInput {
			n++
		}
	}
	return n
}

// compute runs the body of a task.
func (r *run) compute(ctx context.Context) (engine.Outcome, error) {
	c := &call{run: r, ctx: ctx, posted: make([]bool, len(r.function.Outputs)), branch: -1}
	err := c.do()
	if err == nil {
		err = c.missing()
	}
	if err != nil {
		return engine.Failed, fmt.Errorf("the body of %s: %w", r.function.Name, err)
	}
	return engine.Completed, ctx.Err()
}

// choose runs the body of a switch. The branch is negative if it fails.
func (r *run) choose(ctx context.Context) (int, error) {
	c := &call{run: r, ctx: ctx, branch: -1}
	err := c.do()
	if err == nil && c.branch < 0 {
		err = errors.New("it has chosen no branch")
	}
	if err != nil {
		return -1, fmt.Errorf("the body of %s: %w", r.function.Name, err)
	}
	return c.branch, nil
}

// call is what a body sees of its task. It implements bodies.Call.
type call struct {
	run    *run
	ctx    context.Context
	posted []bool // by output
	branch int
}

// do runs the body. One that panics fails as a process that crashes would,
// and takes nobody with it.
func (c *call) do() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panics: %v", p)
		}
	}()
	return c.run.body(c.ctx, c)
}

// missing is the error of a body that ends before it has posted all.
func (c *call) missing() error {
	if i := slices.Index(c.posted, false); i >= 0 {
		return fmt.Errorf("it has not posted %s", c.run.function.Outputs[i].Name)
	}
	return nil
}

// Input implements bodies.Call.
func (c *call) Input(name string) ([]byte, error) {
	items, err := c.Items(name)
	switch {
	case err != nil:
		return nil, err
	case len(items) != 1:
		return nil, fmt.Errorf("input %s has %d items: ask for Items", name, len(items))
	case items[0] == nil:
		return nil, fmt.Errorf("input %s: %w", name, bodies.ErrAbsent)
	}
	return items[0], nil
}

// Items implements bodies.Call.
func (c *call) Items(name string) ([][]byte, error) {
	number := -1
	for i := range c.run.function.Inputs {
		if InputName(c.run.workflow, c.run.function, i) == name {
			number = i
		}
	}
	if number < 0 {
		return nil, fmt.Errorf("%s has no input %s", c.run.function.Name, name)
	}
	items := [][]byte{}
	for i := range c.run.inputs {
		if in := &c.run.inputs[i]; in.number == number {
			items = append(items, in.payload)
		}
	}
	return items, nil
}

// InputName is what bodies call an input of a function.
func InputName(w *workflow.Workflow, f *workflow.Function, i int) string {
	in := &f.Inputs[i]
	if in.From == workflow.GlobalInput {
		return "global_inputs." + strconv.Itoa(globalBefore(f, i))
	}
	from := &w.Functions[in.From]
	return from.Name + "." + from.Outputs[in.Output].Name
}

// Index implements bodies.Call.
func (c *call) Index() (index, of int) {
	last := c.run.task.Path.Last()
	return int(last.Index), int(last.Of)
}

// Fan implements bodies.Call.
func (c *call) Fan(output string) int {
	number, err := c.output(output)
	if err != nil {
		return 0
	}
	return c.run.fan(number)
}

// Size implements bodies.Call.
func (c *call) Size(output string, item int) int64 {
	number, err := c.output(output)
	if err != nil || item < 0 {
		return 0
	}
	k := c.run.key(number, item, c.run.fan(number))
	return c.run.runtime.Facts.Size(&c.run.task.Instance, number, k.Path)
}

func (c *call) output(name string) (int32, error) {
	for i := range c.run.function.Outputs {
		if c.run.function.Outputs[i].Name == name {
			return int32(i), nil
		}
	}
	return 0, fmt.Errorf("%s has no output %s", c.run.function.Name, name)
}

// Post implements bodies.Call.
func (c *call) Post(output string, payload []byte) error {
	return c.post(output, false, [][]byte{payload})
}

// PostList implements bodies.Call.
func (c *call) PostList(output string, items [][]byte) error { return c.post(output, true, items) }

func (c *call) post(name string, list bool, payloads [][]byte) error {
	number, err := c.output(name)
	if err != nil {
		return err
	}
	switch isList, fan := c.run.function.Outputs[number].List, c.run.fan(number); {
	case isList && !list:
		return fmt.Errorf("output %s is a list: post it with PostList", name)
	case list && !isList:
		return fmt.Errorf("output %s is no list: post it with Post", name)
	case c.posted[number]:
		return fmt.Errorf("output %s is posted twice", name)
	case len(payloads) != fan:
		return fmt.Errorf("output %s has %d items where the workflow wants %d", name, len(payloads), fan)
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	c.posted[number] = true
	data := make([]datum, len(payloads))
	for i, p := range payloads {
		data[i] = datum{c.run.key(number, i, len(payloads)), p}
	}
	if i := c.run.task; c.run.runtime.Returns && c.run.runtime.unread[i.Invocation.Workflow][i.Function][number] {
		c.run.result.Returned = append(c.run.result.Returned, Returned{number, payloads})
	}
	return c.run.post(c.ctx, number, data)
}

// Choose implements bodies.Call.
func (c *call) Choose(branch string) error {
	branches := c.run.function.Branches
	number := slices.IndexFunc(branches, func(b workflow.Branch) bool { return b.Name == branch })
	switch {
	case number < 0:
		return fmt.Errorf("%s has no branch %s", c.run.function.Name, branch)
	case c.branch >= 0:
		return fmt.Errorf("it has chosen %s already", branches[c.branch].Name)
	}
	c.branch = number
	return nil
}
