package placement

import (
	"fmt"
	"slices"
	"testing"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"pgregory.net/rapid"
)

// plannedContainers returns how many containers each worker was given, by the
// improved placer's count.
func plannedContainers(p Placement, workflows []*workflow.Workflow, workers int) []float64 {
	used := make([]float64, workers)
	for i, w := range workflows {
		for f := range w.Functions {
			used[p.Worker[i][f]] += ArtefactParameters().containersFor(w, workflow.FunctionID(f))
		}
	}
	return used
}

// The artefact leaves 97 % of what genome reads in the store, since its
// longest path leads past the edges that carry it.
func TestImprovedMakesNearlyAllReadsOfGenomeLocal(t *testing.T) {
	cases := referenceCases(t)
	genomeCase := cases[slices.Index(artefactOrder, "genome")]
	for _, test := range []struct {
		name     string
		workflow *workflow.Workflow
		workers  int
	}{
		{"the artefact's 50 functions", genomeCase.Workflow, 7},
		{"200 functions", genome(t, 200), 8},
		{"1000 functions", genome(t, 1000), 40},
	} {
		t.Run(test.name, func(t *testing.T) {
			workers := make([]Worker, test.workers)
			p := mustPlace(t, FaaSFlowImproved{ArtefactParameters()}, workers, test.workflow)
			if got := locality(test.workflow, p.Group[0], p.Worker[0]).LocalFraction(); got < 0.999 {
				t.Errorf("%.1f %% of the bytes are read locally, want nearly all", 100*got)
			}
		})
	}
}

func TestImprovedIsNeverLessLocalThanTheArtefact(t *testing.T) {
	cases := referenceCases(t)
	compare := func(t *testing.T, workers []Worker, workflows ...*workflow.Workflow) {
		t.Helper()
		artefact := mustPlace(t, FaaSFlow{ArtefactParameters()}, workers, workflows...)
		improved := mustPlace(t, FaaSFlowImproved{ArtefactParameters()}, workers, workflows...)
		for i, w := range workflows {
			was := locality(w, artefact.Group[i], artefact.Worker[i]).LocalRead
			is := locality(w, improved.Group[i], improved.Worker[i]).LocalRead
			if is < was {
				t.Errorf("%s reads %.0f bytes locally, placed by the artefact %.0f", w.Name, is, was)
			}
		}
	}
	for _, c := range cases {
		t.Run(c.Workflow.Name, func(t *testing.T) { compare(t, sevenWorkers(), c.Workflow) })
	}
	t.Run("all", func(t *testing.T) { compare(t, sevenWorkers(), workflowsOf(cases)...) })
	t.Run("all on three workers, too few", func(t *testing.T) { compare(t, make([]Worker, 3), workflowsOf(cases)...) })
	t.Run("all on one worker, too few", func(t *testing.T) { compare(t, make([]Worker, 1), workflowsOf(cases)...) })
}

func TestImprovedKeepsToTheRoomThereIs(t *testing.T) {
	workflows := workflowsOf(referenceCases(t))
	p := mustPlace(t, FaaSFlowImproved{ArtefactParameters()}, sevenWorkers(), workflows...)
	used := plannedContainers(p, workflows, 7)
	sum := 0.0
	for worker, n := range used {
		sum += n
		if n > 96 {
			t.Errorf("worker %d was given %v containers, it has room for 96", worker, n)
		}
	}
	if sum < 600 {
		t.Errorf("only %v containers were placed, so this shows little", sum)
	}
}

// Where first-fit decreasing fits all functions in, so must the improved
// placer, however tight it is.
func TestImprovedOvercommitsOnlyWhereFirstFitDecreasingDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		workflows := rapid.SliceOfN(rapid.Custom(drawWorkflow), 1, 3).Draw(t, "workflows")
		workers := drawWorkers(t)
		p := mustPlaceIn(t, FaaSFlowImproved{ArtefactParameters()}, workers, workflows)

		var free, items []float64
		for _, w := range workers {
			free = append(free, ArtefactParameters().capacity(w))
		}
		for _, w := range workflows {
			for f := range w.Functions {
				items = append(items, ArtefactParameters().containersFor(w, workflow.FunctionID(f)))
			}
		}
		slices.Sort(items)
		for _, item := range slices.Backward(items) {
			worker := slices.IndexFunc(free, func(room float64) bool { return room >= item })
			if worker < 0 {
				return
			}
			free[worker] -= item
		}
		for i, n := range plannedContainers(p, workflows, len(workers)) {
			if room := ArtefactParameters().capacity(workers[i]); n > room {
				t.Fatalf("worker %d was given %v containers, it has room for %v", i, n, room)
			}
		}
	})
}

