package placement

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine/placement/placementtest"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"pgregory.net/rapid"
)

func parse(t testing.TB, text string) *workflow.Workflow {
	t.Helper()
	c, err := placementtest.Parse("test", text)
	if err != nil {
		t.Fatal(err)
	}
	return c.Workflow
}

func mustPlaceIn(t *rapid.T, p Placer, workers []Worker, workflows []*workflow.Workflow) Placement {
	t.Helper()
	placement, err := p.Place(workflows, workers)
	if err != nil {
		t.Fatal(err)
	}
	return placement
}

func TestHashIsFNV1aOfTheName(t *testing.T) {
	w := parse(t, "task a 1 3 1 -\ntask foobar 1 3 1 -")
	// From the FNV reference: a → af63dc4c8601ec8c, foobar → 85944171f73967e8.
	workers := make([]Worker, 10)
	p := mustPlace(t, Hash{}, workers, w)
	want := []int32{int32(uint64(0xaf63dc4c8601ec8c) % 10), int32(uint64(0x85944171f73967e8) % 10)}
	if !reflect.DeepEqual(p.Worker, [][]int32{want}) {
		t.Errorf("workers %v, want %v", p.Worker, want)
	}
}

func TestSpreadTakesWorkersInTurn(t *testing.T) {
	w := parse(t, "task a 1 3 1 -\ntask b 1 3 1 -\ntask c 1 3 1 -\ntask d 1 3 1 -")
	p := mustPlace(t, Spread{}, make([]Worker, 3), w, w)
	if want := [][]int32{{0, 1, 2, 0}, {0, 1, 2, 0}}; !reflect.DeepEqual(p.Worker, want) {
		t.Errorf("workers %v, want %v", p.Worker, want)
	}
	if !reflect.DeepEqual(p.Group, p.Worker) {
		t.Errorf("groups %v, want a group for each worker", p.Group)
	}
}

func TestExplicitFollowsItsTable(t *testing.T) {
	w := parse(t, "task a 1 3 1 -\ntask b 1 3 1 -")
	for _, test := range []struct {
		name  string
		table Explicit
		want  []int32
		err   string
	}{
		{"complete", Explicit{"test": {"a": 1, "b": 0}, "another": {}}, []int32{1, 0}, ""},
		{"workflow missing", Explicit{}, nil, "workflow test is not in the placement table"},
		{"functions missing", Explicit{"test": {}}, nil,
			"function a of workflow test is not in the placement table\nfunction b of workflow test is not in the placement table"},
		{"out of range", Explicit{"test": {"a": 2, "b": -1}}, nil,
			"function a of workflow test is on worker-3: there are worker-1 to worker-2\nfunction b of workflow test is on worker-0: there are worker-1 to worker-2"},
		{"unknown function", Explicit{"test": {"a": 0, "b": 0, "z": 0, "c": 0}}, nil,
			"the placement table names function c, which workflow test does not have\nthe placement table names function z, which workflow test does not have"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := test.table.Place([]*workflow.Workflow{w}, make([]Worker, 2))
			if got := fmt.Sprint(err); err != nil && got != test.err || err == nil && test.err != "" {
				t.Errorf("error %q, want %q", got, test.err)
			}
			if err == nil && !reflect.DeepEqual(p.Worker[0], test.want) {
				t.Errorf("workers %v, want %v", p.Worker[0], test.want)
			}
		})
	}
}

func placers() []Placer {
	return []Placer{Hash{}, Spread{}, DataFlower{}, FaaSFlow{ArtefactParameters()}, FaaSFlowImproved{ArtefactParameters()}}
}

func TestEveryPlacerPutsEveryFunctionOnAWorkerThatExists(t *testing.T) {
	for _, placer := range placers() {
		t.Run(fmt.Sprint(placer), rapid.MakeCheck(func(t *rapid.T) {
			workflows := rapid.SliceOfN(rapid.Custom(drawWorkflow), 0, 3).Draw(t, "workflows")
			workers := drawWorkers(t)
			p := mustPlaceIn(t, placer, workers, workflows)
			for i, w := range workflows {
				if len(p.Worker[i]) != len(w.Functions) || len(p.Group[i]) != len(w.Functions) {
					t.Fatalf("workflow %d: %d workers and %d groups for %d functions", i, len(p.Worker[i]), len(p.Group[i]), len(w.Functions))
				}
				workerOf := map[int32]int32{}
				for f, worker := range p.Worker[i] {
					if worker < 0 || int(worker) >= len(workers) {
						t.Fatalf("workflow %d: function %d is on worker %d of %d", i, f, worker, len(workers))
					}
					group := p.Group[i][f]
					if first, known := workerOf[group]; known && first != worker {
						t.Fatalf("workflow %d: group %d is on workers %d and %d", i, group, first, worker)
					}
					workerOf[group] = worker
				}
			}
			if again := mustPlaceIn(t, placer, workers, workflows); !reflect.DeepEqual(again, p) {
				t.Fatalf("placed again, it is\n%v, was\n%v", again, p)
			}
		}))
	}
}

