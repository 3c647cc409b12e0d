package placement

import (
	"fmt"
	"slices"
	"testing"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"pgregory.net/rapid"
)

// genome returns a workflow like the genome benchmark: chromosomes of 25
// functions each, with sizes in the range of the artefact's.
func genome(t testing.TB, functions int) *workflow.Workflow {
	t.Helper()
	const chromosome, individuals, analyses = 25, 9, 14
	all := make([]workflow.Function, 0, functions)
	for c := 0; len(all) < functions; c++ {
		first := workflow.FunctionID(len(all))
		add := func(stage string, bytes float64, from ...workflow.FunctionID) {
			f := workflow.Function{
				Name:    fmt.Sprintf("%s_%08d", stage, len(all)+1),
				Compute: workflow.Constant(1e9),
				Outputs: []workflow.Output{{Name: "data", Size: workflow.Constant(bytes), PostedAt: 1}},
			}
			for _, u := range from {
				f.Inputs = append(f.Inputs, workflow.Input{From: u})
			}
			all = append(all, f)
		}
		var individual []workflow.FunctionID
		for i := range individuals {
			individual = append(individual, first+workflow.FunctionID(i))
			add("individuals", 30e3+1e3*float64((c*individuals+i)*37%256))
		}
		merge, sifting := first+individuals, first+individuals+1
		add("individuals_merge", 38e3, individual...)
		add("sifting", 6.2e6)
		for i := range analyses {
			stage := "mutation_overlap"
			if i >= analyses/2 {
				stage = "frequency"
			}
			add(stage, 300e3+1e3*float64((c*analyses+i)*731%2500), merge, sifting)
		}
		if len(all)%chromosome != 0 {
			t.Fatalf("a chromosome has %d functions", len(all))
		}
	}
	w, err := workflow.New("genome", all)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// drawWorkflow makes a random graph with many ties: few different sizes and
// compute times.
func drawWorkflow(t *rapid.T) *workflow.Workflow {
	n := rapid.IntRange(1, 24).Draw(t, "functions")
	density := rapid.IntRange(1, 10).Draw(t, "density")
	functions := make([]workflow.Function, n)
	before := make([][]int, n)
	small := rapid.IntRange(0, 3)
	// Numbers are shuffled so that edges do not always lead to later ones.
	number := rapid.Permutation(numbers(n)).Draw(t, "numbers")
	for i := range n {
		f := &functions[number[i]]
		f.Name = fmt.Sprintf("f%d", number[i])
		f.Kind = rapid.SampledFrom([]workflow.Kind{workflow.Task, workflow.Task, workflow.Task, workflow.Switch, workflow.End}).Draw(t, "kind")
		f.Compute = workflow.Constant(float64(small.Draw(t, "compute")) * 5e8)
		if rapid.Bool().Draw(t, "planned") {
			f.Planning = &workflow.Planning{
				Compute:     float64(small.Draw(t, "planned compute")) * 5e8,
				OutputBytes: float64(small.Draw(t, "planned bytes")) * 3e6,
				SplitRatio:  float64(small.Draw(t, "split ratio")),
				Containers:  rapid.IntRange(-1, 9).Draw(t, "containers"),
			}
		}
		for j := range i {
			from := number[j]
			if rapid.IntRange(0, 9).Draw(t, "edge") >= density {
				continue
			}
			before[i] = append(append(before[i], before[j]...), from)
			if functions[from].Kind == workflow.Switch {
				functions[from].Branches = append(functions[from].Branches, workflow.Branch{To: []workflow.FunctionID{workflow.FunctionID(number[i])}})
			} else {
				f.After = append(f.After, workflow.FunctionID(from))
			}
		}
		// It may read what any function before it has left, not only those that
		// trigger it.
		slices.Sort(before[i])
		before[i] = slices.Compact(before[i])
		for _, from := range before[i] {
			for output := range functions[from].Outputs {
				if rapid.Bool().Draw(t, "read") {
					f.Inputs = append(f.Inputs, workflow.Input{From: workflow.FunctionID(from), Output: int32(output)})
				}
			}
		}
		if f.Kind == workflow.Task {
			for o := range small.Draw(t, "outputs") {
				f.Outputs = append(f.Outputs, workflow.Output{
					Name: fmt.Sprint(o), Size: workflow.Constant(float64(small.Draw(t, "size")) * 2e6),
				})
			}
		}
	}
	for i := range functions {
		switch f := &functions[i]; {
		case f.Kind == workflow.Switch && len(f.Branches) == 0:
			f.Kind = workflow.End
		case f.Kind == workflow.Switch:
			for b := range f.Branches {
				f.Branches[b].Probability = 1 / float64(len(f.Branches))
			}
		}
	}
	w, err := workflow.New("random", functions)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func numbers(n int) []int {
	result := make([]int, n)
	for i := range result {
		result[i] = i
	}
	return result
}

// drawWorkers makes one to five workers, with room for 6 to 96 containers.
func drawWorkers(t *rapid.T) []Worker {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Worker {
		return Worker{Memory: rapid.SampledFrom([]int64{0, 2 << 30, 4 << 30, 8 << 30, 16 << 30}).Draw(t, "memory")}
	}), 1, 5).Draw(t, "workers")
}

// drawRenamed returns the workflow with other names for its functions.
func drawRenamed(t *rapid.T, w *workflow.Workflow) *workflow.Workflow {
	renamed := *w
	renamed.Functions = slices.Clone(w.Functions)
	names := rapid.SliceOfNDistinct(rapid.String(), len(w.Functions), len(w.Functions), rapid.ID[string]).Draw(t, "names")
	for f, name := range names {
		renamed.Functions[f].Name = name
	}
	return &renamed
}
