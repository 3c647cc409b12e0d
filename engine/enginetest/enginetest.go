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
//	left 5ms
//	right end
//
// A function with reads= reads the (only) output of those named, and thereby
// comes after them, unless it says after=.
func Workflow(name, text string) (*workflow.Workflow, error) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	number := map[string]workflow.FunctionID{}
	for i, line := range lines {
		number[strings.Fields(line)[0]] = workflow.FunctionID(i)
	}
	functions := make([]workflow.Function, len(lines))
	for i, line := range lines {
		words := strings.Fields(line)
		f := &functions[i]
		f.Name = words[0]
		output := workflow.Output{Name: "out", Size: workflow.Constant(1000), PostedAt: 1}
		for _, word := range words[1:] {
			key, value, _ := strings.Cut(word, "=")
			branch, probability, isBranch := strings.Cut(word, ":")
			switch {
			case isBranch:
				p, _ := strconv.ParseFloat(probability, 64)
				f.Branches = append(f.Branches, workflow.Branch{
					Name: branch, To: []workflow.FunctionID{number[branch]}, Probability: p,
				})
			case key == "switch":
				f.Kind = workflow.Switch
			case key == "end":
				f.Kind = workflow.End
			case key == "merge":
				f.Merge = true
			case key == "cap":
				f.MaxContainers, _ = strconv.Atoi(value)
			case key == "list":
				n, _ := strconv.Atoi(value)
				output.List, output.Items = true, workflow.Constant(float64(n))
			case key == "foreach":
				f.Foreach = &workflow.OutputRef{Function: number[value]}
			case key == "after":
				for _, p := range strings.Split(value, ",") {
					f.After = append(f.After, number[p])
				}
			case key == "reads":
				for _, p := range strings.Split(value, ",") {
					f.Inputs = append(f.Inputs, workflow.Input{From: number[p]})
				}
			case strings.HasSuffix(word, "ms"):
				ms, err := strconv.Atoi(strings.TrimSuffix(word, "ms"))
				if err != nil {
					return nil, fmt.Errorf("line %d: %w", i+1, err)
				}
				f.Compute = workflow.Constant(float64(ms) * float64(engine.Millisecond))
			default:
				return nil, fmt.Errorf("line %d: what is %q?", i+1, word)
			}
		}
		if f.Kind == workflow.Task {
			f.Outputs = []workflow.Output{output}
		}
	}
	return workflow.New(name, functions)
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
