// Package exporter turns what flowtwin found into the formats of other
// systems.
package exporter

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/draw"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Invocation is a finished invocation of a run, with all that is known of it.
type Invocation struct {
	// Trial is the one that it is part of, Workflow the number of its workflow
	// there.
	Trial    *scenarios.Trial
	Workflow int
	Record   record.Invocation
	// Tasks are its rows of tasks.csv.
	Tasks []record.TaskRow
	// Began is when the run did, which its times count from.
	Began time.Time
	// Version is that of flowtwin.
	Version string
}

// WfFormat writes an invocation as WfFormat 1.6 has it: a specification and
// its execution.
//
// The tasks are the function instances that ran: those of a foreach are tasks
// of their own, of a switch there are those of the branch that was taken.
// What runs nothing is left out, and its successors come after what was before
// it. A task's runtime is what it took in its container, inputs and outputs
// included; how much of it was what is said in properties that WfFormat does
// not know, but allows: computeInSeconds, fetchInSeconds, putInSeconds. avgCPU
// is that of the time it computed.
func WfFormat(i *Invocation) ([]byte, error) {
	if i.Record.Outcome != engine.Completed {
		return nil, fmt.Errorf("invocation %d has not completed: its outcome is %v", i.Record.Number, i.Record.Outcome)
	}
	ex := &wfExport{
		Invocation: i, w: i.Trial.Workflows[i.Workflow], draws: draw.New(i.Trial.Seed),
		tasks: map[instance]*record.TaskRow{}, ids: map[instance]string{}, taken: map[string]bool{}, files: map[string]string{},
		specification: wfSpecification{Files: []wfFile{}}, // A list, even if there are none.
	}
	if err := ex.collect(); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(ex.document(), "", "  ")
	return append(data, '\n'), err
}

// instance is a function instance.
type instance struct {
	function workflow.FunctionID
	path     workflow.Path
}

// wfExport is one export.
type wfExport struct {
	*Invocation
	w     *workflow.Workflow
	draws draw.Source
	tasks map[instance]*record.TaskRow
	order []instance
	// paths are the instances of each scope that are known of.
	paths [][]workflow.Path
	ids   map[instance]string
	taken map[string]bool   // ids of tasks and, after a slash, of files
	files map[string]string // ids of files, by what they are
	plain map[string]int    // how many outputs have a name

	specification wfSpecification
}

// The document, as far as flowtwin knows what to say.
type wfDocument struct {
	Name          string    `json:"name"`
	Description   string    `json:"description"`
	CreatedAt     string    `json:"createdAt"`
	SchemaVersion string    `json:"schemaVersion"`
	RuntimeSystem wfRuntime `json:"runtimeSystem"`
	Workflow      struct {
		Specification wfSpecification `json:"specification"`
		Execution     wfExecution     `json:"execution"`
	} `json:"workflow"`
}

type wfRuntime struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type wfSpecification struct {
	Tasks []*wfTask `json:"tasks"`
	Files []wfFile  `json:"files"`
}

type wfTask struct {
	Name     string   `json:"name"`
	ID       string   `json:"id"`
	Parents  []string `json:"parents"`
	Children []string `json:"children"`
	Inputs   []string `json:"inputFiles"`
	Outputs  []string `json:"outputFiles"`

	read, written int64
}

type wfFile struct {
	ID   string `json:"id"`
	Size int64  `json:"sizeInBytes"`
}

type wfExecution struct {
	Makespan   float64     `json:"makespanInSeconds"`
	ExecutedAt string      `json:"executedAt"`
	Tasks      []wfRun     `json:"tasks"`
	Machines   []wfMachine `json:"machines"`
}