// Putting each function where most room is left comes to 30+16, 24+18 and
// 24+16, and there is no room for the last 16. But 30+18, 24+24 and 16+16+16
// fit.
func TestImprovedFitsTightlyRatherThanOvercommit(t *testing.T) {
	w := parse(t, `
		task a 1 30 1 -
		task b 1 24 1 -
		task c 1 24 1 -
		task d 1 18 1 -
		task e 1 16 1 -
		task f 1 16 1 -
		task g 1 16 1 -`)
	workers := make([]Worker, 3)
	for i := range workers {
		workers[i].Memory = 16 << 30 // 48 containers
	}
	p := mustPlace(t, FaaSFlowImproved{ArtefactParameters()}, workers, w)
	if used := plannedContainers(p, []*workflow.Workflow{w}, 3); !slices.Equal(used, []float64{48, 48, 48}) {
		t.Errorf("the workers were given %v containers, want 48 each", used)
	}
}

// 90 containers fit into twice 48, but not in threes of 30.
func TestImprovedOvercommitsLittleWhereThePiecesDoNotFit(t *testing.T) {
	w := parse(t, `
		task a 1 30 1 - b
		task b 1 30 1 -
		task c 1 30 1 -
		output 500 a b`)
	p := mustPlace(t, FaaSFlowImproved{ArtefactParameters()}, []Worker{{Memory: 16 << 30}, {Memory: 16 << 30}}, w)
	used := plannedContainers(p, []*workflow.Workflow{w}, 2)
	if slices.Sort(used); !slices.Equal(used, []float64{30, 60}) {
		t.Errorf("the workers were given %v containers, want 30 and 60", used)
	}
}

func TestImprovedOvercommitsAllWorkersAlikeWhenThereIsTooLittleRoom(t *testing.T) {
	w := genome(t, 1000) // 3000 containers
	workers := []Worker{{Memory: 32 << 30}, {Memory: 32 << 30}, {Memory: 64 << 30}}
	p := mustPlace(t, FaaSFlowImproved{ArtefactParameters()}, workers, w)
	used := plannedContainers(p, []*workflow.Workflow{w}, 3)
	for i, want := range []float64{750, 750, 1500} {
		if used[i] < 0.85*want || used[i] > 1.06*want {
			t.Errorf("worker %d was given %v containers, want about %v", i, used[i], want)
		}
	}
}

// Two chains are too large for one worker each. The parts of a chain go to
// workers of their own, and only one edge of each is cut.
func TestImprovedCutsWhereLittleFlows(t *testing.T) {
	text := ""
	for _, chain := range []string{"a", "b"} {
		for i := range 8 {
			text += fmt.Sprintf("task %s%d 1 12 1 -", chain, i)
			if i < 7 {
				text += fmt.Sprintf(" %s%d", chain, i+1)
			}
			text += "\n"
		}
		for i := range 7 {
			size := 1000
			if i == 3 {
				size = 10
			}
			text += fmt.Sprintf("output %d %s%d %s%d\n", size, chain, i, chain, i+1)
		}
	}
	w := parse(t, text)
	workers := make([]Worker, 4)
	for i := range workers {
		workers[i].Memory = 16 << 30 // 48 containers: four functions
	}
	p := mustPlace(t, FaaSFlowImproved{ArtefactParameters()}, workers, w)
	got := locality(w, p.Group[0], p.Worker[0])
	if got.RemoteRead != 20 || got.LocalRead != 12000 {
		t.Errorf("%+v, want only the two edges of 10 bytes remote", got)
	}
}

func TestImprovedAddsUpAllThatAFunctionReadsFromAnother(t *testing.T) {
	// No worker has room for more than two of the three.
	w := parse(t, `
		task one 1 48 1 - reader
		task two 1 48 1 - reader
		task reader 1 48 1 -
		output 100 one reader
		output 60 two reader
		output 60 two reader`)
	p := mustPlace(t, FaaSFlowImproved{ArtefactParameters()}, make([]Worker, 2), w)
	if got := locality(w, p.Group[0], p.Worker[0]); got.LocalRead != 120 {
		t.Errorf("%+v, want the 120 bytes local that are read from two", got)
	}
}

func TestImprovedKeepsTogetherWhatOnlyTriggersOneAnother(t *testing.T) {
	w := parse(t, `
		task a 1 48 1 - c
		task b 1 48 1 - d
		task c 1 48 1 -
		task d 1 48 1 -`)
	p := mustPlace(t, FaaSFlowImproved{ArtefactParameters()}, make([]Worker, 2), w)
	if got := p.Worker[0]; !slices.Equal(got, []int32{0, 1, 0, 1}) {
		t.Errorf("workers %v, want a with c and b with d", got)
	}
}

func TestImprovedSpreadsWhatExchangesNothing(t *testing.T) {
	w := parse(t, "task a 1 3 1 -\ntask b 1 3 1 -\ntask c 1 3 1 -\ntask d 1 3 1 -")
	p := mustPlace(t, FaaSFlowImproved{ArtefactParameters()}, make([]Worker, 3), w)
	if got := p.Worker[0]; !slices.Equal(got, []int32{0, 1, 2, 0}) {
		t.Errorf("workers %v, want each on the one with most room, the first of equals", got)
	}
}

