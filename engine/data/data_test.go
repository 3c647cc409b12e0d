package data

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine/placement/placementtest"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"pgregory.net/rapid"
)

// referenceCases are the artefact's eight workflows, partitioned by its own
// module.
func referenceCases(t *testing.T) []*placementtest.Case {
	t.Helper()
	files, err := filepath.Glob("../placement/testdata/*.txt")
	if err != nil || len(files) != 8 {
		t.Fatalf("found %d reference cases, want 8 (%v)", len(files), err)
	}
	var cases []*placementtest.Case
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := placementtest.Parse(strings.TrimSuffix(filepath.Base(file), ".txt"), string(text))
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	return cases
}

func parse(t *testing.T, text string) *placementtest.Case {
	t.Helper()
	c, err := placementtest.Parse("test", text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func names(targets []Target) []string {
	var result []string
	for _, target := range targets {
		result = append(result, target.String())
	}
	return result
}

func TestRemoteKeepsEverythingInTheStore(t *testing.T) {
	w := parse(t, "task a 1 3 1 - b\ntask b 1 3 1 -").Workflow
	if got := Remote(w); !slices.Equal(got, []Target{Store, Store}) {
		t.Errorf("targets %v", got)
	}
}

// In these cases every group is on a worker of its own.
func TestFaaStoreOnSmallWorkflows(t *testing.T) {
	for _, test := range []struct {
		name, text string
	}{
		{"read in its group only: memory; a result: store", `
			task a 1 3 1 memory b
			task b 1 3 1 store
			output 8 a b
			group a b`},
		{"read elsewhere only: store", `
			task a 1 3 1 store b
			task b 1 3 1 store
			output 8 a b
			group a
			group b`},
		{"read here and there: both", `
			task a 1 3 1 store+memory b c
			task b 1 3 1 store
			task c 1 3 1 store
			output 8 a b c
			group a b
			group c`},
		{"before a switch that leads elsewhere too: both", `
			task   a 1 3 1 store+memory s
			switch s 1 3 1 store+memory b c
			task   b 1 3 1 store
			task   c 1 3 1 store
			group a s b
			group c`},
		{"before a switch that leads only here: memory", `
			task   a 1 3 1 memory s
			switch s 1 3 1 memory b
			task   b 1 3 1 store
			group a s b`},
		{"read two steps on, elsewhere, which the artefact forgets: both", `
			task a 1 3 1 store+memory b
			task b 1 3 1 store c
			task c 1 3 1 store
			output 8 a b c
			group a b
			group c`},
		{"read two steps on, in its group, but triggering elsewhere: store", `
			task a 1 3 1 store b
			task b 1 3 1 store c
			task c 1 3 1 store
			output 8 a c
			group a c
			group b`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := parse(t, test.text)
			if got := names(FaaStore(c.Workflow, c.Group(), c.Group())); !slices.Equal(got, c.Targets) {
				t.Errorf("targets %v, want %v", got, c.Targets)
			}
		})
	}
}

func TestFaaStoreTakesAGroupApartThatIsOnTwoWorkers(t *testing.T) {
	w := parse(t, "task a 1 3 1 - b\ntask b 1 3 1 -\noutput 8 a b").Workflow
	if got := FaaStore(w, []int32{0, 0}, []int32{0, 1}); !slices.Equal(got, []Target{Store, Store}) {
		t.Errorf("targets %v, want the store for what is read on another worker", got)
	}
}

func TestArtefactsRuleOnItsOwnWorkflows(t *testing.T) {
	for _, c := range referenceCases(t) {
		t.Run(c.Workflow.Name, func(t *testing.T) {
			for f, target := range artefactFaaStore(c.Workflow, nearness{c.Group(), c.Group()}) {
				if target.String() != c.Targets[f] {
					t.Errorf("%s: %v, the artefact has %s", c.Workflow.Functions[f].Name, target, c.Targets[f])
				}
			}
		})
	}
}

// Wherever functions are placed, and whatever their groups are, each must find
// what it reads: in the store, or in its own node's memory.
func TestFaaStoreNeverLosesData(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, group, worker := drawPlaced(t)
		near := nearness{group, worker}
		safe, artefact := FaaStore(w, group, worker), artefactFaaStore(w, near)
		for i := range w.Functions {
			for _, in := range w.Functions[i].Inputs {
				if safe[in.From]&Store == 0 && !Local(safe[in.From], worker[in.From], worker[i]) {
					t.Fatalf("%d cannot read the output of %d", i, in.From)
				}
			}
			if len(w.Functions[i].Next) == 0 && safe[i]&Store == 0 {
				t.Fatalf("the result of %d is not in the store", i)
			}
			if safe[i]&^artefact[i]&^Store != 0 || artefact[i]&^safe[i] != 0 {
				t.Fatalf("%d: %v, the artefact has %v: only the store may be added", i, safe[i], artefact[i])
			}
		}
	})
}

