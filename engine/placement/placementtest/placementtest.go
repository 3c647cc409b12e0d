// Package placementtest reads the reference cases that tests of placement and
// of the data rules share: a workflow, and what the FaaSFlow artefact makes of
// it.
//
// A case is a text of lines. The first word of a line says what it is; empty
// lines and lines that begin with # are skipped:
//
//	task|switch|end NAME COMPUTE CONTAINERS SPLIT TARGET SUCCESSOR...
//	output BYTES PRODUCER READER...
//	number NAME VALUE
//	group FUNCTION...
//
// COMPUTE is in seconds, CONTAINERS the number expected to run at a time (0:
// none), SPLIT the expected fan-out of a foreach, TARGET the artefact's data
// target: store, memory or store+memory. A switch has one branch for each
// successor, all equally likely. Functions are numbered in the order of their
// lines, and a successor may come before its predecessor.
package placementtest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Case is one reference case.
type Case struct {
	Workflow *workflow.Workflow
	// Targets holds the artefact's data target of each function.
	Targets []string
	// Groups are the groups of the artefact's partition.
	Groups [][]workflow.FunctionID
	// Numbers are the other expectations, by name.
	Numbers map[string]float64
}

// Group returns the number of each function's group.
func (c *Case) Group() []int32 {
	group := make([]int32, len(c.Workflow.Functions))
	for i, members := range c.Groups {
		for _, f := range members {
			group[f] = int32(i)
		}
	}
	return group
}

// Parse reads a case. The error names the line that is wrong.
func Parse(name, text string) (*Case, error) {
	p := parser{ids: map[string]workflow.FunctionID{}, result: &Case{Numbers: map[string]float64{}}}
	// The first pass learns the names, so that the second can resolve them.
	for _, pass := range []func(words []string) error{p.declare, p.define} {
		for number, line := range strings.Split(text, "\n") {
			words := strings.Fields(line)
			if len(words) == 0 || strings.HasPrefix(words[0], "#") {
				continue
			}
			if err := pass(words); err != nil {
				return nil, fmt.Errorf("%s, line %d: %w", name, number+1, err)
			}
		}
	}
	w, err := workflow.New(name, p.functions)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p.result.Workflow = w
	return p.result, nil
}

type parser struct {
	functions []workflow.Function
	ids       map[string]workflow.FunctionID
	result    *Case
}

var kinds = map[string]workflow.Kind{"task": workflow.Task, "switch": workflow.Switch, "end": workflow.End}

// declare notes the names of functions.
func (p *parser) declare(words []string) error {
	kind, isFunction := kinds[words[0]]
	if !isFunction {
		return nil
	}
	if len(words) < 6 {
		return fmt.Errorf("a function needs a name, compute time, containers, split ratio and target, in this order")
	}
	p.ids[words[1]] = workflow.FunctionID(len(p.functions))
	p.functions = append(p.functions, workflow.Function{Name: words[1], Kind: kind, Planning: &workflow.Planning{}})
	p.result.Targets = append(p.result.Targets, words[5])
	return nil
}

// define reads everything else.
func (p *parser) define(words []string) error {
	if _, isFunction := kinds[words[0]]; isFunction {
		return p.defineFunction(words)
	}
	switch words[0] {
	case "output":
		return p.defineOutput(words)
	case "number":
		if len(words) != 3 {
			return fmt.Errorf("a number needs a name and a value")
		}
		value, err := strconv.ParseFloat(words[2], 64)
		p.result.Numbers[words[1]] = value
		return err
	case "group":
		members, err := p.resolve(words[1:])
		p.result.Groups = append(p.result.Groups, members)
		return err
	}
	return fmt.Errorf("a line cannot begin with %q: write task, switch, end, output, number or group", words[0])
}

func (p *parser) defineFunction(words []string) error {
	id := p.ids[words[1]]
	f := &p.functions[id]
	var numbers [3]float64
	for i := range numbers {
		var err error
		if numbers[i], err = strconv.ParseFloat(words[2+i], 64); err != nil {
			return err
		}
	}
	f.Compute = workflow.Constant(numbers[0] * 1e9)
	f.Planning.Compute = numbers[0] * 1e9
	f.Planning.SplitRatio = numbers[2]
	if f.Planning.Containers = int(numbers[1]); f.Planning.Containers == 0 {
		f.Planning.Containers = -1
	}
	successors, err := p.resolve(words[6:])
	if err != nil {
		return err
	}
	for _, next := range successors {
		if f.Kind == workflow.Switch {
			f.Branches = append(f.Branches, workflow.Branch{
				To: []workflow.FunctionID{next}, Probability: 1 / float64(len(successors)),
			})
		} else {
			p.functions[next].After = append(p.functions[next].After, id)
		}
	}
	return nil
}

func (p *parser) defineOutput(words []string) error {
	if len(words) < 3 {
		return fmt.Errorf("an output needs its bytes and a producer")
	}
	size, err := strconv.ParseFloat(words[1], 64)
	if err != nil {
		return err
	}
	functions, err := p.resolve(words[2:])
	if err != nil {
		return err
	}
	from, readers := functions[0], functions[1:]
	number := len(p.functions[from].Outputs)
	p.functions[from].Outputs = append(p.functions[from].Outputs, workflow.Output{
		Name: strconv.Itoa(number), Size: workflow.Constant(size), PostedAt: 1,
	})
	for _, reader := range readers {
		p.functions[reader].Inputs = append(p.functions[reader].Inputs, workflow.Input{From: from, Output: int32(number)})
	}
	return nil
}

func (p *parser) resolve(names []string) ([]workflow.FunctionID, error) {
	ids := make([]workflow.FunctionID, len(names))
	for i, name := range names {
		id, known := p.ids[name]
		if !known {
			return nil, fmt.Errorf("there is no function %s", name)
		}
		ids[i] = id
	}
	return ids, nil
}
