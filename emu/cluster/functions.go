package cluster

import (
	"context"
	"errors"
	"fmt"
	"path"

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
	// Scenarios say faasflow/wordcount.
	for _, name := range [...]string{w.Name + "/" + function, path.Base(w.Name) + "/" + function, function} {
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
	return function.Stated(w, name, n)
}

var _ function.Bodies = Functions(nil)
