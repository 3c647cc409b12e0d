package benchmarks

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// The sizes that Generate makes.
const (
	MinFunctions = 10
	MaxFunctions = 1_000_000
)

// Generated returns the names that Generate knows.
func Generated() []string { return []string{"cycles", "epigenomics", "genome", "soykb"} }

// Generate returns a scientific workflow with exactly the given number of
// functions, between MinFunctions and MaxFunctions. The name is one of
// Generated, or that of the built-in workflow, such as "faasflow/genome".
//
// Its structure is that of the built-in workflow, with more or fewer
// repetitions; at the size of the built-in workflow, it is the same. What is
// left over when the repetitions do not come out even is said at each of the
// build functions. A size is the mean over the functions of the same stage in
// the built-in workflow, so the result depends on nothing but the arguments.
func Generate(name string, functions int) (*workflow.Workflow, error) {
	name = strings.TrimPrefix(name, "faasflow/")
	builds := map[string]func(*generator, int){
		"cycles": buildCycles, "epigenomics": buildEpigenomics, "genome": buildGenome, "soykb": buildSoyKB,
	}
	build, ok := builds[name]
	if !ok {
		return nil, unknown("generator", name, Generated(), Generated())
	}
	if functions < MinFunctions || functions > MaxFunctions {
		return nil, fmt.Errorf("%s cannot have %d functions: ask for %d to %d", name, functions, MinFunctions, MaxFunctions)
	}
	instance, err := Lookup("faasflow/" + name)
	if err != nil {
		return nil, err
	}
	g := newGenerator(instance, functions)
	build(g, functions)
	g.finish()
	return workflow.New(name, g.functions)
}

// stage is what the functions of one stage have in common. All of them share
// the same slices.
type stage struct {
	name   string
	common workflow.Function
	global []workflow.Input
	split  map[int][]workflow.Output // fastqsplit's outputs, by their number
}

// generator puts functions together. Inputs of many functions share an array,
// and names a text: a million small allocations would take longer than the
// rest.
type generator struct {
	stages    map[string]*stage
	functions []workflow.Function
	of        []*stage // of each function
	inputs    []workflow.Input
}

func newGenerator(instance *workflow.Workflow, functions int) *generator {
	g := &generator{
		stages:    map[string]*stage{},
		functions: make([]workflow.Function, 0, functions),
		of:        make([]*stage, 0, functions),
	}
	members := map[string][]*workflow.Function{}
	for i := range instance.Functions {
		f := &instance.Functions[i]
		name := stageOf(f.Name)
		members[name] = append(members[name], f)
	}
	for name, functions := range members {
		g.stages[name] = newStage(name, functions)
	}
	return g
}

// stageOf returns a function's name without its number.
func stageOf(name string) string { return name[:strings.LastIndexByte(name, '_')] }

// newStage takes the means over the functions of a stage.
func newStage(name string, functions []*workflow.Function) *stage {
	first := functions[0]
	s := &stage{name: name, split: map[int][]workflow.Output{}, common: workflow.Function{
		Compute: first.Compute, CPU: first.CPU, Memory: first.Memory,
		MaxContainers: first.MaxContainers, Planning: first.Planning,
		Outputs: slices.Clone(first.Outputs),
	}}
	mean := func(of func(f *workflow.Function) float64) float64 {
		sum := 0.0
		for _, f := range functions {
			sum += of(f)
		}
		return math.Round(sum / float64(len(functions)))
	}
	for o := range s.common.Outputs {
		s.common.Outputs[o].Size = workflow.Constant(mean(func(f *workflow.Function) float64 { return f.Outputs[o].Size.Mean() }))
	}
	for i := range globalInputs(first) {
		size := int64(mean(func(f *workflow.Function) float64 { return float64(globalInputs(f)[i].Size) }))
		s.global = append(s.global, workflow.Input{From: workflow.GlobalInput, Size: size})
	}
	return s
}

// globalInputs returns the global inputs of a function, which are its last.
func globalInputs(f *workflow.Function) []workflow.Input {
	first := slices.IndexFunc(f.Inputs, func(in workflow.Input) bool { return in.From == workflow.GlobalInput })
	if first < 0 {
		return nil
	}
	return f.Inputs[first:]
}

