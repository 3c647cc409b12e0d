package function

import (
	"strconv"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Key names a datum: an output of a function instance, or one item of it if it
// is a list; Path then has a level more than the instance's. What attempts
// of an invocation write is kept apart.
type Key struct {
	Invocation engine.Invocation
	Function   workflow.FunctionID
	Output     int32
	Path       workflow.Path
}

// GlobalInput is the key of an input that no function produces, by the
// position of the input in its reader. All invocations read the same.
func GlobalInput(w engine.WorkflowID, reader workflow.FunctionID, input int) Key {
	return Key{Invocation: engine.Invocation{Workflow: w}, Function: reader, Output: -1 - int32(input)}
}

// Owner names the attempt that the datum belongs to, or what is common to all
// invocations of a workflow. It consists of digits and dots.
func (k *Key) Owner() string { return Owner(k.Invocation) }

// Owner names an attempt. Generations count from 1, so no attempt is called
// like the common inputs.
func Owner(i engine.Invocation) string {
	b := make([]byte, 0, 32)
	b = strconv.AppendUint(b, uint64(i.Workflow), 10)
	for _, n := range [...]uint64{uint64(i.Slot), uint64(i.Generation), uint64(i.Attempt)} {
		b = append(b, '.')
		b = strconv.AppendUint(b, n, 10)
	}
	return string(b)
}

// Name names the datum among those of its owner. It consists of digits,
// dashes and dots.
func (k *Key) Name() string {
	b := make([]byte, 0, 48)
	b = strconv.AppendInt(b, int64(k.Function), 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, int64(k.Output), 10)
	for i := range k.Path.Depth() {
		b = append(b, '.')
		b = strconv.AppendUint(b, uint64(k.Path.Level(i).Index), 10)
	}
	return string(b)
}

// Indices writes the indices of a path, with dots between them.
func Indices(p workflow.Path) string {
	b := make([]byte, 0, 16)
	for i := range p.Depth() {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendUint(b, uint64(p.Level(i).Index), 10)
	}
	return string(b)
}
