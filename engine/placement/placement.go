package placement

import (
	"errors"
	"fmt"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Worker is what a placer is told of a machine that runs functions.
type Worker struct {
	// Cores is not looked at by the placers of this package.
	Cores float64
	// Memory in bytes; 0 means that of a worker of FaaSFlow's testbed,
	// Parameters.WorkerMemory.
	Memory int64
}

// Placer decides which worker runs each function of the workflows. The result
// depends on its arguments only. The error says why no placement exists.
type Placer interface {
	Place(workflows []*workflow.Workflow, workers []Worker) (Placement, error)
}

// Placement is what a Placer decided.
type Placement struct {
	// Worker holds, for each workflow and function, an index into the workers.
	Worker [][]int32
	// Group holds, for each workflow and function, the number of its group.
	// Functions of one workflow with equal numbers are in one group. Placers
	// that know no groups put the functions on one worker into one.
	Group [][]int32
	Cost  Cost
}

// Cost counts what a placer did. It measures the work of the algorithm, not
// of the machine, so it is the same everywhere.
type Cost struct {
	// Iterations of the merge loop.
	Iterations int64
	// FunctionVisits counts functions looked at by longest-path passes, and
	// functions given a worker.
	FunctionVisits int64
	// Relaxations counts edges looked at by longest-path passes.
	Relaxations int64
	// Candidates counts edges examined to be merged.
	Candidates int64
	// WorkerProbes counts workers looked at for room.
	WorkerProbes int64
	// NeighbourProbes counts edges looked at to find the worker that a
	// function exchanges most with.
	NeighbourProbes int64
	// Merges of two groups.
	Merges int64
	// CapacityRejections counts candidates refused because no worker has room
	// for the merged group, and QuotaRejections those refused because memory
	// would exceed the quota. They are outcomes, not work of their own.
	CapacityRejections int64
	QuotaRejections    int64
}

// Total is the number of operations: of functions, edges and workers looked
// at, and of merges.
func (c Cost) Total() int64 {
	return c.FunctionVisits + c.Relaxations + c.Candidates + c.WorkerProbes + c.NeighbourProbes + c.Merges
}

// newPlacement makes room for a placement in which every function is a group
// of its own.
func newPlacement(workflows []*workflow.Workflow) Placement {
	p := Placement{Worker: make([][]int32, len(workflows)), Group: make([][]int32, len(workflows))}
	for i, w := range workflows {
		p.Worker[i] = make([]int32, len(w.Functions))
		p.Group[i] = make([]int32, len(w.Functions))
		for f := range p.Group[i] {
			p.Group[i][f] = int32(f)
		}
	}
	return p
}

// groupByWorker makes the functions on each worker a group: what a placer that
// knows no groups comes to.
func (p *Placement) groupByWorker(workflow int) {
	copy(p.Group[workflow], p.Worker[workflow])
}

// checkWorkers says what makes any placement impossible.
func checkWorkers(workers []Worker) error {
	if len(workers) == 0 {
		return errors.New("there are no workers to place functions on: add one to the cluster")
	}
	for i, w := range workers {
		if w.Memory < 0 {
			return fmt.Errorf("worker %d has %d bytes of memory: it must be at least 0 (0: as on FaaSFlow's testbed)", i, w.Memory)
		}
	}
	return nil
}