// add adds a function of a stage that reads all outputs of the given ones.
func (g *generator) add(stage string, from ...workflow.FunctionID) workflow.FunctionID {
	f := g.begin(stage)
	for _, p := range from {
		g.read(p)
	}
	g.end()
	return f
}

// begin adds a function of a stage; read and end must follow.
func (g *generator) begin(stage string) workflow.FunctionID {
	s := g.stages[stage]
	g.functions = append(g.functions, s.common)
	g.of = append(g.of, s)
	if cap(g.inputs)-len(g.inputs) < 64 {
		g.inputs = make([]workflow.Input, 0, 1<<16)
	}
	g.inputs = g.inputs[len(g.inputs):]
	return workflow.FunctionID(len(g.functions) - 1)
}

// read makes the last function read all outputs of another one.
func (g *generator) read(p workflow.FunctionID) {
	for o := range g.functions[p].Outputs {
		g.readOne(p, o)
	}
}

// readOne makes the last function read one output of another one.
func (g *generator) readOne(p workflow.FunctionID, output int) {
	g.inputs = append(g.inputs, workflow.Input{From: p, Output: int32(output)})
}

// end adds the global inputs of the last function.
func (g *generator) end() {
	last := len(g.functions) - 1
	g.inputs = append(g.inputs, g.of[last].global...)
	g.functions[last].Inputs = slices.Clip(g.inputs)
}

// finish gives the functions their names, as individuals_00000001: the stage,
// and the number of the function from 1 on, with at least eight digits.
func (g *generator) finish() {
	size := 0
	for _, s := range g.of {
		size += len(s.name) + 9
	}
	var text strings.Builder
	text.Grow(size)
	digits := [8]byte{}
	for i, s := range g.of {
		for d, n := 7, i+1; d >= 0; d, n = d-1, n/10 {
			digits[d] = byte('0' + n%10)
		}
		text.WriteString(s.name)
		text.WriteByte('_')
		text.Write(digits[:])
	}
	all := text.String()
	for i, s := range g.of {
		n := len(s.name) + 9
		g.functions[i].Name, all = all[:n], all[n:]
	}
}

// share returns the i-th of n parts that a whole is divided into as evenly as
// possible, the larger ones first.
func share(whole, n, i int) int {
	if i < whole%n {
		return whole/n + 1
	}
	return whole / n
}

// buildGenome makes chromosomes of 25 functions: 9 individuals that are
// merged, a sifting, and for each of 7 populations a mutation_overlap and a
// frequency that read both. What is left over are more individuals. Below 25
// functions there is one chromosome with (functions-2)/4 populations.
func buildGenome(g *generator, functions int) {
	const chromosome, populations = 25, 7
	n := max(1, functions/chromosome)
	m := populations
	if functions < chromosome {
		m = max(1, (functions-2)/4)
	}
	for c := range n {
		var individuals []workflow.FunctionID
		for range share(functions, n, c) - 2 - 2*m {
			individuals = append(individuals, g.add("individuals"))
		}
		merge := g.add("individuals_merge", individuals...)
		sifting := g.add("sifting")
		for _, stage := range []string{"mutation_overlap", "frequency"} {
			for range m {
				g.add(stage, merge, sifting)
			}
		}
	}
}

// buildCycles makes groups of 23 functions: 5 quartets (baseline_cycles, which
// cycles and fertilizer_increase_cycles read, and a parser of the latter) and
// 3 functions that sum them up. What is left over are more quartets; then, in
// the last group, one more cycles, or the first two or three of a quartet
// without the other branch.
func buildCycles(g *generator, functions int) {
	const group = 23
	n := max(1, functions/group)
	quartets, left := (functions-3*n)/4, (functions-3*n)%4
	summaries := make([]workflow.FunctionID, 0, n)
	for i := range n {
		var cycles, parsers []workflow.FunctionID
		var baseline workflow.FunctionID
		for range share(quartets, n, i) {
			baseline = g.add("baseline_cycles")
			cycles = append(cycles, g.add("cycles", baseline))
			fertilized := g.add("fertilizer_increase_cycles", baseline)
			parsers = append(parsers, g.add("cycles_fertilizer_increase_output_parser", fertilized))
		}
		if i == n-1 {
			if left >= 2 {
				baseline = g.add("baseline_cycles")
			}
			if left == 1 || left == 2 {
				cycles = append(cycles, g.add("cycles", baseline))
			}
			if left == 3 {
				fertilized := g.add("fertilizer_increase_cycles", baseline)
				parsers = append(parsers, g.add("cycles_fertilizer_increase_output_parser", fertilized))
			}
		}
		summaries = append(summaries, g.add("cycles_output_summary", cycles...))
		g.add("cycles_fertilizer_increase_output_summary", parsers...)
	}
	for _, summary := range summaries {
		g.add("cycles_plots", summary)
	}
}

