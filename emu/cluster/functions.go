package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Functions are bodies by "workflow/function", or by "function" for that of all
// workflows. Functions of the built-in workflows that are not among them have
// their own. They implement function.Bodies; what else a function reads than
// outputs of others are bytes of the size that the workflow says.
type Functions map[string]bodies.Body

// Body implements function.Bodies.
func (f Functions) Body(ctx context.Context, w *workflow.Workflow, function string) (bodies.Body, error) {
	for _, name := range [...]string{w.Name + "/" + function, function} {
		if body := f[name]; body != nil {
			return body, nil
		}
	}
	body, err := bodies.Shipped{}.Body(ctx, w, function)
	if errors.Is(err, bodies.ErrNone) {
		return nil, fmt.Errorf("%w of %s/%s: the functions of the cluster have no such name", bodies.ErrNone, w.Name, function)
	}
	return body, err
}

// GlobalInput implements function.Bodies.
func (f Functions) GlobalInput(w *workflow.Workflow, name string, n int) ([]byte, error) {
	content, err := bodies.Shipped{}.GlobalInput(w, name, n)
	if !errors.Is(err, bodies.ErrNone) {
		return content, err
	}
	id, ok := w.Function(name)
	if !ok {
		return nil, fmt.Errorf("%s has no function %s", w.Name, name)
	}
	for i, in := range w.Functions[id].Inputs {
		if in.From != workflow.GlobalInput {
			continue
		}
		if n == 0 {
			k := function.GlobalInput(0, id, i)
			return function.Payload(in.Size, &k), nil
		}
		n--
	}
	return nil, fmt.Errorf("%s of %s has no such global input", name, w.Name)
}

var _ function.Bodies = Functions(nil)
