package placement

import (
	"slices"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// DataFlower places the four workflows of DataFlower's artefact by its tables,
// which know up to three workers, and all others as Spread does. A workflow
// counts as one of the four if it has the functions of one, whatever a scenario
// calls it.
//
// The artefact places transcode of video on worker 0 or 2 by the last digit of
// the request, on three workers; here it is always worker 0. The function
// before it and the one after are on worker 1 in either case.
type DataFlower struct{}

// table is where functions are, by the number of workers from 1 on.
type table struct {
	functions []string
	workers   [3][]int32
}

// tables returns those of the artefact (gateway.py, main): of video, word count,
// recognizer and SVD.
func (DataFlower) tables() []table {
	return []table{
		{
			[]string{"upload", "split", "simple_process", "transcode", "merge"},
			[3][]int32{{0, 0, 0, 0, 0}, {0, 0, 0, 1, 1}, {0, 1, 1, 0, 1}},
		},
		{
			[]string{"start", "count", "merge"},
			[3][]int32{{0, 0, 0}, {0, 1, 1}, {0, 1, 2}},
		},
		{
			[]string{"upload", "adult", "violence", "mosaic", "extract", "translate", "censor"},
			[3][]int32{{0, 0, 0, 0, 0, 0, 0}, {0, 1, 1, 1, 1, 1, 1}, {0, 1, 2, 2, 1, 0, 1}},
		},
		{
			[]string{"start", "compute", "merge"},
			[3][]int32{{0, 0, 0}, {0, 1, 0}, {0, 1, 2}},
		},
	}
}

// Place implements Placer.
func (d DataFlower) Place(workflows []*workflow.Workflow, workers []Worker) (Placement, error) {
	tables := d.tables()
	return placeEach(workflows, workers, func(w *workflow.Workflow, f int) int32 {
		of := slices.IndexFunc(tables, func(t table) bool { return t.fits(w) })
		if of < 0 || len(workers) > len(tables[of].workers) {
			return int32(f % len(workers))
		}
		t := &tables[of]
		if at := slices.Index(t.functions, w.Functions[f].Name); at >= 0 {
			return t.workers[len(workers)-1][at]
		}
		return 0 // A switch, which is evaluated where its predecessor is.
	})
}

// fits reports whether a workflow has the functions of the table.
func (t *table) fits(w *workflow.Workflow) bool {
	tasks := 0
	for i := range w.Functions {
		if w.Functions[i].Kind == workflow.Task {
			tasks++
			if !slices.Contains(t.functions, w.Functions[i].Name) {
				return false
			}
		}
	}
	return tasks == len(t.functions)
}

// String returns "dataflower".
func (DataFlower) String() string { return "dataflower" }