type wfRun struct {
	ID         string   `json:"id"`
	Runtime    float64  `json:"runtimeInSeconds"`
	ExecutedAt string   `json:"executedAt"`
	Cores      float64  `json:"coreCount"`
	CPU        float64  `json:"avgCPU"`
	Read       int64    `json:"readBytes"`
	Written    int64    `json:"writtenBytes"`
	Memory     int64    `json:"memoryInBytes"`
	Machines   []string `json:"machines"`
	Compute    float64  `json:"computeInSeconds"`
	Fetch      float64  `json:"fetchInSeconds"`
	Put        float64  `json:"putInSeconds"`
}

type wfMachine struct {
	NodeName string `json:"nodeName"`
	Memory   int64  `json:"memoryInBytes"`
	CPU      struct {
		Cores int `json:"coreCount"`
	} `json:"cpu"`
}

// collect finds the instances that ran, in the order of the workflow.
func (ex *wfExport) collect() error {
	ex.paths = make([][]workflow.Path, len(ex.w.Scopes))
	ex.paths[0] = []workflow.Path{{}}
	for t := range ex.Tasks {
		row := &ex.Tasks[t]
		if row.Outcome != engine.Completed {
			continue
		}
		function, ok := ex.w.Function(row.Function)
		path, valid := parsePath(row.Instance)
		if !ok || !valid || path.Depth() != ex.w.Scopes[ex.w.Functions[function].Scope].Depth {
			return fmt.Errorf("tasks.csv has an instance %q of %q, which workflow %s does not", row.Instance, row.Function, ex.w.Name)
		}
		at := instance{function, path}
		if _, twice := ex.tasks[at]; !twice {
			ex.order = append(ex.order, at)
		}
		ex.tasks[at] = row // Of several runs, the last.
		for s := ex.w.Functions[function].Scope; s > 0; s = ex.w.Scopes[s].Parent {
			ex.paths[s] = append(ex.paths[s], path.Outer(ex.w.Scopes[s].Depth))
		}
	}
	for s := range ex.paths {
		slices.SortFunc(ex.paths[s], comparePaths)
		ex.paths[s] = slices.Compact(ex.paths[s])
	}
	slices.SortFunc(ex.order, func(a, b instance) int {
		return cmp.Or(cmp.Compare(a.function, b.function), comparePaths(a.path, b.path))
	})
	if len(ex.order) == 0 {
		return fmt.Errorf("tasks.csv has no task of invocation %d", ex.Record.Number)
	}
	ex.plain = map[string]int{}
	for f := range ex.w.Functions {
		for _, o := range ex.w.Functions[f].Outputs {
			ex.plain[clean(o.Name)]++
		}
	}
	for _, at := range ex.order {
		ex.ids[at] = ex.free("", clean(ex.w.Functions[at.function].Name)+suffix(at.path))
	}
	return nil
}

// parsePath reads an instance as tasks.csv has it, such as "3/8 0/2".
func parsePath(text string) (workflow.Path, bool) {
	var path workflow.Path
	for level := range strings.FieldsSeq(text) {
		index, of, _ := strings.Cut(level, "/")
		i, err := strconv.ParseUint(index, 10, 32)
		n, err2 := strconv.ParseUint(of, 10, 32)
		if err != nil || err2 != nil || i >= n || path.Depth() == workflow.MaxNesting {
			return path, false
		}
		path = path.Item(uint32(i), uint32(n))
	}
	return path, true
}

func comparePaths(a, b workflow.Path) int {
	for i := range min(a.Depth(), b.Depth()) {
		if c := cmp.Compare(a.Level(i).Index, b.Level(i).Index); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.Depth(), b.Depth())
}

// disallowed matches what ids of WfFormat 1.6 do not have.
var disallowed = regexp.MustCompile(`[^0-9a-zA-Z_.#:/-]+`)

func clean(name string) string { return cmp.Or(disallowed.ReplaceAllString(name, "_"), "_") }

// suffix tells the instances of a function apart.
func suffix(path workflow.Path) string {
	text := ""
	for i := range path.Depth() {
		text += "#" + strconv.FormatUint(uint64(path.Level(i).Index), 10)
	}
	return text
}

