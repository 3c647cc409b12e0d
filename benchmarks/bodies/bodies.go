package bodies

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Call is what a body is given: its inputs, a way to post its outputs, and
// what the workflow says of them. Payloads are shared, so a body changes
// neither what it was given nor what it has posted. A Call is used by one
// goroutine.
type Call interface {
	// Input returns an input by its name in the workflow file, such as
	// "start.file", or "global_inputs.0" for the first of the global ones. The
	// error is ErrAbsent if it is not there, because it was never written or a
	// switch has skipped who writes it, and another if there is no such input.
	Input(name string) ([]byte, error)
	// Items returns the items of a list, or what all instances of a foreach
	// have posted, in their order. Those that are absent are nil.
	Items(name string) ([][]byte, error)
	// Index says on which item of the innermost foreach the instance works,
	// and of how many: 0 and 1 outside of any.
	Index() (index, of int)
	// Fan returns how many items the workflow wants of a list.
	Fan(output string) int
	// Size returns how many bytes the workflow says an output has, or an item
	// of it if it is a list. A body need not keep to it.
	Size(output string, item int) int64
	// Post posts an output. Each has to be posted once; what an error says,
	// the body returns.
	Post(output string, payload []byte) error
	// PostList posts a list, which must have as many items as Fan says.
	PostList(output string, items [][]byte) error
	// Choose takes a branch, by its name. A switch has to choose once, and
	// posts nothing.
	Choose(branch string) error
}

// Body is what a function really does. It returns early, with ctx's error,
// when ctx ends. An error fails the task.
type Body func(ctx context.Context, c Call) error

// Errors of this package.
var (
	// ErrAbsent says that an input is not there.
	ErrAbsent = errors.New("this input is absent")
	// ErrNone says that a workflow has no real bodies.
	ErrNone = errors.New("there are no real bodies")
)

// Shipped are the bodies of the built-in workflows.
type Shipped struct{}

// Check says whether the workflow has bodies. It is one of the built-in ones,
// or one of the same name whose functions and outputs are called the same. The
// error is ErrNone if not, and lists those that have.
func (Shipped) Check(w *workflow.Workflow) error {
	_, err := find(w)
	return err
}

// Needs names the program that bodies of the workflow run, "" if they run
// none.
func (Shipped) Needs(w *workflow.Workflow) string {
	if k, err := find(w); err == nil {
		return k.needs
	}
	return ""
}

// Body returns the body of a function, once what it needs has been made: a
// picture or a film takes a second or two. It fails with ErrNone if there is
// none, and if a program that it needs is not installed.
func (Shipped) Body(ctx context.Context, w *workflow.Workflow, function string) (Body, error) {
	k, err := find(w)
	if err != nil {
		return nil, err
	}
	id, ok := w.Function(function)
	if !ok || w.Functions[id].Kind == workflow.End {
		return nil, fmt.Errorf("%w of %s.%s: no such function runs", ErrNone, w.Name, function)
	}
	body, err := k.functions[function].make(ctx, &w.Functions[id])
	if err != nil {
		return nil, fmt.Errorf("the body of %s.%s: %w", w.Name, function, err)
	}
	return body, nil
}

// GlobalInput returns what a global input of a function holds; n counts the
// global ones from 0.
func (Shipped) GlobalInput(w *workflow.Workflow, function string, n int) ([]byte, error) {
	k, err := find(w)
	if err != nil {
		return nil, err
	}
	if global := k.functions[function].global; n >= 0 && n < len(global) {
		return []byte(global[n]), nil
	}
	return nil, fmt.Errorf("%w that read global input %d of %s.%s", ErrNone, n, w.Name, function)
}

// kit holds the bodies of a workflow.
type kit struct {
	workflow  string
	needs     string // a program
	functions map[string]entry
}

// entry is a function of a kit.
type entry struct {
	outputs []string
	global  []string // what its global inputs hold
	make    func(ctx context.Context, f *workflow.Function) (Body, error)
}

// ready is an entry whose body needs nothing to be made.
func ready(b Body, outputs ...string) entry {
	return entry{outputs: outputs, make: func(context.Context, *workflow.Function) (Body, error) { return b, nil }}
}

// kits are those of the built-in workflows. Both papers have their own version
// of three of them.
func kits() []kit {
	return []kit{
		fileprocessing(),
		faasflowRecognizer(), dataflowerRecognizer(),
		svd(),
		faasflowVideo(), dataflowerVideo(),
		wordcount("wordcount", "result"), wordcount("res", "res"),
	}
}

// find returns the kit of a workflow.
func find(w *workflow.Workflow) (*kit, error) {
	var names []string
	closest, differs := -1, ""
	called := path.Base(w.Name) // Scenarios say faasflow/wordcount.
	for _, k := range kits() {
		if !slices.Contains(names, k.workflow) {
			names = append(names, k.workflow)
		}
		if called != k.workflow && !strings.HasPrefix(called, k.workflow+"-") {
			continue
		}
		switch at, how := k.differs(w); {
		case how == "":
			return &k, nil
		case at > closest: // Of several versions, it is most like this one.
			closest, differs = at, how
		}
	}
	if closest >= 0 {
		return nil, fmt.Errorf("%w of the workflow %s: it is called like a built-in one, but %s", ErrNone, w.Name, differs)
	}
	return nil, fmt.Errorf("%w of the workflow %s: there are for %s", ErrNone, w.Name, strings.Join(names, ", "))
}

// differs says at which function a workflow begins to differ from the one that
// the kit is made for, and how, or nothing.
func (k *kit) differs(w *workflow.Workflow) (at int, how string) {
	for i := range w.Functions {
		f := &w.Functions[i]
		if f.Kind == workflow.End {
			continue
		}
		e, ok := k.functions[f.Name]
		if !ok {
			return i, "it has a function " + f.Name + " that the built-in one has not"
		}
		outputs := make([]string, len(f.Outputs))
		for o := range outputs {
			outputs[o] = f.Outputs[o].Name
		}
		slices.Sort(outputs)
		if want := slices.Sorted(slices.Values(e.outputs)); !slices.Equal(outputs, want) {
			return i, fmt.Sprintf("%s posts [%s] where the built-in one posts [%s]", f.Name, strings.Join(outputs, " "), strings.Join(want, " "))
		}
	}
	return 0, ""
}

// stated returns about how many bytes an output has according to the workflow,
// all items together if it is a list.
func stated(f *workflow.Function, output string) int {
	for i := range f.Outputs {
		o := &f.Outputs[i]
		if o.Name != output {
			continue
		}
		if o.List {
			return int(o.Size.Total(o.Items.Mean()))
		}
		return int(o.Size.Mean())
	}
	return 0
}

// chooses is the body of a switch that reads a number: above one half, it
// takes the one branch, else the other.
func chooses(input, above, below string) entry {
	return ready(func(_ context.Context, c Call) error {
		text, err := c.Input(input)
		if err != nil {
			return err
		}
		value, err := parseNumber(text)
		if err != nil {
			return fmt.Errorf("%s: %w", input, err)
		}
		if value > 0.5 {
			return c.Choose(above)
		}
		return c.Choose(below)
	})
}

// A probability has eight characters, as much as flags count in the workflows.
func formatProbability(p float64) []byte { return strconv.AppendFloat(nil, p, 'f', 6, 64) }

func parseNumber(text []byte) (float64, error) {
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil || v != v {
		return 0, fmt.Errorf("%.20q is no number", text)
	}
	return v, nil
}