func TestArtefactsRuleForgetsWhoReadsTwoStepsOn(t *testing.T) {
	c := parse(t, "task a 1 3 1 - b\ntask b 1 3 1 - c\ntask c 1 3 1 -\noutput 8 a b c")
	here := []int32{0, 0, 1} // c is elsewhere
	if got := artefactFaaStore(c.Workflow, nearness{here, here})[0]; got != Memory {
		t.Errorf("the output of a, which c reads, is put into %v", got)
	}
}

// drawPlaced makes a random graph in which functions also read from others
// than those that trigger them, and a random placement.
func drawPlaced(t *rapid.T) (w *workflow.Workflow, group, worker []int32) {
	n := rapid.IntRange(1, 12).Draw(t, "functions")
	functions := make([]workflow.Function, n)
	for i := range functions {
		f := &functions[i]
		f.Name = fmt.Sprint(i)
		f.Outputs = []workflow.Output{{Name: "data", Size: workflow.Constant(1)}}
		before := map[workflow.FunctionID]bool{}
		for j := range workflow.FunctionID(i) {
			if rapid.IntRange(0, 2).Draw(t, "edge") == 0 {
				f.After = append(f.After, j)
				before[j] = true
				for _, in := range functions[j].Inputs {
					before[in.From] = true
				}
			}
		}
		for j := range workflow.FunctionID(i) {
			if before[j] {
				f.Inputs = append(f.Inputs, workflow.Input{From: j})
			}
		}
		group = append(group, rapid.Int32Range(0, 2).Draw(t, "group"))
		worker = append(worker, rapid.Int32Range(0, 2).Draw(t, "worker"))
	}
	w, err := workflow.New("random", functions)
	if err != nil {
		t.Fatal(err)
	}
	return w, group, worker
}

func TestTargetNamesItsPlaces(t *testing.T) {
	for target, want := range map[Target]string{0: "", Store: "store", Memory: "memory", Store | Memory: "store+memory"} {
		if got := target.String(); got != want {
			t.Errorf("%d: %q, want %q", target, got, want)
		}
	}
}

func TestLocalNeedsTheSameWorkerAndMemory(t *testing.T) {
	for _, test := range []struct {
		producer       Target
		worker, reader int32
		want           bool
	}{
		{Memory, 1, 1, true},
		{Store | Memory, 1, 1, true},
		{Store, 1, 1, false},
		{Memory, 1, 2, false},
		{Store | Memory, 1, 2, false},
	} {
		if got := Local(test.producer, test.worker, test.reader); got != test.want {
			t.Errorf("%v of worker %d, read on %d: %v", test.producer, test.worker, test.reader, got)
		}
	}
}

func TestLocalityIsThatOfTheArtefact(t *testing.T) {
	for _, c := range referenceCases(t) {
		want, given := c.Numbers["local_read_bytes"]
		if !given {
			continue // its description leaves out most of what it reads
		}
		t.Run(c.Workflow.Name, func(t *testing.T) {
			got := LocalityOf(c.Workflow, c.Group(), FaaStore(c.Workflow, c.Group(), c.Group()))
			if got.LocalRead != want || got.RemoteRead != c.Numbers["remote_read_bytes"] {
				t.Errorf("%+v, the artefact has %v and %v", got, want, c.Numbers["remote_read_bytes"])
			}
		})
	}
}

func TestLocalFractionsThatThePaperTurnsOn(t *testing.T) {
	// Genome reads nearly everything remotely, although its functions are
	// grouped; soykb is cut.
	want := map[string]float64{"genome": 0.028886, "soykb": 0.796429, "cycles": 0.999775, "epigenomics": 0.999094}
	for _, c := range referenceCases(t) {
		if fraction, listed := want[c.Workflow.Name]; listed {
			got := LocalityOf(c.Workflow, c.Group(), FaaStore(c.Workflow, c.Group(), c.Group())).LocalFraction()
			if math.Abs(got-fraction) > 1e-6 {
				t.Errorf("%s: %.6f of the bytes are local, want %.6f", c.Workflow.Name, got, fraction)
			}
		}
	}
}

// Each of 8 instances reads its item of the list and all of the model, and the
// merge reads what the 8 have written. Global inputs do not count.
func TestLocalityCountsEveryInstanceOfAForeach(t *testing.T) {
	list := workflow.Output{Name: "texts", List: true, Size: workflow.Constant(100), Items: workflow.Constant(8)}
	w, err := workflow.New("wordcount", []workflow.Function{
		{Name: "start", Outputs: []workflow.Output{list, {Name: "model", Size: workflow.Constant(7)}},
			Inputs: []workflow.Input{{From: workflow.GlobalInput, Size: 1000}}},
		{Name: "count", Foreach: &workflow.OutputRef{}, Inputs: []workflow.Input{{Output: 0}, {Output: 1}},
			Outputs: []workflow.Output{{Name: "counts", Size: workflow.Constant(10)}}},
		{Name: "merge", Merge: true, Inputs: []workflow.Input{{From: 1}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := LocalityOf(w, []int32{0, 0, 1}, []Target{Memory, Store, Store})
	if want := (Locality{LocalRead: 8*100 + 8*7, RemoteRead: 8 * 10}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestLocalFractionOfNothingIsOne(t *testing.T) {
	if got := (Locality{}).LocalFraction(); got != 1 {
		t.Errorf("%v", got)
	}
}
