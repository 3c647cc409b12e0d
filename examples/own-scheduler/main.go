// Command own-scheduler shows how to study a scheduler of one's own without
// changing flowtwin: implement what is new (here a placement), add it to the
// registry, and run any scenario with it.
//
//	go run ./examples/own-scheduler
package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"

	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/schedulers"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/results/views"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/sim"
)

//go:embed scenario.yaml
var scenario []byte

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	registry := schedulers.Builtin()
	registry.Placements = append(registry.Placements, schedulers.Placement{
		Name: "largest-input", About: "each function where the producer of its largest input is", Placer: largestInput{},
	})
	plan, err := scenarios.Parse("scenario.yaml", scenario, ".", scenarios.Options{Schedulers: registry})
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "own-scheduler-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	results, err := rundir.Execute(context.Background(), plan, sim.World{}, rundir.Options{Backend: "sim", Dir: dir})
	if err != nil {
		return err
	}
	fmt.Print(views.Results(results))
	for _, line := range views.Comparisons(results) {
		fmt.Println(line)
	}
	return nil
}

// largestInput places a function on the worker of the function that produces
// the largest of its inputs, so that these bytes stay there; functions without
// inputs take workers in turn.
type largestInput struct{}

// Place implements placement.Placer.
func (largestInput) Place(workflows []*workflow.Workflow, workers []placement.Worker) (placement.Placement, error) {
	var p placement.Placement
	for _, w := range workflows {
		at := make([]int32, len(w.Functions))
		turn := 0
		for _, f := range w.Order { // producers come before consumers
			var most float64
			producer := workflow.GlobalInput
			for _, in := range w.Functions[f].Inputs {
				if in.From == workflow.GlobalInput {
					continue
				}
				if bytes := w.InputBytes(f, in); bytes > most {
					most, producer = bytes, in.From
				}
			}
			if producer != workflow.GlobalInput {
				at[f] = at[producer]
				continue
			}
			at[f] = int32(turn % len(workers))
			turn++
		}
		p.Worker = append(p.Worker, at)
		p.Group = append(p.Group, at) // functions on one worker are a group
	}
	return p, nil
}