func TestImprovedPlacesLargeGroupsBeforeSmallOnesTakeTheirRoom(t *testing.T) {
	w := parse(t, `
		task small1 1 30 1 -
		task small2 1 30 1 -
		task a 1 45 1 - b
		task b 1 45 1 -`)
	p := mustPlace(t, FaaSFlowImproved{ArtefactParameters()}, make([]Worker, 2), w)
	if got := p.Worker[0]; !slices.Equal(got, []int32{1, 1, 0, 0}) {
		t.Errorf("workers %v, want a and b on one, the small ones on the other", got)
	}
}

func TestImprovedLeavesNoFunctionThatWouldExchangeMoreElsewhere(t *testing.T) {
	for _, c := range referenceCases(t) {
		w := c.Workflow
		workflows := []*workflow.Workflow{w}
		p := mustPlace(t, FaaSFlowImproved{ArtefactParameters()}, sevenWorkers(), workflows...)
		traffic := newTraffic(ArtefactParameters(), workflows)
		used := plannedContainers(p, workflows, 7)
		for f, here := range p.Worker[0] {
			exchanged := make([]float64, 7)
			for _, e := range traffic.flows {
				if e.from == int32(f) {
					exchanged[p.Worker[0][e.to]] += e.bytes
				}
				if e.to == int32(f) {
					exchanged[p.Worker[0][e.from]] += e.bytes
				}
			}
			for there, bytes := range exchanged {
				if bytes > exchanged[here] && used[there]+traffic.containers[f] <= 96 {
					t.Errorf("%s: %s is on worker %d, but exchanges more with worker %d, which has room for it", w.Name, w.Functions[f].Name, here, there)
				}
			}
		}
	}
}

// Neither worker has room left for the three functions of the chain, one has
// room for two.
func TestImprovedTakesAGroupApartWhereItExchangesLeast(t *testing.T) {
	for _, test := range []struct{ ab, bc int }{{500, 100}, {100, 500}} {
		w := parse(t, fmt.Sprintf(`
			task other1 1 66 1 -
			task other2 1 80 1 -
			task a 1 15 1 - b
			task b 1 15 1 - c
			task c 1 15 1 -
			output %d a b
			output %d b c`, test.ab, test.bc))
		p := mustPlace(t, FaaSFlowImproved{ArtefactParameters()}, make([]Worker, 2), w)
		if got := locality(w, p.Group[0], p.Worker[0]); got.LocalRead != 500 || got.RemoteRead != 100 {
			t.Errorf("%v: workers %v, want only the lighter edge cut", test, p.Worker[0])
		}
	}
}

func TestImprovedPlansAContainerForEachInstance(t *testing.T) {
	functions := []workflow.Function{
		{Name: "split", Outputs: []workflow.Output{{Name: "pieces", List: true, Items: workflow.Constant(8)}}},
		{Name: "work", Foreach: &workflow.OutputRef{}, Outputs: []workflow.Output{{Name: "part"}}},
		{Name: "check", After: []workflow.FunctionID{1}, Planning: &workflow.Planning{Containers: 2}},
		{Name: "merge", Merge: true, After: []workflow.FunctionID{2}},
		{Name: "switch", Kind: workflow.Switch, After: []workflow.FunctionID{3}, Branches: []workflow.Branch{{To: []workflow.FunctionID{5}, Probability: 1}}},
		{Name: "end", Kind: workflow.End},
		{Name: "hinted", Planning: &workflow.Planning{SplitRatio: 4.5}},
	}
	w, err := workflow.New("foreach", functions)
	if err != nil {
		t.Fatal(err)
	}
	for f, want := range []float64{3, 8, 2, 3, 0, 0, 5} {
		if got := ArtefactParameters().containersFor(w, workflow.FunctionID(f)); got != want {
			t.Errorf("%s: %v containers, want %v", functions[f].Name, got, want)
		}
	}
}

func TestImprovedTakesAMillionFunctions(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a gigabyte and a few seconds")
	}
	const n = 1_000_000
	w := genome(t, n)
	workers := make([]Worker, 64)
	for i := range workers {
		workers[i].Memory = n / 64 * (33 << 30) / 32 // 3 % more than is needed
	}
	p := mustPlace(t, FaaSFlowImproved{ArtefactParameters()}, workers, w)
	if got := locality(w, p.Group[0], p.Worker[0]).LocalFraction(); got < 0.99 {
		t.Errorf("%.1f %% of the bytes are read locally, want nearly all", 100*got)
	}
	for i, used := range plannedContainers(p, []*workflow.Workflow{w}, len(workers)) {
		if room := ArtefactParameters().capacity(workers[i]); used > room {
			t.Fatalf("worker %d was given %v containers, it has room for %v", i, used, room)
		}
	}
	// Near-linear: a handful of operations for each function and edge.
	if total := p.Cost.Total(); total > 30*n {
		t.Errorf("%d operations for %d functions", total, n)
	}
}
