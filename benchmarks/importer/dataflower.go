package importer

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/units"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// The files of a benchmark in FaaSFlow's artefact from v2.0 on, which runs
// DataFlower. One file has the templates of all benchmarks.
const (
	dataflowFile  = "workflow_info.yaml"
	templatesFile = "templates_info.yaml"
)

// What the artefact of DataFlower reckons with.
const (
	memoryPerCore      = 1280 * units.MiB // of a container
	containersOnWorker = 1000             // of a template
)

// dataflower reads a benchmark in the form of v2.
func dataflower(file string) (*workflow.Workflow, []Note, error) {
	doc, err := yamlfile.Read(file)
	if err != nil {
		return nil, nil, err
	}
	// The templates are next to the benchmark's directory, in the artefact.
	var templates *yamlfile.Document
	for _, dir := range []string{filepath.Dir(file), filepath.Join(filepath.Dir(file), "..")} {
		if templates, err = yamlfile.Read(filepath.Join(dir, templatesFile)); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	absolute, err := filepath.Abs(file)
	if err != nil {
		return nil, nil, err
	}
	return fromDataFlower(doc, templates, filepath.Base(filepath.Dir(absolute)))
}

// fromDataFlower does the work. templates may be nil. name is that of the
// workflow if the file has none.
func fromDataFlower(doc, templates *yamlfile.Document, name string) (*workflow.Workflow, []Note, error) {
	im := &dataflow{doc: doc, name: name, ids: map[string]int{}, cores: map[string]float64{}, settled: map[int]bool{}}
	im.readTemplates(templates)
	im.readBlocks()
	if err := doc.Err(); err != nil {
		return nil, nil, err
	}
	im.readEdges()
	if err := doc.Err(); err != nil {
		return nil, nil, err
	}
	im.findRegions()
	functions := im.functions()
	if err := doc.Err(); err != nil {
		return nil, nil, err
	}
	patient := slices.Clone(functions)
	w, err := workflow.New(im.name, functions)
	if err != nil && len(im.settled) > 0 {
		// Something further on may read what is not there when the first wins.
		clear(im.settled)
		for i := range patient {
			patient[i].Join = workflow.JoinAll
		}
		w, err = workflow.New(im.name, patient)
	}
	var problems workflow.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			block := strings.TrimSuffix(strings.TrimSuffix(p.Function, ".switch"), ".end")
			if i, ok := im.names()[block]; ok {
				im.blocks[i].at.Errorf("%s: %s", p.Function, p.Message)
			} else {
				doc.Errorf("templates", "%s", p.Message)
			}
		}
		return nil, nil, doc.Err()
	}
	if err != nil {
		return nil, nil, err
	}
	im.summarise()
	return w, im.notes, nil
}

// dataflow is one import.
type dataflow struct {
	doc    *yamlfile.Document
	name   string
	blocks []block
	ids    map[string]int     // of blocks, by template and block
	cores  map[string]float64 // by template
	global map[int]int        // how many global inputs a block has
	// settled are the blocks that run after the first of their switches, as in
	// the artefact.
	settled map[int]bool
	notes   []Note
}

// block is a function as the file describes it.
type block struct {
	at       yamlfile.Value
	template string
	name     string
	isSwitch bool
	inputs   map[string]string // types, by name
	outputs  []flow
	branches []flowBranch

	list   *listOf // the FOREACH output that it iterates over
	region *listOf // the same, and for all blocks up to the merge
	merge  bool
}

// listOf names a FOREACH output.
type listOf struct{ block, output int }

// flow is an output.
type flow struct {
	at   yamlfile.Value
	name string
	kind string // NORMAL, FOREACH or MERGE
	to   []flowTo
}

// flowTo is where an output goes to: an input of a block.
type flowTo struct {
	block int
	input string
	// chosen: only if the switch takes a branch that says so.
	chosen bool
}

// flowBranch is a condition of a switch and the blocks that get something if
// it holds.
type flowBranch struct {
	condition string
	to        []int
	inputs    []flowTo // of those blocks
}