// free returns the id, or one like it that is not taken yet.
func (ex *wfExport) free(kind, id string) string {
	name := id
	for n := 2; ex.taken[kind+name]; n++ {
		name = id + "-" + strconv.Itoa(n)
	}
	ex.taken[kind+name] = true
	return name
}

// subject names a draw about an output, as the worlds do.
func (ex *wfExport) subject(function workflow.FunctionID, output int32) draw.Subject {
	return draw.Subject{
		Workflow: uint64(ex.Workflow), Function: function, Output: output,
		Invocation: uint64(ex.Record.Number), Try: uint64(max(0, ex.Record.Attempts-1)) << 32,
	}
}

// output returns the ids of the files that an output of an instance is.
func (ex *wfExport) output(at instance, o int32) []string {
	out := &ex.w.Functions[at.function].Outputs[o]
	if !out.List {
		return []string{ex.file(at, o, at.path)}
	}
	n := uint32(math.Round(ex.draws.Value(&out.Items, draw.Items, ex.subject(at.function, o), at.path)))
	ids := make([]string, n)
	for item := range n {
		ids[item] = ex.file(at, o, at.path.Item(item, n))
	}
	return ids
}

// file returns the id of a file, and lists it when it is first met. It is
// called as its output, if there is one of the name.
func (ex *wfExport) file(at instance, o int32, path workflow.Path) string {
	what := fmt.Sprintf("%d %d %s", at.function, o, suffix(path))
	if id, known := ex.files[what]; known {
		return id
	}
	out := &ex.w.Functions[at.function].Outputs[o]
	id := clean(out.Name)
	if ex.plain[id] > 1 {
		id = clean(ex.w.Functions[at.function].Name) + "/" + id
	}
	id = ex.free("/", id+suffix(path))
	size := int64(math.Round(ex.draws.Value(&out.Size, draw.Size, ex.subject(at.function, o), path)))
	ex.files[what] = id
	ex.specification.Files = append(ex.specification.Files, wfFile{id, size})
	return id
}

// inputs returns the ids of the files that an input of an instance is.
func (ex *wfExport) inputs(at instance, number int) []string {
	in := &ex.w.Functions[at.function].Inputs[number]
	if in.From == workflow.GlobalInput {
		id := ex.free("/", ex.ids[at]+"/input"+strconv.Itoa(number))
		ex.specification.Files = append(ex.specification.Files, wfFile{id, in.Size})
		return []string{id}
	}
	scope := ex.w.Functions[in.From].Scope
	depth := ex.w.Scopes[scope].Depth
	if in.Access == workflow.AccessGather {
		var ids []string
		for _, path := range ex.within(scope, at.path) {
			if from := (instance{in.From, path}); ex.tasks[from] != nil {
				ids = append(ids, ex.output(from, in.Output)...)
			}
		}
		return ids
	}
	from := instance{in.From, at.path.Outer(depth)}
	if ex.tasks[from] == nil {
		return nil // A switch has left it out.
	}
	if in.Access == workflow.AccessItem {
		return []string{ex.file(from, in.Output, at.path.Outer(depth+1))}
	}
	return ex.output(from, in.Output)
}

// within returns the instances of a scope that a path is around.
func (ex *wfExport) within(scope workflow.ScopeID, around workflow.Path) []workflow.Path {
	var paths []workflow.Path
	for _, path := range ex.paths[scope] {
		if path.Outer(around.Depth()) == around {
			paths = append(paths, path)
		}
	}
	return paths
}

