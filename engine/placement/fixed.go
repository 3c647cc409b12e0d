package placement

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Hash places a function by the hash of its name, as HyperFlow-serverless and
// the artefact's raw mode do. The artefact uses Python's string hash, which is
// different in every run; this one is 64-bit FNV-1a.
type Hash struct{}

// Place implements Placer.
func (Hash) Place(workflows []*workflow.Workflow, workers []Worker) (Placement, error) {
	return placeEach(workflows, workers, func(w *workflow.Workflow, f int) int32 {
		return hashWorker(w.Functions[f].Name, len(workers))
	})
}

// String returns "hash".
func (Hash) String() string { return "hash" }

func hashWorker(function string, workers int) int32 {
	h := fnv.New64a()
	h.Write([]byte(function)) // never fails
	return int32(h.Sum64() % uint64(workers))
}

// Spread places the functions of each workflow in turn, the first on worker
// 0. DataFlower does so with workflows for which it has no table.
type Spread struct{}

// Place implements Placer.
func (Spread) Place(workflows []*workflow.Workflow, workers []Worker) (Placement, error) {
	return placeEach(workflows, workers, func(_ *workflow.Workflow, f int) int32 {
		return int32(f % len(workers))
	})
}

// String returns "spread".
func (Spread) String() string { return "spread" }

func placeEach(workflows []*workflow.Workflow, workers []Worker, worker func(w *workflow.Workflow, f int) int32) (Placement, error) {
	if err := checkWorkers(workers); err != nil {
		return Placement{}, err
	}
	p := newPlacement(workflows)
	for i, w := range workflows {
		for f := range w.Functions {
			p.Worker[i][f] = worker(w, f)
		}
		p.groupByWorker(i)
		p.Cost.FunctionVisits += int64(len(w.Functions))
	}
	return p, nil
}

// Explicit is a table: workflow name, function name, index of the worker. It
// may name more workflows than are placed.
type Explicit map[string]map[string]int

// Place implements Placer. The error names every function that the table
// leaves out, puts on a worker that does not exist, or names in vain.
func (e Explicit) Place(workflows []*workflow.Workflow, workers []Worker) (Placement, error) {
	if err := checkWorkers(workers); err != nil {
		return Placement{}, err
	}
	p := newPlacement(workflows)
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	for i, w := range workflows {
		table, known := e[w.Name]
		if !known {
			problem("workflow %s is not in the placement table", w.Name)
			continue
		}
		unused := maps.Clone(table)
		for f := range w.Functions {
			name := w.Functions[f].Name
			worker, known := table[name]
			switch {
			case !known:
				problem("function %s of workflow %s is not in the placement table", name, w.Name)
			case worker < 0 || worker >= len(workers):
				problem("function %s of workflow %s is on worker-%d: there are worker-1 to worker-%d", name, w.Name, worker+1, len(workers))
			default:
				p.Worker[i][f] = int32(worker)
			}
			delete(unused, name)
		}
		for _, name := range slices.Sorted(maps.Keys(unused)) {
			problem("the placement table names function %s, which workflow %s does not have", name, w.Name)
		}
		p.groupByWorker(i)
		p.Cost.FunctionVisits += int64(len(w.Functions))
	}
	if len(problems) > 0 {
		return Placement{}, errors.Join(problems...)
	}
	return p, nil
}

// String returns "explicit".
func (Explicit) String() string { return "explicit" }