func (im *dataflow) note(at yamlfile.Position, format string, args ...any) {
	im.notes = append(im.notes, Note{at, fmt.Sprintf(format, args...)})
}

// names numbers the blocks by what their functions are called.
func (im *dataflow) names() map[string]int {
	names := make(map[string]int, len(im.blocks))
	for i := range im.blocks {
		names[im.blocks[i].name] = i
	}
	return names
}

// readTemplates reads the cores of containers.
func (im *dataflow) readTemplates(doc *yamlfile.Document) {
	if doc == nil {
		im.note(yamlfile.Position{File: templatesFile}, "the file is missing: every function is taken to keep a core busy")
		return
	}
	list, _ := doc.Root().Get("templates")
	if list.Kind() != yamlfile.List {
		im.note(doc.Root().Position(), "there is no list of templates: every function is taken to keep a core busy")
		return
	}
	for _, t := range list.Items() {
		name, ok := t.Get("template_name")
		cpus, has := t.Get("cpus")
		if !ok || !has {
			continue
		}
		if n, ok := number(cpus); ok && n >= 0 && n <= maxCores {
			im.cores[name.Text()] = n
		} else {
			im.note(cpus.Position(), "cpus: %q is no number of cores: it is left out", cpus.Text())
		}
	}
}

// readBlocks reads what the blocks are, not yet where their outputs go to.
func (im *dataflow) readBlocks() {
	root := im.doc.Root()
	if name, ok := root.Get("workflow_name"); ok && name.Kind() == yamlfile.Scalar && name.Text() != "" {
		im.name = name.Text()
	}
	templates, ok := root.Get("templates")
	if !ok || templates.Kind() != yamlfile.Mapping {
		im.doc.Errorf("templates", "there are no templates: this is no %s", dataflowFile)
		return
	}
	for _, t := range templates.Entries() {
		blocks, ok := t.Value.Get("blocks")
		if !ok || blocks.Kind() != yamlfile.Mapping {
			t.Value.Errorf("the template has no blocks")
			continue
		}
		if blocks.Len() > 1 {
			im.note(t.Value.Position(), "the blocks of %s share containers in the artefact: here each has its own", t.Key)
		}
		for _, e := range blocks.Entries() {
			b := block{at: e.Value, template: t.Key, name: t.Key, inputs: map[string]string{}}
			if blocks.Len() > 1 {
				b.name += "." + e.Key
			}
			kind, _ := get(e.Value, "type")
			switch b.isSwitch = kind == "SWITCH"; {
			case !b.isSwitch && kind != "NORMAL":
				e.Value.Errorf("the type %q of a block is neither NORMAL nor SWITCH", kind)
			}
			inputs, _ := e.Value.Get("input_datas")
			for _, in := range entries(inputs) {
				kind, _ := get(in.Value, "type")
				if kind != "NORMAL" && kind != "LIST" {
					in.Value.Errorf("the type %q of an input is neither NORMAL nor LIST", kind)
				}
				b.inputs[in.Key] = kind
				b.merge = b.merge || kind == "LIST"
			}
			key := t.Key + "\x00" + e.Key
			if _, twice := im.ids[key]; twice {
				e.Value.Errorf("there are two blocks of this name")
			}
			im.ids[key] = len(im.blocks)
			im.blocks = append(im.blocks, b)
		}
	}
	if len(im.blocks) == 0 && im.doc.Err() == nil {
		im.doc.Errorf("templates", "there are no blocks")
	}
}

// get returns the text of a key.
func get(v yamlfile.Value, key string) (string, yamlfile.Value) {
	if v.Kind() != yamlfile.Mapping {
		return "", v
	}
	at, ok := v.Get(key)
	if !ok || at.Kind() != yamlfile.Scalar {
		return "", v
	}
	return at.Text(), at
}

// entries returns those of a mapping, none for others.
func entries(v yamlfile.Value) []yamlfile.Entry {
	if v.Kind() != yamlfile.Mapping {
		return nil
	}
	return v.Entries()
}