// buildEpigenomics makes lanes of 14 functions: a fastqsplit, 3 chains of 4
// that each work on one of its outputs, and a mapmerge; and 3 functions behind
// all lanes. What is left over are more chains, the last of which may lack its
// first functions.
func buildEpigenomics(g *generator, functions int) {
	const lane = 14
	chain := []string{"filtercontams", "sol2sanger", "fast2bfq", "map"}
	n := max(1, (functions-3)/lane)
	chains, left := (functions-3-2*n)/4, (functions-3-2*n)%4
	var lanes []workflow.FunctionID
	for i := range n {
		full, partial := share(chains, n, i), 0
		if i == n-1 {
			partial = left
		}
		outputs := full
		if partial > 0 {
			outputs++
		}
		split := g.add("fastqsplit")
		g.functions[split].Outputs = g.of[split].splitOutputs(outputs)
		var maps []workflow.FunctionID
		for c := range outputs {
			steps := chain
			if c == full {
				steps = chain[4-partial:]
			}
			last := g.begin(steps[0])
			g.readOne(split, c)
			g.end()
			for _, stage := range steps[1:] {
				last = g.add(stage, last)
			}
			maps = append(maps, last)
		}
		lanes = append(lanes, g.add("mapmerge", maps...))
	}
	merge := g.add("mapmerge", lanes...)
	chr21 := g.add("chr21", merge)
	g.add("pileup", chr21)
}

// splitOutputs returns outputs for n chains, of the mean size of those that
// the stage has.
func (s *stage) splitOutputs(n int) []workflow.Output {
	outputs, ok := s.split[n]
	if !ok {
		sum := 0.0
		for _, o := range s.common.Outputs {
			sum += o.Size.Mean()
		}
		size := math.Round(sum / float64(len(s.common.Outputs)))
		for i := range n {
			outputs = append(outputs, workflow.Output{Name: fmt.Sprintf("sfq_%d", i+1), Size: workflow.Constant(size), PostedAt: 1})
		}
		s.split[n] = outputs
	}
	return outputs
}

// buildSoyKB makes samples: a chain of 6 functions that all haplotype_callers
// of the sample read, about 9. For each of these there is a genotype_gvcfs
// that reads it in all samples, and 6 functions follow. What is left over are
// haplotype_callers, which share the last genotype_gvcfs. Below 14 functions,
// filtering_snp is left out, then select_variants_snp, merge_gcvf and
// filtering_indel.
func buildSoyKB(g *generator, functions int) {
	const callersOfASample = 9
	missing := max(0, 14-functions)
	n := max(1, (functions-callersOfASample-6)/(callersOfASample+6))
	callers, left := (functions+missing-6-6*n)/(n+1), (functions+missing-6-6*n)%(n+1)
	genotypes := make([][]workflow.FunctionID, callers)
	var all []workflow.FunctionID
	for i := range n {
		last := g.add("alignment_to_reference")
		for _, stage := range []string{"sort_sam", "dedup", "add_replace", "realign_target_creator", "indel_realign"} {
			last = g.add(stage, last)
		}
		for c := range callers + share(left, n, i) {
			caller := g.add("haplotype_caller", last)
			at := min(c, callers-1)
			genotypes[at] = append(genotypes[at], caller)
			all = append(all, caller)
		}
	}
	var genotyped []workflow.FunctionID
	for _, of := range genotypes {
		genotyped = append(genotyped, g.add("genotype_gvcfs", of...))
	}
	if missing < 3 {
		g.add("merge_gcvf", all...)
	}
	combined := g.add("combine_variants", genotyped...)
	indel := g.add("select_variants_indel", combined)
	var snp workflow.FunctionID
	if missing < 2 {
		snp = g.add("select_variants_snp", combined)
	}
	if missing < 4 {
		g.add("filtering_indel", indel)
	}
	if missing < 1 {
		g.add("filtering_snp", snp)
	}
}