// Only the hash looks at names, so the improved placer must not change its
// mind when functions are renamed, nor must the groups that FaaSFlow makes
// where there is room for all.
func TestNamesDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorkflow(t)
		renamed := drawRenamed(t, w)
		workers := drawWorkers(t)
		improved := FaaSFlowImproved{ArtefactParameters()}
		was := mustPlaceIn(t, improved, workers, []*workflow.Workflow{w})
		is := mustPlaceIn(t, improved, workers, []*workflow.Workflow{renamed})
		if !reflect.DeepEqual(is, was) {
			t.Fatalf("renamed, it is placed\n%v, was\n%v", is, was)
		}
		roomy := ArtefactParameters()
		roomy.WorkerContainers = 1e6
		was = mustPlaceIn(t, FaaSFlow{roomy}, workers, []*workflow.Workflow{w})
		is = mustPlaceIn(t, FaaSFlow{roomy}, workers, []*workflow.Workflow{renamed})
		if !reflect.DeepEqual(is.Group, was.Group) {
			t.Fatalf("renamed, the groups are\n%v, were\n%v", is.Group, was.Group)
		}
	})
}

func TestPlacersSayWhatIsWrongWithTheWorkers(t *testing.T) {
	w := parse(t, "task a 1 3 1 -")
	for _, placer := range append(placers(), Explicit{"test": {"a": 0}}) {
		for _, test := range []struct {
			workers []Worker
			err     string
		}{
			{nil, "no workers"},
			{[]Worker{{}, {Memory: -1}}, "worker 1 has -1 bytes"},
		} {
			_, err := placer.Place([]*workflow.Workflow{w}, test.workers)
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v: error %v, want one about %q", placer, err, test.err)
			}
		}
	}
}

func TestPartitionsRefuseParametersOutOfRange(t *testing.T) {
	w := parse(t, "task a 1 3 1 -")
	parameters := ArtefactParameters()
	if err := parameters.Check(); err != nil {
		t.Errorf("the artefact's parameters are refused: %v", err)
	}
	parameters.NetworkBandwidth = 0
	for _, placer := range []Placer{FaaSFlow{parameters}, FaaSFlowImproved{parameters}} {
		_, err := placer.Place([]*workflow.Workflow{w}, sevenWorkers())
		if err == nil || !strings.Contains(err.Error(), "network bandwidth is 0") {
			t.Errorf("%v: error %v, want one about the network bandwidth", placer, err)
		}
	}
}

func TestWorkersHaveRoomInProportionToTheirMemory(t *testing.T) {
	for memory, want := range map[int64]float64{0: 96, 32 << 30: 96, 16 << 30: 48, 64 << 30: 192} {
		if got := ArtefactParameters().capacity(Worker{Memory: memory}); got != want {
			t.Errorf("%d bytes: %v containers, want %v", memory, got, want)
		}
	}
}

func TestPartitionSeesThePlanningOrElseTheFunction(t *testing.T) {
	const reclaimable = 0.55 * (256 << 20)
	functions := []workflow.Function{
		{Name: "silent", Compute: workflow.Exponential(2e9), Outputs: []workflow.Output{
			{Name: "list", List: true, Size: workflow.Constant(10), Items: workflow.Constant(4)}, {Name: "one", Size: workflow.Constant(2)},
		}},
		{Name: "foreach", Foreach: &workflow.OutputRef{}},
		{Name: "merge", Merge: true, After: []workflow.FunctionID{1}, Compute: workflow.Constant(1e9), Planning: &workflow.Planning{
			Compute: 5e9, OutputBytes: 77, SplitRatio: 2, Containers: -1, MemoryUsed: 0.5,
		}},
		{Name: "switch", Kind: workflow.Switch, After: []workflow.FunctionID{2}, Branches: []workflow.Branch{{To: []workflow.FunctionID{4}, Probability: 1}}},
		{Name: "end", Kind: workflow.End, Compute: workflow.Constant(9e9)},
	}
	w, err := workflow.New("planned", functions)
	if err != nil {
		t.Fatal(err)
	}
	for f, want := range []planned{
		{compute: 2, bytes: 42, containers: 3, reclaimable: reclaimable},
		{compute: 0, bytes: 0, containers: 3, reclaimable: 4 * reclaimable},
		{compute: 5, bytes: 77, containers: 0, reclaimable: 2 * 0.3 * (256 << 20)},
		{compute: 1, bytes: 0, containers: 3, reclaimable: 0},
		{compute: 1, bytes: 0, containers: 3, reclaimable: reclaimable},
	} {
		got := ArtefactParameters().plan(w, workflow.FunctionID(f))
		got.reclaimable, want.reclaimable = float64(int64(got.reclaimable+0.5)), float64(int64(want.reclaimable+0.5))
		if got != want {
			t.Errorf("%s: %+v, want %+v", functions[f].Name, got, want)
		}
	}
}

// Genome's cost must grow faster than its size with the artefact's algorithm,
// and in step with it with the improved one.
func TestCostCountsTheGrowthOfTheAlgorithm(t *testing.T) {
	growth := func(p Placer) float64 {
		workers := make([]Worker, 100)
		small := mustPlace(t, p, workers, genome(t, 100)).Cost.Total()
		large := mustPlace(t, p, workers, genome(t, 1000)).Cost.Total()
		return float64(large) / float64(small)
	}
	if got := growth(FaaSFlow{ArtefactParameters()}); got < 50 {
		t.Errorf("faasflow: ten times the functions cost %.1f times as much, want a quadratic growth", got)
	}
	if got := growth(FaaSFlowImproved{ArtefactParameters()}); got > 15 {
		t.Errorf("faasflow-improved: ten times the functions cost %.1f times as much, want a linear growth", got)
	}
}
