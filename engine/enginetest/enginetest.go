// Package enginetest drives engines through small runs, for tests of control
// schemes.
//
// A [Driver] is a world as simple as can be: a message takes 1 ms, a container
// starts in 100 ms, a function takes its mean compute time, data take no time.
// All of that can be replaced, and nodes and connections can fail. The driver
// does what the contract of package engine asks of it, and makes sure that the
// engine keeps to its own side.
//
// A [Script] makes a run from a few lines of text and writes down what happens,
// for golden files that one can read. [RandomWorkflow], [Dice] and [Expected]
// serve to test properties: whatever the workflow, and whatever comes first,
// exactly those instances run that have to.
package enginetest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Workflow reads a workflow from lines such as
//
//	start 20ms list=3
//	count 50ms foreach=start reads=start
//	merge 10ms merge reads=count
//	choose switch after=merge left:1 right:0
//	left 5ms cap=2
//	right end
//
// A function with reads= reads the (only) output of those named, and thereby
// comes after them, unless it says after=. With the word first, the first of
// those that it comes after triggers it. An output has 1000 bytes, or size=, and
// is posted at the end, or at the share of the compute time that posted= says.
func Workflow(name, text string) (*workflow.Workflow, error) {
	r := reader{number: map[string]workflow.FunctionID{}}
	var lines [][]string
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 0 {
			r.number[words[0]] = workflow.FunctionID(len(lines))
			lines = append(lines, words)
		}
	}
	functions := make([]workflow.Function, len(lines))
	for i, words := range lines {
		f, err := r.function(words)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", words[0], err)
		}
		functions[i] = f
	}
	return workflow.New(name, functions)
}

// reader reads the lines of a workflow.
type reader struct {
	number map[string]workflow.FunctionID
}

func (r *reader) function(words []string) (workflow.Function, error) {
	f := workflow.Function{Name: words[0]}
	output := workflow.Output{Name: "out", Size: workflow.Constant(1000), PostedAt: 1}
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		branch, probability, isBranch := strings.Cut(word, ":")
		var err error
		switch {
		case isBranch:
			b := workflow.Branch{Name: branch}
			if b.To, err = r.named(branch); err == nil {
				b.Probability, err = strconv.ParseFloat(probability, 64)
			}
			f.Branches = append(f.Branches, b)
		case key == "switch":
			f.Kind = workflow.Switch
		case key == "end":
			f.Kind = workflow.End
		case key == "first":
			f.Join = workflow.JoinFirst
		case key == "merge":
			f.Merge = true
		case key == "cap":
			f.MaxContainers, err = strconv.Atoi(value)
		case key == "list":
			var n int
			n, err = strconv.Atoi(value)
			output.List, output.Items = true, workflow.Constant(float64(n))
		case key == "size":
			var bytes int
			bytes, err = strconv.Atoi(value)
			output.Size = workflow.Constant(float64(bytes))
		case key == "posted":
			output.PostedAt, err = strconv.ParseFloat(value, 64)
		case key == "foreach":
			var over []workflow.FunctionID
			if over, err = r.named(value); err == nil {
				f.Foreach = &workflow.OutputRef{Function: over[0]}
			}
		case key == "after":
			f.After, err = r.named(value)
		case key == "reads":
			var from []workflow.FunctionID
			from, err = r.named(value)
			for _, p := range from {
				f.Inputs = append(f.Inputs, workflow.Input{From: p})
			}
		case strings.HasSuffix(word, "ms"):
			var ms int
			ms, err = strconv.Atoi(strings.TrimSuffix(word, "ms"))
			f.Compute = workflow.Constant(float64(ms) * float64(engine.Millisecond))
		default:
			err = errors.New("what is that?")
		}
		if err != nil {
			return f, fmt.Errorf("%q: %w", word, err)
		}
	}
	if f.Kind == workflow.Task {
		f.Outputs = []workflow.Output{output}
	}
	return f, nil
}

// named returns the functions of a list of names.
func (r *reader) named(names string) ([]workflow.FunctionID, error) {
	var functions []workflow.FunctionID
	for name := range strings.SplitSeq(names, ",") {
		f, known := r.number[name]
		if !known {
			return nil, fmt.Errorf("there is no function %q", name)
		}
		functions = append(functions, f)
	}
	return functions, nil
}

// Cluster returns a cluster of a gateway, a storage node and workers.
func Cluster(workers int) engine.Cluster {
	c := engine.Cluster{Gateway: 0, Storage: 1}
	for i := range workers {
		c.Workers = append(c.Workers, engine.NodeID(2+i))
	}
	c.Capacity = make([]placement.Worker, workers)
	return c
}