// readEdges reads where outputs go to.
func (im *dataflow) readEdges() {
	im.global = map[int]int{}
	global, _ := im.doc.Root().Get("global_inputs")
	for _, g := range entries(global) {
		dest, _ := child(g.Value, "dest")
		for _, to := range im.destinations(dest) {
			im.global[to.block]++
		}
	}
	for i := range im.blocks {
		b := &im.blocks[i]
		outputs, _ := child(b.at, "output_datas")
		for _, o := range entries(outputs) {
			if o.Key == itemCount {
				continue // A merge knows it by itself here.
			}
			f := flow{at: o.Value, name: o.Key}
			if f.kind, _ = get(o.Value, "type"); !slices.Contains([]string{"NORMAL", "FOREACH", "MERGE"}, f.kind) {
				o.Value.Errorf("the type %q of an output is none of NORMAL, FOREACH and MERGE", f.kind)
			}
			dest, _ := child(o.Value, "dest")
			f.to = im.destinations(dest)
			b.outputs = append(b.outputs, f)
		}
		conditions, _ := child(b.at, "conditions")
		for _, c := range entries(conditions) {
			branch := flowBranch{condition: c.Key}
			for _, o := range entries(c.Value) {
				at := slices.IndexFunc(b.outputs, func(f flow) bool { return f.name == o.Key })
				if at < 0 && !isToken(o.Key) {
					o.Value.Errorf("the switch sends %q, which is no output of the block", o.Key)
					continue
				}
				for _, to := range im.destinations(o.Value) {
					to.chosen = true
					branch.inputs = append(branch.inputs, to)
					if !slices.Contains(branch.to, to.block) {
						branch.to = append(branch.to, to.block)
					}
					if at >= 0 && !slices.Contains(b.outputs[at].to, to) {
						b.outputs[at].to = append(b.outputs[at].to, to)
					}
				}
			}
			slices.Sort(branch.to)
			b.branches = append(b.branches, branch)
		}
		if b.isSwitch && len(b.branches) == 0 {
			b.at.Errorf("the switch has no conditions")
		}
	}
}

func child(v yamlfile.Value, key string) (yamlfile.Value, bool) {
	if v.Kind() != yamlfile.Mapping {
		return yamlfile.Value{}, false
	}
	return v.Get(key)
}

// itemCount is the output that tells a merge how many items there are.
const itemCount = "VIRTUAL.CNT"

// isToken reports whether a name is that of a token, which carries no data.
func isToken(name string) bool { return strings.HasPrefix(name, "virtual") || name == itemCount }

// destinations reads template → block → inputs. $USER is whoever called.
func (im *dataflow) destinations(v yamlfile.Value) []flowTo {
	var to []flowTo
	for _, t := range entries(v) {
		if t.Key == "$USER" {
			continue
		}
		for _, b := range entries(t.Value) {
			id, ok := im.ids[t.Key+"\x00"+b.Key]
			if !ok {
				b.Value.Errorf("there is no block %s of template %s", b.Key, t.Key)
				continue
			}
			for _, in := range entries(b.Value) {
				if _, ok := im.blocks[id].inputs[in.Key]; !ok {
					in.Value.Errorf("%s has no input %q", im.blocks[id].name, in.Key)
				}
				to = append(to, flowTo{block: id, input: in.Key})
			}
		}
	}
	return to
}

