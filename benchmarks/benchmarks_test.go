package benchmarks_test

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/benchmarks"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
	"github.com/goccy/go-yaml"
)

// all returns the names of all built-in workflows.
func all() []string {
	names := benchmarks.Names()
	for _, f := range benchmarks.Families() {
		names = append(names, f.Workflows()...)
	}
	return names
}

func lookup(t testing.TB, name string) *workflow.Workflow {
	t.Helper()
	w, err := benchmarks.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// The numbers are those of the artefact's workflow descriptions (the synthetic
// four) and of what its functions really do (the other four).
func TestTheBuiltInWorkflowsAreThoseOfThePaper(t *testing.T) {
	for name, want := range map[string]struct {
		functions, edges, starts  int
		outputs, inputs, global   int // keys
		written, read, globalRead float64
		critical                  float64 // s
		maxContainers             int
		foreach, merges, switches int
	}{
		"cycles":         {46, 52, 10, 106, 132, 180, 1208319438, 1434051625, 31413349, 4, 10, 0, 0, 0},
		"epigenomics":    {45, 50, 3, 51, 50, 79, 39627314, 39363288, 3257721, 9, 1, 0, 0, 0},
		"genome":         {50, 74, 20, 50, 74, 66, 52461565, 177011979, 96185456, 3, 1, 0, 0, 0},
		"soykb":          {45, 77, 2, 84, 148, 405, 25509258, 45898409, 55172785, 11, 1, 0, 0, 0},
		"fileprocessing": {4, 4, 1, 3, 4, 1, 59200194, 88800288, 8, 8.09, 10, 0, 0, 0},
		"wordcount":      {3, 2, 1, 3, 2, 0, 3383449 + 736992 + 325053, 3383449 + 736992, 0, 0.19, 60, 1, 1, 0},

		// The recognizer puts its image and 9 keys of 8 bytes if nothing is
		// illegal, and the mosaic writes the image again, with its name.
		"recognizer": {10, 11, 1, 12, 18, 0, 2*986773 + 10*8, 4*986773 + 14*8, 0, 4.57, 10, 0, 0, 2},
		// The film is a guess of 5 MB; the rest is the artefact's.
		"video": {
			6, 5, 1, 13, 17, 0,
			4439111 + 5e6 + 5e6 + 22694084 + 22663904 + 22663904 + 7*8, // simple_process included
			5e6 + 5e6 + 5e6 + 22694084 + (1+3+3+4+3*2)*8,
			0, 2.95, 30, 1, 1, 1,
		},
	} {
		w := lookup(t, "faasflow/"+name)
		if w.Name != name {
			t.Errorf("%s calls itself %s", name, w.Name)
		}
		got := want
		got.functions, got.edges, got.starts = len(w.Functions), 0, len(w.Starts)
		got.outputs, got.inputs, got.global, got.foreach, got.merges, got.switches = 0, 0, 0, 0, 0, 0
		for i := range w.Functions {
			f := &w.Functions[i]
			got.edges += len(f.Next)
			got.outputs += len(f.Outputs)
			for _, in := range f.Inputs {
				if in.From == workflow.GlobalInput {
					got.global++
				} else {
					got.inputs++
				}
			}
			if f.Foreach != nil {
				got.foreach++
			}
			if f.Merge {
				got.merges++
			}
			if f.Kind == workflow.Switch {
				got.switches++
			}
			if f.Kind == workflow.Task && f.MaxContainers != want.maxContainers {
				t.Errorf("%s: %s has at most %d containers, want %d", name, f.Name, f.MaxContainers, want.maxContainers)
			}
		}
		bytes := w.TotalBytes()
		got.written, got.read, got.globalRead = bytes.Written, bytes.Read, bytes.Global
		_, critical := w.CriticalPath()
		got.critical = critical / 1e9
		if got.critical < want.critical-1e-9 || got.critical > want.critical+1e-9 {
			t.Errorf("%s: the critical path takes %v s, want %v", name, got.critical, want.critical)
		}
		got.critical = want.critical
		if got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
	}
}

// FaaSFlow's partition does not see the workflows themselves but the run times
// and sizes of their descriptions, which differ for the real functions.
func TestThePartitionerIsToldWhatTheArtefactTellsIt(t *testing.T) {
	for name, want := range map[string]struct {
		compute    float64 // s, sum over all functions
		bytes      float64 // of all outputs
		containers int
		quota      float64 // bytes that the data may use
	}{
		"cycles":         {46, 1208319438, 138, 6791417036.8},
		"epigenomics":    {45, 39627314, 135, 6643777536},
		"genome":         {50, 52461565, 150, 7381975040},
		"soykb":          {45, 25509258, 135, 6643777536},
		"video":          {10.45, 124185682, 15, 1033476505.6},
		"recognizer":     {31.02, 2655790, 30, 1181116006.4}, // with 1 s for each switch and the end
		"fileprocessing": {39.14, 59200201, 12, 590558003.2},
		"wordcount":      {0.19, 4445502, 9, 442918502.4},
	} {
		w := lookup(t, "faasflow/"+name)
		compute, bytes, containers, quota := 0.0, 0.0, 0, 0.0
		for i := range w.Functions {
			f := &w.Functions[i]
			p := *f.Planning
			if p.Compute == 0 {
				p.Compute = f.Compute.Mean()
			}
			if p.OutputBytes == 0 {
				p.OutputBytes = w.OutputBytes(workflow.FunctionID(i))
			}
			if p.SplitRatio == 0 {
				p.SplitRatio = 1
			}
			compute += p.Compute / 1e9
			bytes += p.OutputBytes
			containers += max(0, p.Containers)
			if f.Kind != workflow.Switch {
				quota += (1 - 0.2 - p.MemoryUsed) * (256 << 20) * p.SplitRatio
			}
		}
		if abs(compute-want.compute) > 1e-9 || bytes != want.bytes || containers != want.containers || abs(quota-want.quota) > 1e-3 {
			t.Errorf("%s: %v s, %v B, %d containers, quota %v B; want %+v", name, compute, bytes, containers, quota, want)
		}
	}
}

func abs(x float64) float64 { return max(x, -x) }

func TestOnlyRealWorkKeepsACoreBusy(t *testing.T) {
	sleeps := map[string]bool{"recognizer/translate": true, "fileprocessing/sentiment": true, "fileprocessing/upload": true}
	for _, name := range benchmarks.Names() {
		if !strings.HasPrefix(name, "faasflow/") {
			continue // DataFlower's containers are smaller than a core.
		}
		w := lookup(t, name)
		for i := range w.Functions {
			f := &w.Functions[i]
			want := 1.0
			switch {
			case f.Kind != workflow.Task, sleeps[w.Name+"/"+f.Name], strings.Contains(" cycles epigenomics genome soykb ", " "+w.Name+" "):
				want = 0
			}
			if f.CPU != want {
				t.Errorf("%s: %s uses %v cores, want %v", name, f.Name, f.CPU, want)
			}
		}
	}
}

func TestASwitchTriesItsBranchesInTheOrderOfTheArtefact(t *testing.T) {
	for _, c := range []struct{ workflow, function, want string }{
		{"faasflow/video", "virtual1", "split simple_process"},
		{"faasflow/recognizer", "virtual1", "mosaic extract"},
		{"faasflow/recognizer", "virtual2", "mosaic END"},
	} {
		w := lookup(t, c.workflow)
		id, ok := w.Function(c.function)
		if !ok {
			t.Fatalf("%s has no %s", c.workflow, c.function)
		}
		var names []string
		for _, next := range w.Functions[id].Next {
			names = append(names, w.Functions[next].Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s: %s leads to %s, want %s", c.workflow, c.function, got, c.want)
		}
	}
}

func TestAnUnknownNameIsAnsweredWithTheNearest(t *testing.T) {
	for name, want := range map[string]string{
		"faasflow/genmoe": `there is no built-in workflow "faasflow/genmoe": did you mean "faasflow/genome"?`,
		"x":               `there is no built-in workflow "x": there are faasflow/cycles, `,
		"../go":           `there is no built-in workflow "../go": there are `,

		"dataflower/wordcount-fanout-3": `there is no built-in workflow "dataflower/wordcount-fanout-3": did you mean "dataflower/wordcount-fanout-`,
	} {
		if _, err := benchmarks.Lookup(name); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
	}
	if _, err := benchmarks.Source("x"); err == nil {
		t.Error("there is a source of x")
	}
}

func TestEveryFileSaysWhereItsNumbersComeFrom(t *testing.T) {
	for _, name := range all() {
		source, err := benchmarks.Source(name)
		if err != nil {
			t.Fatal(err)
		}
		comment, _, _ := strings.Cut(string(source), "\nname:")
		artefact := "artefact of FaaSFlow (ASPLOS'22, tag v1.1)"
		if strings.HasPrefix(name, "dataflower/") {
			artefact = "artefact of DataFlower (ASPLOS'24;"
		}
		if !strings.HasPrefix(comment, "# ") || !strings.Contains(comment, artefact) {
			t.Errorf("%s starts with %q", name, comment)
		}
	}
}

func TestTheBuiltInWorkflowsReadBackAsTheyAreWritten(t *testing.T) {
	for _, name := range all() {
		w := lookup(t, name)
		var text bytes.Buffer
		if err := workflowfile.Write(&text, w, workflowfile.Options{}); err != nil {
			t.Fatal(err)
		}
		again, err := workflowfile.Parse(name, text.Bytes())
		if err != nil || !reflect.DeepEqual(w, again) {
			t.Errorf("%s: %v\n%s", name, err, text.String())
		}
	}
}

func TestTheBuiltInFilesFollowTheSchema(t *testing.T) {
	schema, err := workflowfile.Schema().Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all() {
		source, err := benchmarks.Source(name)
		if err != nil {
			t.Fatal(err)
		}
		var file any
		if err := yaml.Unmarshal(source, &file); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// stageEdges counts the control edges between stages, and the functions of
// each stage.
func stageEdges(w *workflow.Workflow) map[string]int {
	stage := func(f workflow.FunctionID) string {
		name := w.Functions[f].Name
		return name[:strings.LastIndexByte(name, '_')]
	}
	edges := map[string]int{}
	for i := range w.Functions {
		edges[stage(workflow.FunctionID(i))]++
		for _, next := range w.Functions[i].Next {
			edges[stage(workflow.FunctionID(i))+" → "+stage(next)]++
		}
	}
	return edges
}

func TestAGeneratedWorkflowOfThePapersSizeIsThatOfThePaper(t *testing.T) {
	for _, name := range benchmarks.Generated() {
		builtIn := lookup(t, "faasflow/"+name)
		made, err := benchmarks.Generate(name, len(builtIn.Functions))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := stageEdges(made), stageEdges(builtIn); !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		for i := range builtIn.Functions {
			if got, want := made.Functions[i].Name, builtIn.Functions[i].Name; got != want {
				t.Errorf("%s: function %d is %s, want %s", name, i, got, want)
			}
		}
		// Sizes are means, rounded to a byte for each output and input.
		got, want := made.TotalBytes(), builtIn.TotalBytes()
		if abs(got.Written-want.Written) > 200 || abs(got.Global-want.Global) > 600 || abs(got.Read/want.Read-1) > 0.01 {
			t.Errorf("%s: %+v, want about %+v", name, got, want)
		}
	}
}

// The sizes with which the paper measures how its scheduler scales.
func TestGeneratedGenomesHaveTheEdgesOfThePaper(t *testing.T) {
	for functions, want := range map[int]int{10: 12, 25: 37, 50: 74, 100: 148, 200: 296} {
		w, err := benchmarks.Generate("faasflow/genome", functions)
		if err != nil {
			t.Fatal(err)
		}
		edges := 0
		for i := range w.Functions {
			edges += len(w.Functions[i].Next)
		}
		if edges != want {
			t.Errorf("%d functions have %d edges, want %d", functions, edges, want)
		}
	}
}

func TestGeneratedWorkflowsHaveExactlyAsManyFunctions(t *testing.T) {
	for _, name := range benchmarks.Generated() {
		depth := map[string]int{"cycles": 4, "epigenomics": 9, "genome": 3, "soykb": 11}[name]
		sizes := []int{999, 1000, 1001, 1022, 1023, 1024, 9999}
		for n := benchmarks.MinFunctions; n <= 120; n++ {
			sizes = append(sizes, n)
		}
		for _, n := range sizes {
			w, err := benchmarks.Generate(name, n)
			if err != nil {
				t.Fatalf("%s of %d functions: %v", name, n, err)
			}
			if len(w.Functions) != n {
				t.Errorf("%s has %d functions, want %d", name, len(w.Functions), n)
			}
			if _, critical := w.CriticalPath(); n >= 15 && critical != float64(depth)*1e9 {
				t.Errorf("%s of %d functions is %v s deep, want %d", name, n, critical/1e9, depth)
			}
			for i := range w.Functions {
				f := &w.Functions[i]
				if len(f.After) == 0 && w.Indegree[i] == 0 && len(f.Next) == 0 {
					t.Errorf("%s of %d functions: %s stands alone", name, n, f.Name)
				}
			}
		}
	}
}

func TestSizesOutOfRangeAreRefused(t *testing.T) {
	for _, n := range []int{-1, 0, 9, 1_000_001} {
		if _, err := benchmarks.Generate("genome", n); err == nil || !strings.Contains(err.Error(), "ask for 10 to 1000000") {
			t.Errorf("%d functions: error %v", n, err)
		}
	}
	if _, err := benchmarks.Generate("genom", 50); err == nil || !strings.Contains(err.Error(), `did you mean "genome"?`) {
		t.Errorf("error %v", err)
	}
}

// How fast they are made, BenchmarkGenerate measures.
func TestAWorkflowMayHaveAMillionFunctions(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a second, or ten with the race detector")
	}
	w, err := benchmarks.Generate("genome", benchmarks.MaxFunctions)
	if err != nil {
		t.Fatal(err)
	}
	if last := w.Functions[len(w.Functions)-1].Name; len(w.Functions) != 1_000_000 || last != "frequency_01000000" {
		t.Errorf("%d functions, the last is %s", len(w.Functions), last)
	}
}

func BenchmarkGenerate(b *testing.B) {
	for _, name := range benchmarks.Generated() {
		for _, n := range []int{50, 10_000, benchmarks.MaxFunctions} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := benchmarks.Generate(name, n); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	for b.Loop() {
		for _, name := range benchmarks.Names() {
			lookup(b, name)
		}
	}
}