// before adds the tasks that an instance comes after.
func (ex *wfExport) before(at instance, seen map[instance]bool, parents *[]string) {
	f := &ex.w.Functions[at.function]
	visit := func(p instance) {
		if seen[p] {
			return
		}
		seen[p] = true
		switch {
		case ex.tasks[p] != nil:
			*parents = append(*parents, ex.ids[p])
		case ex.w.Functions[p.function].Kind != workflow.Task:
			ex.before(p, seen, parents)
		}
	}
	for _, p := range f.After {
		scope := ex.w.Functions[p].Scope
		depth := ex.w.Scopes[scope].Depth
		if depth <= at.path.Depth() {
			visit(instance{p, at.path.Outer(depth)})
			continue
		}
		paths := ex.within(scope, at.path)
		for _, path := range paths {
			visit(instance{p, path})
		}
		if len(paths) == 0 { // An empty list: there is only what put it.
			visit(instance{ex.w.Scopes[scope].Over.Function, at.path})
		}
	}
}

func (ex *wfExport) document() *wfDocument {
	at := func(t engine.Time) string { return ex.Began.Add(time.Duration(t)).UTC().Format(time.RFC3339Nano) }
	seconds := func(t engine.Time) float64 { return float64(t) / 1e9 }
	doc := &wfDocument{
		Name: ex.w.Name, SchemaVersion: "1.6", CreatedAt: ex.Began.UTC().Format(time.RFC3339), RuntimeSystem: wfRuntime{"flowtwin", cmp.Or(ex.Version, "unknown")},
		Description: fmt.Sprintf("Invocation %d of trial %d of a run of flowtwin, under %s", ex.Record.Number, ex.Trial.Number, ex.Trial.Scheduler.Name),
	}
	execution := &doc.Workflow.Execution
	execution.Makespan, execution.ExecutedAt = seconds(ex.Record.Latency()), at(ex.Record.Intended)
	byID := map[string]*wfTask{}
	for _, i := range ex.order {
		task := &wfTask{
			Name: ex.w.Functions[i.function].Name, ID: ex.ids[i], Parents: []string{}, Children: []string{}, Inputs: []string{}, Outputs: []string{},
		}
		for o := range ex.w.Functions[i.function].Outputs {
			task.Outputs = append(task.Outputs, ex.output(i, int32(o))...)
		}
		byID[task.ID] = task
		ex.specification.Tasks = append(ex.specification.Tasks, task)
	}
	for _, i := range ex.order {
		task := byID[ex.ids[i]]
		ex.before(i, map[instance]bool{}, &task.Parents)
		for _, p := range task.Parents {
			byID[p].Children = append(byID[p].Children, task.ID)
		}
		for number := range ex.w.Functions[i.function].Inputs {
			for _, id := range ex.inputs(i, number) {
				if !slices.Contains(task.Inputs, id) {
					task.Inputs = append(task.Inputs, id)
				}
			}
		}
	}
	sizes := map[string]int64{}
	for _, file := range ex.specification.Files {
		sizes[file.ID] = file.Size
	}
	for _, i := range ex.order {
		task, row, f := byID[ex.ids[i]], ex.tasks[i], &ex.w.Functions[i.function]
		for _, id := range task.Inputs {
			task.read += sizes[id]
		}
		for _, id := range task.Outputs {
			task.written += sizes[id]
		}
		execution.Tasks = append(execution.Tasks, wfRun{
			ID: task.ID, Runtime: seconds(row.Ended - row.Started), ExecutedAt: at(row.Started), Cores: max(1, f.CPU), CPU: 100 * f.CPU,
			Read: task.read, Written: task.written, Memory: f.Memory, Machines: []string{row.Node},
			Compute: seconds(row.Compute), Fetch: seconds(row.Fetch), Put: seconds(row.Put),
		})
	}
	cluster := ex.Trial.Cluster.Engine()
	for i, m := range ex.Trial.Cluster.Workers {
		machine := wfMachine{NodeName: cluster.NodeName(cluster.Workers[i]), Memory: int64(m.Memory)}
		machine.CPU.Cores = max(1, int(m.Cores))
		execution.Machines = append(execution.Machines, machine)
	}
	doc.Workflow.Specification = ex.specification
	return doc
}