// findRegions finds the blocks that have an instance for each item of a
// FOREACH output: who gets the items, and who comes after, up to a LIST.
func (im *dataflow) findRegions() {
	for i := range im.blocks {
		for o := range im.blocks[i].outputs {
			f := &im.blocks[i].outputs[o]
			if f.kind != "FOREACH" {
				continue
			}
			list := &listOf{i, o}
			for _, to := range f.to {
				b := &im.blocks[to.block]
				if b.list != nil {
					f.at.Errorf("%s gets the items of two FOREACH outputs", b.name)
				}
				b.list, b.region = list, list
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for i := range im.blocks {
			if im.blocks[i].region == nil {
				continue
			}
			for o := range im.blocks[i].outputs {
				f := &im.blocks[i].outputs[o]
				for _, to := range f.to {
					b := &im.blocks[to.block]
					if f.kind == "NORMAL" && b.region == nil && !b.merge && !isToken(to.input) {
						b.region, changed = im.blocks[i].region, true
					}
				}
			}
		}
	}
}

// functions makes the functions: a task for each block and, for a SWITCH, the
// switch after it, with an end for a branch that leads to no block.
func (im *dataflow) functions() []workflow.Function {
	task := make([]workflow.FunctionID, len(im.blocks))
	n := workflow.FunctionID(0)
	for i := range im.blocks {
		task[i] = n
		if n++; im.blocks[i].isSwitch {
			n++
		}
	}
	functions := make([]workflow.Function, n)
	var ends []workflow.Function
	for i := range im.blocks {
		b := &im.blocks[i]
		cores, ok := im.cores[b.template]
		if !ok {
			cores = 1
		}
		f := &functions[task[i]]
		*f = workflow.Function{
			Name: b.name, CPU: cores, Memory: max(int64(units.MiB), int64(cores*float64(memoryPerCore))), MaxContainers: containersOnWorker, Merge: b.merge,
		}
		for _, o := range b.outputs {
			out := workflow.Output{Name: o.name, PostedAt: 1}
			if o.kind == "FOREACH" {
				out.List, out.Items = true, workflow.Constant(1)
			}
			f.Outputs = append(f.Outputs, out)
		}
		if b.list != nil {
			f.Foreach = &workflow.OutputRef{Function: task[b.list.block], Output: int32(b.list.output)}
			f.After = []workflow.FunctionID{task[b.list.block]}
		}
	}
	switches := im.switches()
	for i := range im.blocks {
		b := &im.blocks[i]
		for o := range b.outputs {
			for _, to := range b.outputs[o].to {
				f, reader := &functions[task[to.block]], &im.blocks[to.block]
				if !isToken(to.input) && !isToken(b.outputs[o].name) {
					in := workflow.Input{From: task[i], Output: int32(o)}
					if !slices.Contains(f.Inputs, in) {
						f.Inputs = append(f.Inputs, in)
					}
				}
				// An item alone triggers its instance; what else it reads is
				// taken to be there, as in the artefact.
				// What comes before a switch does not trigger its branches.
				implied := slices.ContainsFunc(switches[to.block], func(s int) bool { return im.leads(i, s, nil) })
				if !to.chosen && !implied && reader.list == nil && (reader.region == nil || reader.region == b.region) {
					f.After = add(f.After, task[i])
				}
			}
		}
		if !b.isSwitch {
			continue
		}
		s := &functions[task[i]+1]
		*s = workflow.Function{Name: b.name + ".switch", Kind: workflow.Switch, After: []workflow.FunctionID{task[i]}}
		taken := max(0, slices.IndexFunc(b.branches, func(br flowBranch) bool { return br.condition == "default" }))
		for j, branch := range b.branches {
			br := workflow.Branch{Name: branch.condition}
			for _, to := range im.first(branch.to) {
				if im.blocks[to].list == nil {
					br.To = append(br.To, task[to])
				}
			}
			if j == taken {
				br.Probability = 1
			}
			if len(br.To) == 0 {
				br.To = []workflow.FunctionID{n + workflow.FunctionID(len(ends))}
				ends = append(ends, workflow.Function{Name: fmt.Sprintf("%s.end%d", b.name, j), Kind: workflow.End})
			}
			s.Branches = append(s.Branches, br)
		}
		im.note(b.at.Position(), "%s always takes the branch %q: change the probabilities of its switch if that is wrong", b.name, b.branches[taken].condition)
	}
	for i := range im.blocks {
		f := &functions[task[i]]
		for range im.global[i] {
			f.Inputs = append(f.Inputs, workflow.Input{From: workflow.GlobalInput})
		}
		if len(f.After) == 0 && f.Foreach == nil && !f.Merge && len(switches[i]) > 1 && im.sameInput(i, switches[i]) {
			im.settled[i] = true
		}
	}
	for i := range im.blocks {
		if im.settled[i] && !im.readsBefore(i, switches[i]) {
			delete(im.settled, i)
		}
	}
	for i := range im.settled {
		functions[task[i]].Join = workflow.JoinFirst
	}
	return append(functions, ends...)
}

// sameInput reports whether some switches all give a block the same input.
func (im *dataflow) sameInput(block int, switches []int) bool {
	given := map[string]bool{}
	for _, s := range switches {
		for _, branch := range im.blocks[s].branches {
			for _, to := range branch.inputs {
				if to.block == block {
					given[to.input] = true
				}
			}
		}
	}
	return len(given) == 1
}

// readsBefore reports whether what a block reads is there before any of the
// switches that lead to it.
func (im *dataflow) readsBefore(block int, switches []int) bool {
	for i := range im.blocks {
		for _, o := range im.blocks[i].outputs {
			if !slices.ContainsFunc(o.to, func(to flowTo) bool { return to.block == block && !isToken(to.input) }) {
				continue
			}
			// What comes after the first of several need not come after each.
			if slices.ContainsFunc(switches, func(s int) bool { return s != i && !im.leads(i, s, im.settled) }) {
				return false
			}
		}
	}
	return true
}

// switches returns, for each block, the switches that have it in a branch.
func (im *dataflow) switches() [][]int {
	result := make([][]int, len(im.blocks))
	for i := range im.blocks {
		for _, branch := range im.blocks[i].branches {
			for _, to := range im.first(branch.to) {
				if !slices.Contains(result[to], i) {
					result[to] = append(result[to], i)
				}
			}
		}
	}
	return result
}

// leads reports whether there is a way from one block to another that others
// are not on.
func (im *dataflow) leads(from, to int, others map[int]bool) bool {
	seen := map[int]bool{from: true}
	for queue := []int{from}; len(queue) > 0; queue = queue[1:] {
		if queue[0] == to {
			return true
		}
		visit := func(next int) {
			if !seen[next] && !others[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
		for _, o := range im.blocks[queue[0]].outputs {
			for _, next := range o.to {
				visit(next.block)
			}
		}
		for _, branch := range im.blocks[queue[0]].branches {
			for _, next := range branch.to {
				visit(next)
			}
		}
	}
	return false
}

func add(ids []workflow.FunctionID, id workflow.FunctionID) []workflow.FunctionID {
	if slices.Contains(ids, id) {
		return ids
	}
	return append(ids, id)
}

// first returns those blocks that come after none of the others, by what they
// get without a switch.
func (im *dataflow) first(blocks []int) []int {
	later := map[int]bool{}
	for _, start := range blocks {
		seen := map[int]bool{start: true}
		for queue := []int{start}; len(queue) > 0; queue = queue[1:] {
			for _, o := range im.blocks[queue[0]].outputs {
				for _, to := range o.to {
					if !to.chosen && !seen[to.block] {
						seen[to.block] = true
						later[to.block] = true
						queue = append(queue, to.block)
					}
				}
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(blocks), func(b int) bool { return later[b] })
}

// summarise notes what holds for many functions.
func (im *dataflow) summarise() {
	producers := map[flowTo]map[int]bool{}
	produce := func(producer int, to flowTo) {
		to.chosen = false
		if producers[to] == nil {
			producers[to] = map[int]bool{}
		}
		producers[to][producer] = true
	}
	for i := range im.blocks {
		for _, o := range im.blocks[i].outputs {
			for _, to := range o.to {
				produce(i, to)
			}
		}
		for _, branch := range im.blocks[i].branches {
			for _, to := range branch.inputs {
				produce(i, to)
			}
		}
	}
	for i := range im.blocks {
		for _, input := range sortedKeys(im.blocks[i].inputs) {
			if n := len(producers[flowTo{block: i, input: input}]); n > 1 && !im.settled[i] {
				im.note(im.blocks[i].at.Position(), "%s.%s has %d producers, of which the first wins in the artefact: say join: first if nothing else triggers it, or it waits for all that run", im.blocks[i].name, input, n)
			}
		}
	}
	file := im.doc.Root().Position()
	file.Line, file.Column = 0, 0
	im.note(file, "the files say neither how long functions compute, nor how large data are, nor how many items a FOREACH has (1 here): fill them in")
	im.note(file, "outputs are taken to be posted at the end: say posted_at where that is earlier")
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
